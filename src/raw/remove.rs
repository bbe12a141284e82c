//! Removal: close the slot, find out who is inside, drop or leave it to the last one.
//!
//! 1. If nobody but this thread has looked the handle up, and it holds no guard of it, one exchange closes
//!    the slot, and the value is this thread's.
//! 2. Otherwise an exchange closes the slot with one hold, the remover's own. It looks at the cells of every
//!    thread that is announced in the word, and adds a hold for each cell that has the handle.
//! 3. It gives its own hold back. The last one to do so, a guard or the remover, drops the value.

use super::barrier;
use super::bits;
use super::find::{Value, Want, find, find_unlimited};
use super::history::Mark;
use super::link::Link;
use super::page::Page;
use super::record::{Record, SUMMONS};
use super::section::Section;
use super::slot::{Reader, Slot};
use super::space::Space;
use super::unwind::discard;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::ptr;

/// A closed slot whose value is the bearer's alone (I3), who ends it by one of the methods.
#[must_use = "neither the value is dropped nor the slot freed unless this is used"]
#[derive(Debug)]
pub(crate) struct Alone {
    page: &'static Page,
    slot: &'static Slot,
    handle: u64,
}

impl Alone {
    /// Drops the value, then frees the slot, also if the drop panics (S10).
    #[inline(always)]
    pub(crate) fn drop_value(self, me: Option<&Record>) {
        let free = Free { alone: self, me };
        // SAFETY(I3): closed, and this is the last hold.
        unsafe { free.alone.page.drop_value(Link::of(free.alone.handle)) };
    }

    /// As [`Alone::drop_value`], where the type is known.
    ///
    /// # Safety
    ///
    /// The page has values of `T`.
    #[inline(always)]
    pub(crate) unsafe fn drop_value_as<T>(self, me: Option<&Record>) {
        let free = Free { alone: self, me };
        free.alone.slot.value.write();
        if std::mem::needs_drop::<T>() {
            // SAFETY(I3): closed, and this is the last hold; the type is the caller's promise.
            unsafe { free.alone.page.memory().slot::<T>(Link::of(free.alone.handle)).1.drop_in_place() };
        }
    }

    /// Moves the value out and frees the slot.
    ///
    /// # Safety
    ///
    /// The page has values of `T`.
    #[inline(always)]
    pub(crate) unsafe fn take_value<T>(self, me: Option<&Record>) -> T {
        let free = Free { alone: self, me };
        free.alone.slot.value.write();
        // SAFETY(I3): closed, and this is the last hold; nobody reads the value after this.
        unsafe { free.alone.page.memory().slot::<T>(Link::of(free.alone.handle)).1.read() }
    }
}

struct Free<'a> {
    alone: Alone,
    me: Option<&'a Record>,
}

impl Drop for Free<'_> {
    #[inline(always)]
    fn drop(&mut self) {
        let Alone { page, slot, handle } = self.alone;
        // SAFETY(I8): the slot is closed, its value is gone, and the last hold is this one's, given up here.
        unsafe { page.give_back(slot, Link::of(handle), bits::generation(handle), self.me) };
    }
}

/// What became of a removal that won.
#[derive(Debug)]
pub(crate) enum Closed {
    /// Nobody else holds the value.
    Alone(Alone),
    /// Somebody holds it, and will drop it.
    Held,
}

impl Closed {
    /// Ends the value, if it is the bearer's.
    #[inline(always)]
    pub(crate) fn end<R>(self, end: impl FnOnce(Alone) -> R) -> Option<R> {
        match self {
            Self::Held => None,
            Self::Alone(alone) => Some(end(alone)),
        }
    }
}

/// Removes a handle of this thread's own page that nobody else has looked up, and of which it holds no
/// guard. Returns `None` if it is not such a handle: nothing has changed then, and [`close`] must be tried.
///
/// Only what nearly every such removal goes through. The caller has claimed `me`.
#[inline(always)]
pub(crate) fn remove_own<V: Value>(
    space: &'static Space,
    me: &Record,
    handle: u64,
    want: Want,
    removed: u32,
    end: impl FnOnce(Alone),
) -> bool {
    let Some((page, link)) = find_unlimited::<V>(space, handle, want) else {
        return false;
    };
    // SAFETY(I2): it is installed, and has the slot.
    let (is_mine, memory) = unsafe { (page.is_owned_by(me), page.memory()) };
    if !is_mine {
        return false;
    }
    // SAFETY(I2): as above; the type is checked, where it is known.
    let (slot, history) = unsafe { (V::slot(page, memory, link), memory.history(link)) };
    let state = slot.state();
    if !state.is_unshared(handle, me.only()) || me.holds(handle) {
        return false;
    }
    if V::NEEDS_NO_DROP {
        let _section = Section::enter();
        let freed = page.freed();
        // One exchange closes the slot and frees it.
        if !slot.vacate_unshared(state, handle, Link::from_word(freed)) {
            return false;
        }
        slot.value.write();
        history.removed(removed, stamp(me));
        // SAFETY(I8): unshared, and without anything to drop; this thread's own page.
        unsafe { page.push_own(link, freed) };
    } else {
        if !slot.close_unshared(state) {
            return false;
        }
        history.removed(removed, stamp(me));
        end(Alone { page, slot, handle });
    }
    true
}

/// Closes a handle: of all callers exactly one wins, and all others get `None` (S4).
///
/// Lock-free, but for the wait of [`Record::convert`]. If a thread has looked the handle up and has not been
/// looked at lately, it makes all threads pass a barrier. The caller has claimed `me`.
pub(crate) fn close<V: Value>(
    space: &'static Space,
    me: &'static Record,
    handle: u64,
    want: Want,
    removed: u32,
) -> Option<Closed> {
    let (page, _) = find::<V>(space, handle, want)?;
    close_found(space, me, page, handle, removed)
}

/// As [`close`], of a handle whose page has its slot.
#[inline(never)]
pub(crate) fn close_found(
    space: &'static Space,
    me: &'static Record,
    page: &'static Page,
    handle: u64,
    removed: u32,
) -> Option<Closed> {
    // SAFETY(I2): the page has the slot, so it is installed.
    let (slot, history, set) = unsafe {
        let link = Link::of(handle);
        (page.any_slot(link), page.history(link), page.shard().set)
    };
    let before = slot.close(handle)?;
    history.removed(removed, stamp(me));
    if page.is_limited() {
        set.count_out();
    }
    convert_others(space, me, before.reader(), handle, slot);
    if me.holds(handle) {
        me.convert_own(handle, slot);
    }
    let alone = Closed::Alone(Alone { page, slot, handle });
    if slot.is_alone() {
        return Some(alone);
    }
    set.defer();
    if slot.give_back() {
        set.undefer();
        return Some(alone);
    }
    Some(Closed::Held)
}

/// What will be remembered of the thread that has claimed the record. (A model has no threads with numbers,
/// and no clock.)
#[inline(always)]
#[cfg_attr(haft_loom, expect(unused_variables, reason = "see above"))]
fn stamp(me: &Record) -> Mark {
    #[cfg(haft_loom)]
    return 0;
    #[cfg(not(haft_loom))]
    super::history::stamp(me.who())
}

/// Shows every claimed record but `me` that may hold a handle, which is closed (E14).
#[inline(always)]
fn readers(space: &Space, me: &Record, announced: Reader, mut show: impl FnMut(&'static Record)) {
    let show = |record: &'static Record| {
        if !ptr::eq(record, me) {
            show(record);
        }
    };
    match announced.record() {
        Some(one) => space.records().claimed(one, show),
        None => space.records().each_claimed(show),
    }
}

/// Makes the slot, which is closed, count the readers in the cells of other threads.
fn convert_others(space: &Space, me: &Record, announced: Reader, handle: u64, slot: &'static Slot) {
    if announced == Reader::NOBODY || announced == me.only() {
        return;
    }
    // Those who must be told are, then one barrier serves them all.
    let mut needed = false;
    readers(space, me, announced, |record| {
        if record.revoke(handle) {
            needed = true;
        } else {
            record.convert(handle, slot);
        }
    });
    if !needed {
        return;
    }
    if !barrier::heavy() {
        // No barrier any more. Whose cells do not tell all must say so itself.
        return readers(space, me, announced, |record| {
            if !space.overdue().ask(record, handle, slot) {
                record.convert(handle, slot);
            }
        });
    }
    // Also in records that their threads have given up meanwhile: nobody else does it.
    match announced.record() {
        Some(one) => space.records().get(one).into_iter().for_each(|one| one.revoked(handle)),
        None => space.records().all().for_each(|record| record.revoked(handle)),
    }
    readers(space, me, announced, |record| record.convert(handle, slot));
}

/// Gives back one counted hold; the last one of a removed handle drops the value, on this thread (S6). Or, for
/// [`SUMMONS`], answers.
///
/// Lock-free, but for what the value's drop does.
///
/// # Safety
///
/// The caller owns a counted hold on the handle's slot, and gives it up.
#[cold]
pub(crate) unsafe fn give_back(space: &'static Space, handle: u64, me: Option<&'static Record>) {
    if handle == SUMMONS {
        return answer(space, me);
    }
    let page = space.page(handle);
    // SAFETY(I2): the handle was issued, so its page is installed and has the slot.
    let (slot, set) = unsafe { (page.any_slot(Link::of(handle)), page.shard().set) };
    if slot.give_back() {
        set.undefer();
        // Also if the drop panics.
        let _last = LastHold { space, handle };
        Alone { page, slot, handle }.drop_value(me);
    }
}

/// The last hold of a value that outlived its removal: when it goes, so has the value.
struct LastHold {
    space: &'static Space,
    handle: u64,
}

impl Drop for LastHold {
    fn drop(&mut self) {
        self.space.waits().tell(self.handle);
    }
}

/// Gives back the holds that removers without a barrier have left to this thread, or to threads that have gone.
#[cold]
pub(crate) fn answer(space: &'static Space, me: Option<&'static Record>) {
    let mut first = None;
    while let Some(handle) = space.overdue().next(me) {
        // SAFETY(I4): the hold that the remover left, which is given out once.
        let dropped = catch_unwind(AssertUnwindSafe(|| unsafe { give_back(space, handle, me) }));
        // All of them go, also where the drop of one panics (S10).
        match dropped {
            Err(payload) if first.is_none() => first = Some(payload),
            Err(payload) => discard(payload),
            Ok(()) => {}
        }
    }
    if let Some(payload) = first {
        resume_unwind(payload);
    }
}
