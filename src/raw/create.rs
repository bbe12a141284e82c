//! Creation: pop a slot, write the value, open the slot.

use super::cells::Record;
use super::history::Mark;
use super::page::Popped;
use super::set::Set;
use super::shard::{Exhausted, Shard};
use super::word;
use std::num::NonZeroU64;

/// Writes the value into a popped slot and opens it. The new handle.
///
/// # Safety
///
/// The slot is the caller's, its page holds values of `T` and stays (I2).
#[inline(always)]
pub(crate) unsafe fn fill<T: 'static>(popped: Popped, value: T, by: Mark) -> NonZeroU64 {
    let Popped { page, link, generation } = popped;
    // SAFETY(I3): the caller's promise; the value moves, and is not used again.
    unsafe { open(popped, &raw const value) };
    std::mem::forget(value);
    // SAFETY(I2): the caller's promise; popped slots are within the page. After the state (E11).
    let (header, history) = unsafe { (page.header(), page.history(link)) };
    history.created(by);
    // SAFETY(I1): a handle is never zero. (Whoever asked again would pay for it.)
    unsafe { NonZeroU64::new_unchecked(header.handle(link, generation)) }
}

/// Moves the value into a slot, and opens it. (From where it is: large values are not copied once more on the way where nothing is optimised.)
///
/// # Safety
///
/// As for [`fill`]; the value is valid, and the caller does not use it any more.
#[inline(always)]
unsafe fn open<T: 'static>(Popped { page, link, generation }: Popped, value: *const T) {
    // SAFETY(I2): the caller's promise; popped slots are within the page.
    let slot = unsafe { page.slot::<T>(link) };
    // SAFETY(I3): the slot is vacant or reserved and the caller's, so nobody reads or writes its value, but for copies of words.
    unsafe { word::write(slot, page.value::<T>(link), value) };
    slot.open(generation);
}

/// Pops a slot from a shard, refilled where it must be.
///
/// # Errors
///
/// No place is left in the table, or no memory.
///
/// # Safety
///
/// The caller owns the shard (I6), whose set is in use and holds values of `T`.
pub(crate) unsafe fn pop<T>(shard: &Shard) -> Result<Popped, Exhausted> {
    if let Some(page) = shard.current() {
        // SAFETY(I6): the caller's promise; pages stay as long as their set.
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
        // SAFETY(I2): pages stay as long as their set.
        unsafe { popped.page.any_slot(popped.link) }.reserve(popped.generation);
        Self { popped, set, me, by }
    }

    /// The handle that is to be.
    pub(crate) fn handle(&self) -> u64 {
        // SAFETY(I2): pages stay as long as their set.
        unsafe { self.popped.page.header() }.handle(self.popped.link, self.popped.generation)
    }

    /// Puts the value in; from now on lookups succeed, and so does a removal by anybody who was told the handle.
    ///
    /// # Safety
    ///
    /// The set holds values of `T`.
    pub(crate) unsafe fn fill<T: 'static>(self, value: T) -> u64 {
        let (popped, handle) = (self.popped, self.handle());
        // SAFETY(I2): pages stay as long as their set. After the state, which is reserved (E11), and before it is open: what a remover stores stays.
        unsafe { popped.page.history(popped.link) }.created(self.by);
        std::mem::forget(self);
        // SAFETY(I3): the slot is reserved and ours; the type is the caller's promise; the value moves.
        unsafe { open(popped, &raw const value) };
        std::mem::forget(value);
        handle
    }
}

impl Drop for Reservation<'_> {
    fn drop(&mut self) {
        if self.set.limit != usize::MAX {
            self.set.count_out();
        }
        let Popped { page, link, generation } = self.popped;
        // SAFETY(I2): pages stay as long as their set.
        let slot = unsafe {
            page.history(link).given_up(self.by);
            page.any_slot(link)
        };
        // SAFETY(I8): popped, never opened, given back once.
        unsafe { page.give_back(slot.into(), link, generation, self.me) };
    }
}
