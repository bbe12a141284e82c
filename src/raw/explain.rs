//! What became of a handle that is not live here: the slow second look after a lookup or removal failed.

use super::bits;
use super::find::Want;
use super::history::{NO_SITE, Sites};
use super::layout::TypeInfo;
use super::name::Thread;
use super::slot::Phase;
use super::space::Space;
use super::thread::SPACE;

/// What a handle turned out to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cause {
    /// Bit 0 is zero: never a handle.
    Malformed,
    /// No such handle was issued.
    Unissued,
    /// Being created: its value was not there yet.
    Reserved,
    /// Issued and removed.
    Stale,
    /// Live, and nothing else was asked.
    Live,
    /// Live, of another type.
    WrongType,
    /// Live, in another registry.
    WrongRegistry,
    /// Live and right, but it has all the counted holds that there can be.
    TooManyHolds,
    /// Live and right, but who wants to wait for its last holder is one.
    HeldHere,
}

/// All that was seen of a handle that was refused and may not be there later. Two words, so that they are
/// returned in registers. They are turned into text when somebody reads it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Finding {
    pub(crate) cause: Cause,
    /// Lines, thread and time, as far as they are the handle's own.
    sites: Sites,
}

impl Finding {
    /// Nothing but a cause is known.
    #[inline]
    pub(crate) const fn only(cause: Cause) -> Self {
        Self { cause, sites: Sites::NONE }
    }

    /// Of a handle that was seen live: that this thread holds it. If it is removed by now, that is what is said.
    pub(crate) fn held_here(self) -> Self {
        match self.cause {
            Cause::Reserved | Cause::Live | Cause::TooManyHolds => Self { cause: Cause::HeldHere, ..self },
            _ => self,
        }
    }

    /// The number of the site that created it.
    pub(crate) const fn created(&self) -> u32 {
        self.sites.created()
    }

    /// The number of the site that removed it.
    pub(crate) const fn removed(&self) -> u32 {
        self.sites.removed()
    }

    /// If it was removed, the thread that did that; if it is live, the one that created it.
    pub(crate) fn thread(&self) -> Option<Thread> {
        Thread::of(self.sites.thread())
    }
}

/// Explains a handle to someone who wanted it to be a live one of this type and registry.
#[inline]
pub(crate) fn explain(handle: u64, wanted: Option<&'static TypeInfo>, want: Want) -> Finding {
    if !bits::is_well_formed(handle) {
        return Finding::only(Cause::Malformed);
    }
    look(&SPACE, handle, wanted, want)
}

/// Explains a handle to someone who wanted it to be a live one of `T`.
#[inline]
pub(crate) fn explain_as<T: 'static>(handle: u64) -> Finding {
    explain(handle, Some(TypeInfo::of::<T>()), Want::Type)
}

/// The description of a live handle's type.
pub(crate) fn type_of(handle: u64) -> Option<&'static TypeInfo> {
    let finding = explain(handle, None, Want::Type);
    found(handle, finding.cause).filter(|_| finding.cause == Cause::Live)
}

/// The description of the type of a handle that was refused for this cause, where that is known: pages, and
/// their types, stay.
pub(crate) fn found(handle: u64, cause: Cause) -> Option<&'static TypeInfo> {
    let page = SPACE.page(handle);
    let was_there = !matches!(cause, Cause::Malformed | Cause::Unissued) && page.is_installed();
    // SAFETY(I2): it is installed.
    was_there.then(|| unsafe { page.named() })
}

#[inline]
fn look(space: &'static Space, handle: u64, wanted: Option<&'static TypeInfo>, want: Want) -> Finding {
    let generation = bits::generation(handle);
    let page = space.page(handle);
    let Some(link) = page.link_of(handle) else {
        return Finding::only(Cause::Unissued);
    };
    // SAFETY(I2): the page has the slot, so it is installed.
    let (slot, history, info) = unsafe { (page.any_slot(link), page.history(link), page.info()) };
    let (state, sites) = history.with_state(slot);
    // Performance: it is mostly the last handle of its slot.
    if state.is_vacant_after(generation) && sites.removed() != NO_SITE {
        return Finding { cause: Cause::Stale, sites };
    }
    if !page.was_issued(link, state, generation) {
        return Finding::only(Cause::Unissued);
    }
    if state.generation() != generation {
        return Finding::only(Cause::Stale);
    }
    let cause = match state.phase() {
        Phase::Vacant | Phase::Closed => Cause::Stale,
        Phase::Reserved => Cause::Reserved,
        Phase::Live => match wanted {
            None => Cause::Live,
            Some(wanted) if wanted.id() != info.id() => Cause::WrongType,
            Some(_) if matches!(want, Want::Set(id) if page.set_id() != id) => Cause::WrongRegistry,
            Some(_) if state.is_full() => Cause::TooManyHolds,
            Some(_) => Cause::Reserved,
        },
    };
    Finding { cause, sites }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::raw::history::NOWHERE;
    use crate::raw::registry::Owner;
    use std::panic::Location;

    #[test]
    fn s13_a_removed_handle_is_stale_also_where_the_table_of_lines_was_full() {
        /// A line that found no place.
        #[derive(Clone, Copy)]
        struct Unknown;
        impl crate::raw::site::Spot for Unknown {
            fn number(self) -> u32 {
                NOWHERE
            }
            fn known(self) -> Option<u32> {
                Some(NOWHERE)
            }
        }
        let owner = Owner::new(usize::MAX);
        let handle = owner.insert(7_u64, Unknown, || ()).map_err(drop).expect("there is room").get();
        assert_eq!(owner.remove(handle, Unknown), Some(true));
        assert_eq!(owner.explain(handle).cause, Cause::Stale);
    }

    #[test]
    fn s13_a_finding_has_the_thread_that_removed_the_handle() {
        let owner = Owner::new(usize::MAX);
        let insert =
            || owner.insert('x', Location::caller(), || ()).map_err(drop).expect("there is room").get();
        let handle = insert();
        let live = owner.explain(handle);
        let creator = live.thread().expect("it has a number");
        // Held, freed, and in use again.
        let held = owner.get(handle);
        let name = "remover".to_owned();
        std::thread::scope(|scope| {
            let remove = || owner.remove(handle, Location::caller());
            std::thread::Builder::new().name(name).spawn_scoped(scope, remove).expect("a thread starts");
        });
        let stale = owner.explain(handle);
        drop(held);
        for finding in [stale, owner.explain(handle)] {
            let remover = finding.thread().expect("it has a number");
            assert_ne!(remover, creator);
            assert!(
                cfg!(not(target_os = "linux")) || remover.to_string().ends_with("(remover)"),
                "{remover}"
            );
        }
        // Sooner or later the slot is used again.
        let _others: Vec<_> = (0..100).map(|_| insert()).collect();
        let finding = owner.explain(handle);
        assert_eq!((finding.cause, finding.thread()), (Cause::Stale, None));
    }
}
