//! Creation: pop a slot, write the value, open the slot.

use super::exhausted::Exhausted;
use super::history::Mark;
use super::page::Popped;
use super::record::Record;
use super::section::Section;
use super::set::Set;
use super::shard::Shard;
use std::mem::ManuallyDrop;
use std::num::NonZeroU64;

/// Writes the value into a popped slot and opens it. The new handle.
///
/// # Safety
///
/// The slot is the caller's, and its page has values of `T`.
#[inline(always)]
pub(crate) unsafe fn fill<T: 'static>(popped: Popped, value: T, by: Mark) -> NonZeroU64 {
    // Nothing touches the value once the slot is open: others may have found it by then.
    let value = ManuallyDrop::new(value);
    // SAFETY(I3): the caller's promise; the value moves, and is not used again.
    unsafe { open(popped, &raw const *value, by) };
    // SAFETY(I1): a handle is never zero. (Whoever asked again would pay for it.)
    unsafe { NonZeroU64::new_unchecked(popped.page.handle(popped.link, popped.generation)) }
}

/// Moves the value into a slot, and opens it. (From where it is: large values are not copied once more on
/// the way where nothing is optimised.)
///
/// # Safety
///
/// As for [`fill`]; the value is valid, and the caller does not use it any more.
#[inline(always)]
unsafe fn open<T: 'static>(Popped { page, memory, link, generation }: Popped, value: *const T, by: Mark) {
    // SAFETY(I2): popped slots are within the page; the type is the caller's promise.
    let ((slot, at), history) = unsafe { (memory.slot::<T>(link), memory.history(link)) };
    history.created(by);
    slot.value.write();
    // SAFETY(I3): the slot is vacant or reserved and the caller's, so nobody reads or writes its value.
    unsafe { at.as_ptr().copy_from_nonoverlapping(value, 1) };
    slot.open(generation, page.opens_with());
}

/// Pops a slot from a shard, refilled where it must be.
///
/// # Errors
///
/// No place is left in the table, or no memory.
///
/// # Safety
///
/// The caller owns the shard (I6), whose set has values of `T` and a registry.
pub(crate) unsafe fn pop<T>(shard: &Shard) -> Result<Popped, Exhausted> {
    let _section = Section::enter();
    if let Some(page) = shard.current() {
        // SAFETY(I6): the caller's promise.
        if let Some(popped) = unsafe { page.pop_again::<T>() } {
            return Ok(popped);
        }
    }
    loop {
        // SAFETY(I6): the caller's promise.
        let page = unsafe { shard.refill() }?;
        // SAFETY(I6): as above.
        if let Some(popped) = unsafe { page.pop_again::<T>() } {
            return Ok(popped);
        }
    }
}

/// A handle that is disclosed before its value is there. Dropping it unfilled gives the slot back, its generation used.
#[derive(Debug)]
pub(crate) struct Reservation<'a> {
    popped: Popped,
    set: &'a Set,
    me: Option<&'a Record>,
    /// Who reserved it, and where.
    by: Mark,
}

impl<'a> Reservation<'a> {
    /// Reserves a popped slot.
    ///
    /// # Safety
    ///
    /// The slot is the caller's, in a page of `set`, which counts it against its limit already.
    pub(crate) unsafe fn new(popped: Popped, set: &'a Set, me: Option<&'a Record>, by: Mark) -> Self {
        // SAFETY(I2): popped slots are within the page.
        unsafe { popped.page.any_slot(popped.link) }.reserve(popped.generation);
        Self { popped, set, me, by }
    }

    /// Says which record the thread has now that gives the reservation up.
    #[cfg(not(haft_loom))]
    pub(crate) fn belongs_to(&mut self, me: Option<&'a Record>) {
        self.me = me;
    }

    /// The handle that is to be.
    pub(crate) fn handle(&self) -> u64 {
        // SAFETY(I2): popped slots are in installed pages.
        unsafe { self.popped.page.handle(self.popped.link, self.popped.generation) }
    }

    /// Puts the value in; from now on lookups succeed, and so does a removal by anybody who was told the handle.
    ///
    /// # Safety
    ///
    /// The set holds values of `T`.
    pub(crate) unsafe fn fill<T: 'static>(self, value: T) -> u64 {
        let (popped, handle) = (self.popped, self.handle());
        let by = self.by;
        std::mem::forget(self);
        let value = ManuallyDrop::new(value);
        // SAFETY(I3): the slot is reserved and ours; the type is the caller's promise; the value moves.
        unsafe { open(popped, &raw const *value, by) };
        handle
    }
}

impl Drop for Reservation<'_> {
    fn drop(&mut self) {
        if self.set.is_limited() {
            self.set.count_out();
        }
        let Popped { page, link, generation, .. } = self.popped;
        // SAFETY(I2): popped slots are within the page.
        let slot = unsafe {
            page.history(link).given_up(self.by);
            page.any_slot(link)
        };
        // SAFETY(I8): popped, never opened, given back once.
        unsafe { page.give_back(slot, link, generation, self.me) };
    }
}
