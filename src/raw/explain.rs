//! What became of a handle that is not live here: the slow second look after a lookup or removal failed.

use super::bits;
use super::history::Sites;
use super::layout::TypeInfo;
use super::link::Link;
use super::lookup::Want;
use super::name::Thread;
use super::site::NO_SITE;
use super::slot::Phase;
use super::space::Space;
use super::thread::{SPACE, with_stay};
use std::any::TypeId;

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
    /// Issued and removed, and the registry dropped as well.
    Gone,
    /// Live, and nothing else was asked.
    Live,
    /// Live, of another type.
    WrongType,
    /// Live, in another registry.
    WrongRegistry,
    /// Live and right, but it has all the counted holds that there can be.
    TooManyHolds,
}

/// All that is known.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Finding {
    pub(crate) cause: Cause,
    pub(crate) found: Option<&'static TypeInfo>,
    /// The number of the site that created it.
    pub(crate) created: u32,
    /// The number of the site that removed it.
    pub(crate) removed: u32,
    /// Where it was removed, the thread that did that; where it is live, the one that created it.
    pub(crate) thread: Option<Thread>,
}

impl Finding {
    const fn only(cause: Cause) -> Self {
        Self { cause, found: None, created: NO_SITE, removed: NO_SITE, thread: None }
    }

    /// Adds the thread, where it is that of the creation or removal that the finding is about.
    fn by(&mut self, sites: Sites, known: bool) {
        if known {
            self.thread = Thread::of(sites.thread);
        }
    }
}

/// Explains a handle to someone who wanted it to be a live one of this type and set.
pub(crate) fn explain(handle: u64, wanted: Option<TypeId>, want: Want) -> Finding {
    if !bits::is_well_formed(handle) {
        return Finding::only(Cause::Malformed);
    }
    with_stay(handle, || look(&SPACE, handle, wanted, want))
}

/// The description of a live handle's type.
pub(crate) fn type_of(handle: u64) -> Option<&'static TypeInfo> {
    let finding = explain(handle, None, Want::Type);
    finding.found.filter(|_| finding.cause == Cause::Live)
}

/// The caller keeps the page at the handle's place, if there is one.
fn look(space: &Space, handle: u64, wanted: Option<TypeId>, want: Want) -> Finding {
    let (slot, generation) = (bits::slot(handle), bits::generation(handle));
    let entry = space.entry(handle);
    if !entry.gate().has_slot_of(handle) {
        return Finding::only(without_page(space, handle));
    }
    let page = entry.page();
    // SAFETY(I2): the caller keeps the page.
    let header = unsafe { page.header() };
    let was_issued = |last| header.was_issued(slot, generation, last);
    // Before the state (E13): where its owner is not removing it any more, it is closed.
    let is_going = entry.bias.is_going(handle);
    // SAFETY(I2): the caller keeps the page; the slot is within it.
    let (slot, history) = unsafe { (page.any_slot(Link::of(handle)), page.history(Link::of(handle))) };
    // The sites before the state: see the check below.
    let sites = history.sites();
    let state = slot.state();
    let found = Some(header.info);
    let mut finding = Finding { found, ..Finding::only(Cause::Unissued) };
    if state.is_untouched() {
        return Finding::only(without_page(space, handle));
    }
    if state.generation() != generation {
        // A reserved or live slot has issued its generation, a vacant one its last: all that is below is past.
        let own = header.is_own(bits::slot(handle), generation);
        finding.cause = match was_issued(state.generation()) {
            false => Cause::Unissued,
            true if own => Cause::Stale,
            true => Cause::Gone,
        };
        finding.found = finding.found.filter(|_| finding.cause == Cause::Stale);
        return finding;
    }
    // Acquire (E11): the state was read after the sites, and is still the one of this handle, so the sites are its own, or, where
    // the creator is between its two stores, those of the handle before, which was removed.
    match state.phase() {
        Phase::Reserved => finding.cause = Cause::Reserved,
        Phase::Vacant | Phase::Closed => {
            if !header.is_own(bits::slot(handle), generation) {
                // Primed, and never used in this page.
                return Finding::only(without_page(space, handle));
            }
            finding.cause = Cause::Stale;
            (finding.created, finding.removed) = (sites.created, sites.removed);
            finding.by(sites, sites.removed != NO_SITE);
        }
        Phase::Live => {
            finding.created = if sites.removed == 0 { sites.created } else { NO_SITE };
            finding.by(sites, sites.removed == NO_SITE);
            finding.cause = if is_going {
                Cause::Stale
            } else if wanted.is_none() {
                Cause::Live
            } else if wanted != Some(header.info.id) {
                Cause::WrongType
            } else if matches!(want, Want::Set(id) if space.set_id(handle) != id) {
                Cause::WrongRegistry
            } else if state.is_full() {
                Cause::TooManyHolds
            } else {
                Cause::Reserved
            };
        }
    }
    finding
}

fn without_page(space: &Space, handle: u64) -> Cause {
    if space.was_issued_before(handle) { Cause::Gone } else { Cause::Unissued }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::raw::registry::Owner;
    use std::panic::Location;

    #[test]
    fn s13_a_removed_handle_is_stale_also_where_the_table_of_lines_was_full() {
        /// A line that found no place.
        #[derive(Clone, Copy)]
        struct Unknown;
        impl crate::raw::site::Spot for Unknown {
            fn number(self) -> u32 {
                NO_SITE
            }
            fn known(self) -> Option<u32> {
                Some(NO_SITE)
            }
        }
        let owner = Owner::new(usize::MAX);
        let handle = owner.insert(7_u64, Unknown).map_err(drop).expect("there is room").get();
        assert_eq!(owner.remove(handle, Unknown), Some(true));
        assert_eq!(owner.explain(handle).cause, Cause::Stale);
    }

    #[test]
    fn s13_a_finding_has_the_thread_that_removed_the_handle() {
        let owner = Owner::new(usize::MAX);
        let insert = || owner.insert('x', Location::caller()).map_err(drop).expect("there is room").get();
        let handle = insert();
        let live = owner.explain(handle);
        let creator = live.thread.expect("it has a number");
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
            let remover = finding.thread.expect("it has a number");
            assert_ne!(remover, creator);
            assert!(
                cfg!(not(target_os = "linux")) || remover.to_string().ends_with("(remover)"),
                "{remover}"
            );
        }
        // Sooner or later the slot is used again.
        let _others: Vec<_> = (0..100).map(|_| insert()).collect();
        let finding = owner.explain(handle);
        assert_eq!((finding.cause, finding.thread), (Cause::Stale, None));
    }
}
