//! Removal: close the slot, find out who is inside, drop or leave it to the last one.

use super::barrier;
use super::bits;
use super::cells::{Orphans, Record};
use super::entry::{Entry, Found, Gate};
use super::history::Mark;
use super::link::Link;
use super::page::PagePtr;
use super::slot::{Slot, State};
use super::space::Space;
use super::unwind::quietly;
use std::ptr::NonNull;

/// A closed slot whose value is the bearer's alone (I3), who ends it by one of the methods.
#[must_use = "neither the value is dropped nor the slot freed unless this is used"]
#[derive(Debug)]
pub(crate) struct Alone {
    page: PagePtr,
    slot: NonNull<Slot>,
    handle: u64,
}

impl Alone {
    /// Drops the value, then frees the slot, also where the drop panics (S10).
    ///
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
    /// The page holds values of `T`.
    #[inline]
    pub(crate) unsafe fn drop_value_as<T>(self, me: Option<&Record>) {
        let free = Free { alone: self, me };
        free.alone.slot().value.write();
        // SAFETY(I3): closed, and this is the last hold; the type is the caller's promise.
        unsafe { free.alone.page.value::<T>(Link::of(free.alone.handle)).drop_in_place() };
    }

    /// Moves the value out and frees the slot.
    ///
    /// # Safety
    ///
    /// The page holds values of `T`.
    #[inline]
    pub(crate) unsafe fn take_value<T>(self, me: Option<&Record>) -> T {
        let free = Free { alone: self, me };
        free.alone.slot().value.write();
        // SAFETY(I3): closed, and this is the last hold; nobody reads the value after this.
        unsafe { free.alone.page.value::<T>(Link::of(free.alone.handle)).read() }
    }

    #[inline]
    fn slot(&self) -> &Slot {
        // SAFETY(I2): the slot is outstanding.
        unsafe { self.slot.as_ref() }
    }
}

struct Free<'a> {
    alone: Alone,
    me: Option<&'a Record>,
}

impl Drop for Free<'_> {
    #[inline]
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
    /// Drops the value, if it is the bearer's: whether it was.
    #[inline(always)]
    pub(crate) fn drop_value(self, me: Option<&Record>) -> bool {
        match self {
            Self::Held => false,
            Self::Alone(alone) => {
                alone.drop_value(me);
                true
            }
        }
    }

    /// As [`Closed::drop_value`], where the type is known.
    ///
    /// # Safety
    ///
    /// The page holds values of `T`.
    #[inline(always)]
    pub(crate) unsafe fn drop_value_as<T>(self, me: Option<&Record>) -> bool {
        match self {
            Self::Held => false,
            Self::Alone(alone) => {
                // SAFETY(I3): the caller's promise.
                unsafe { alone.drop_value_as::<T>(me) };
                true
            }
        }
    }

    /// Moves the value out, if it is the bearer's.
    ///
    /// # Safety
    ///
    /// The page holds values of `T`.
    #[inline(always)]
    pub(crate) unsafe fn take_value<T>(self, me: Option<&Record>) -> Option<T> {
        match self {
            Self::Held => None,
            // SAFETY(I3): the caller's promise.
            Self::Alone(alone) => Some(unsafe { alone.take_value::<T>(me) }),
        }
    }
}

/// Who closed a handle, and now has to find out who is inside. The slot is outstanding, so the page stays (I2).
#[must_use = "the value is neither dropped nor left to its holders until this is finished"]
#[derive(Debug)]
pub(crate) struct Winner {
    page: PagePtr,
    slot: NonNull<Slot>,
    handle: u64,
    /// The last live state: who has looked the handle up, and how many count themselves.
    before: State,
    /// Whether the page is the closing thread's own.
    own: bool,
    limited: bool,
}

impl Winner {
    /// Closes a handle: `None` where it is not live (any more). Lock-free: a retry means that another thread changed the state word.
    ///
    /// # Safety
    ///
    /// The page of `entry`, whose gate was open, stays until the slot is closed (I2); `slot` is the handle's slot in it.
    #[inline(always)]
    pub(crate) unsafe fn new(
        entry: &Entry,
        gate: Gate,
        me: &Record,
        slot: &Slot,
        handle: u64,
    ) -> Option<Self> {
        let own = entry.is_owned_by(me);
        let before = match close_plainly(entry, me, slot, handle) {
            Some(before) => before,
            None => close_by_exchange(entry, me, slot, handle, own)?,
        };
        let limited = gate.is_limited();
        Some(Self { page: entry.page(), slot: NonNull::from(slot), handle, before, own, limited })
    }

    /// Looks at the cells of the page's owner and of the records in the groups that have looked this handle up.
    ///
    /// Lock-free. Where one of these records is another thread's and has not been looked at lately, it makes all threads pass a barrier.
    #[inline(always)]
    pub(crate) fn finish(self, space: &Space, me: &Record, removed: u32) -> Closed {
        let Self { page, slot: place, handle, before, own, limited } = self;
        // SAFETY(I2): the slot is outstanding until this hold is given back.
        let slot = unsafe { place.as_ref() };
        // SAFETY(I2): as above.
        unsafe { page.history(Link::of(handle)) }.removed(removed, stamp(me));
        if limited {
            // SAFETY(I2): the slot is outstanding.
            unsafe { set_of(page).as_ref() }.count_out();
        }
        let alone = Closed::Alone(Alone { page, slot: place, handle });
        if own && before.is_quiet() {
            // Nobody else has looked it up, so only this thread's own guards are left.
            if !me.holds(handle) {
                return alone;
            }
            me.convert_own(handle, slot);
        } else {
            // SAFETY(I2): the slot is outstanding.
            let owner = unsafe { page.header() }.owner;
            convert_all(space, owner, me, before.readers(), handle, slot);
        }
        // SAFETY(I2): the slot is outstanding.
        if slot.is_alone() || unsafe { leave(page, slot) } {
            return alone;
        }
        Closed::Held
    }
}

/// See [`remove_own`](super::lookup::remove_own): the part that looks at the slot.
///
/// # Safety
///
/// What was `found` in the entry is a page, whose gate was open; it holds values of `T`, has the handle's slot, and is of a set that is in use, without a limit. The caller has claimed `me`, and
/// no guard.
#[inline(always)]
pub(super) unsafe fn own<T>(entry: &Entry, found: Found, me: &Record, handle: u64, removed: u32) -> bool {
    let (page, link) = (found.page(), Link::of(handle));
    // SAFETY(I2): the caller's promise.
    let (header, slot) = unsafe { (page.header(), page.slot::<T>(link)) };
    // SAFETY(I2): as above.
    let history = unsafe { page.history(link) };
    if !header.goes_on_after(handle) || !found.is_biased_to(me) || !intend(entry, me, slot, handle) {
        return false;
    }
    if std::mem::needs_drop::<T>() {
        slot.close_plainly(bits::generation(handle));
        me.end_stay();
        history.removed(removed, stamp(me));
        // SAFETY(I3): closed, and nobody else has looked it up or holds it; the type is the caller's promise.
        unsafe { Alone { page, slot: NonNull::from(slot), handle }.drop_value_as::<T>(Some(me)) };
    } else {
        slot.value.write();
        // One store closes the slot and frees it. The set is in use, so the page stays afterwards.
        // SAFETY(I8): quiet, biased to this thread, and without anything to drop; this thread's own page.
        unsafe { page.give_back_own(slot, link, bits::generation_and_bit(handle)) };
        me.end_stay();
        history.removed(removed, stamp(me));
    }
    true
}

/// See [`remove_own_any`](super::lookup::remove_own_any): the part that looks at the slot. As [`own`], for values of whatever type.
///
/// # Safety
///
/// As for [`own`].
#[inline(always)]
pub(super) unsafe fn own_any(entry: &Entry, found: Found, me: &Record, handle: u64, removed: u32) -> bool {
    let (page, link) = (found.page(), Link::of(handle));
    // SAFETY(I2): the caller's promise.
    let (header, slot) = unsafe { (page.header(), page.any_slot(link)) };
    if !header.goes_on_after(handle) || !found.is_biased_to(me) || !intend(entry, me, slot, handle) {
        return false;
    }
    slot.close_plainly(bits::generation(handle));
    me.end_stay();
    // SAFETY(I2): the slot is outstanding.
    unsafe { page.history(link) }.removed(removed, stamp(me));
    Alone { page, slot: NonNull::from(slot), handle }.drop_value(Some(me));
    true
}

/// Closes a quiet slot of a page that is biased to this thread, without a locked instruction: the last live state, `None` where that cannot be.
#[inline(always)]
fn close_plainly(entry: &Entry, me: &Record, slot: &Slot, handle: u64) -> Option<State> {
    let generation = bits::generation(handle);
    if !entry.bias.is_for(me) || !intend(entry, me, slot, handle) {
        return None;
    }
    slot.close_plainly(generation);
    me.end_stay();
    Some(State::quietly_live(generation))
}

/// Says that this thread is about to remove a quiet handle in a page that was biased to it a moment ago, if it is so still: from then on the handle is as good as
/// removed, by this thread or, where this says `false`, by whoever is first. The intent has to be ended.
#[inline(always)]
fn intend(entry: &Entry, me: &Record, slot: &Slot, handle: u64) -> bool {
    if !slot.state().is_quietly_live_as(handle) {
        return false;
    }
    me.begin_intent(handle);
    // E13: the intent, then the bias.
    entry.bias.is_for(me)
}

/// Closes a slot that others may close as well.
#[cold]
#[inline(never)]
fn close_by_exchange(entry: &Entry, me: &Record, slot: &Slot, handle: u64, own: bool) -> Option<State> {
    let before = if own || entry.bias.revoke(handle) { slot.close(bits::generation(handle)) } else { None };
    if me.intent().is_some() {
        // The bias was lost in the middle of `close_plainly`.
        me.end_stay();
    }
    before
}

/// What will be remembered of the thread that has claimed the record. (A model has no threads with numbers, and no clock.)
#[inline(always)]
#[cfg_attr(haft_loom, expect(unused_variables, reason = "see above"))]
fn stamp(me: &Record) -> Mark {
    #[cfg(haft_loom)]
    return 0;
    #[cfg(not(haft_loom))]
    super::history::stamp(me.who())
}

/// Shows every record that may hold the handle, which is closed (E14).
#[inline(always)]
fn candidates(space: &Space, owner: &'static Record, readers: u32, mut show: impl FnMut(&'static Record)) {
    show(owner);
    space.each_claimed(readers, |record| {
        // The owner is in one of the groups as well, and must not be converted twice: its debts would be taken for those of others.
        if !std::ptr::eq(record, owner) {
            show(record);
        }
    });
}

#[inline(never)]
fn convert_all(space: &Space, owner: &'static Record, me: &Record, readers: u32, handle: u64, slot: &Slot) {
    // Every record is revoked, then one barrier serves them all.
    let mut needed = false;
    candidates(space, owner, readers, |record| {
        needed |= !std::ptr::eq(record, me) && record.revoke(handle);
    });
    if needed {
        if barrier::heavy() {
            end_revocation(space, owner, readers, handle);
        } else {
            // No barrier any more, so there is no telling who holds the value: it is never dropped.
            slot.hold_for_reader();
        }
    }
    let mut orphans = Orphans::default();
    candidates(space, owner, readers, |record| {
        if record.find(handle).is_none() {
            return;
        }
        if std::ptr::eq(record, me) {
            record.convert_own(handle, slot);
        } else {
            record.convert(handle, slot, &mut orphans);
        }
    });
    for other in orphans.take() {
        // Somebody else's value may be dropped here, and its drop may panic; this removal goes on all the same.
        // SAFETY(I4): the debt stood for a counted hold, and was cleared by this thread.
        quietly(|| unsafe { give_back(space, other, Some(me)) });
    }
}

/// Ends the revocation also in those records that their threads have given up meanwhile: nobody else does.
#[cold]
fn end_revocation(space: &Space, owner: &'static Record, readers: u32, handle: u64) {
    owner.revoked(handle);
    let groups = (0..super::slot::READER_GROUPS).filter(|group| readers & 1 << group != 0);
    groups.flat_map(|group| space.records(group)).for_each(|record| record.revoked(handle));
}

/// Gives the remover's own hold back: `true` where it was the last one after all.
///
/// # Safety
///
/// The slot is closed and outstanding, and the caller has a hold on it, which it gives up.
#[cold]
unsafe fn leave(page: PagePtr, slot: &Slot) -> bool {
    // SAFETY(I2): the slot is outstanding.
    let set = unsafe { set_of(page) };
    // SAFETY(I2): a set outlives its outstanding slots.
    unsafe { set.as_ref() }.defer();
    // Only the holds keep page and set from going: where this was not the last, neither is touched again.
    let last = slot.give_back();
    if last {
        // SAFETY(I2): this was the last hold, so the slot is outstanding until it is freed.
        unsafe { set.as_ref() }.undefer();
    }
    last
}

/// # Safety
///
/// A slot of the page is outstanding, or its registry is in use.
unsafe fn set_of(page: PagePtr) -> NonNull<super::set::Set> {
    // SAFETY(I2): the caller's promise.
    unsafe { page.header().shard.as_ref().set }
}

/// Gives back one counted hold; the last one of a removed handle drops the value, on this thread (S6).
///
/// Lock-free, but for what the value's drop does.
///
/// # Safety
///
/// The caller owns a counted hold on the handle's slot, and gives it up.
#[cold]
pub(crate) unsafe fn give_back(space: &Space, handle: u64, me: Option<&Record>) {
    let Some(page) = space.page(handle) else {
        unreachable!("a page stays in the table while a slot of it is held");
    };
    // SAFETY(I2): the slot is outstanding because of the caller's hold.
    let slot = unsafe { page.any_slot(Link::of(handle)) };
    if slot.give_back() {
        // SAFETY(I2): this was the last hold, so the slot is outstanding until it is freed.
        unsafe { set_of(page).as_ref() }.undefer();
        Alone { page, slot: NonNull::from(slot), handle }.drop_value(me);
    }
}
