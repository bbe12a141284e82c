//! Removal: close the slot, find out who is inside, drop or leave it to the last one.

use super::bits;
use super::cells::Record;
use super::page::PagePtr;
use super::slot::Slot;
use super::space::Space;
use std::ptr::NonNull;

/// A closed slot whose value is the bearer's alone (I3), who ends it by one of the methods.
#[must_use = "neither the value is dropped nor the slot freed unless this is used"]
#[derive(Debug)]
pub(crate) struct Alone {
    page: PagePtr,
    slot: u32,
}

impl Alone {
    /// Drops the value, then frees the slot, also where the drop panics (S10).
    pub(crate) fn drop_value(self, me: Option<&Record>) {
        let free = Free { alone: self, me };
        // SAFETY(I3): closed, and this is the last hold.
        unsafe { free.alone.page.drop_value(free.alone.slot) };
    }

    /// As [`Alone::drop_value`], where the type is known.
    ///
    /// # Safety
    ///
    /// The page holds values of `T`.
    #[inline]
    pub(crate) unsafe fn drop_value_as<T>(self, me: Option<&Record>) {
        let free = Free { alone: self, me };
        // SAFETY(I2): the slot is outstanding; the type is the caller's promise.
        unsafe { free.alone.page.slot::<T>(free.alone.slot) }.value.write();
        // SAFETY(I3): closed, and this is the last hold; the type is the caller's promise.
        unsafe { free.alone.page.value::<T>(free.alone.slot).drop_in_place() };
    }

    /// Moves the value out and frees the slot.
    ///
    /// # Safety
    ///
    /// The page holds values of `T`.
    #[inline]
    pub(crate) unsafe fn take_value<T>(self, me: Option<&Record>) -> T {
        let free = Free { alone: self, me };
        // SAFETY(I2): the slot is outstanding; the type is the caller's promise.
        unsafe { free.alone.page.slot::<T>(free.alone.slot) }.value.write();
        // SAFETY(I3): closed, and this is the last hold; nobody reads the value after this.
        unsafe { free.alone.page.value::<T>(free.alone.slot).read() }
    }
}

struct Free<'a> {
    alone: Alone,
    me: Option<&'a Record>,
}

impl Drop for Free<'_> {
    #[inline]
    fn drop(&mut self) {
        // SAFETY(I8): the slot is closed, its value is gone, and the last hold is this one's, given up here.
        unsafe { self.alone.page.give_back(self.alone.slot, self.me) };
    }
}

/// Closes a handle: `None` where it is not live (any more), `Some(None)` where somebody holds the value and will drop it.
///
/// Lock-free: a retry means that another thread changed the state word. Looks at seven cells of the page's owner and of each
/// record in the groups that have looked this handle up.
///
/// # Safety
///
/// The page stays until the slot is closed (I2); `slot` is the handle's slot in it.
#[inline]
pub(crate) unsafe fn close(
    space: &Space,
    page: PagePtr,
    slot: &Slot,
    handle: u64,
    removed: u32,
) -> Option<Option<Alone>> {
    // SAFETY(I2): the caller's promise, and from the close on the slot is outstanding until this hold is given back.
    let header = unsafe { page.header() };
    let before = slot.close(bits::generation(handle))?;
    slot.set_removed(removed);
    if header.limited {
        // SAFETY(I2): a set outlives its shards, and a shard its outstanding slots.
        unsafe { header.shard.as_ref().set.as_ref() }.count_out();
    }
    header.owner.convert(handle, slot);
    if before.readers() != 0 {
        convert_readers(space, before.readers(), handle, slot);
    }
    let alone = Alone { page, slot: bits::slot(handle) };
    if slot.is_alone() {
        return Some(Some(alone));
    }
    // SAFETY(I2): the slot is outstanding.
    Some(unsafe { leave(alone, slot) })
}

#[cold]
fn convert_readers(space: &Space, readers: u32, handle: u64, slot: &Slot) {
    let mut left = readers;
    while left != 0 {
        for record in space.records(left.trailing_zeros()) {
            record.convert(handle, slot);
        }
        left &= left - 1;
    }
}

/// # Safety
///
/// The slot is closed and outstanding, and the caller has a hold on it.
#[cold]
unsafe fn leave(alone: Alone, slot: &Slot) -> Option<Alone> {
    // SAFETY(I2): the slot is outstanding.
    let set = unsafe { set_of(alone.page) };
    // SAFETY(I2): a set outlives its outstanding slots.
    unsafe { set.as_ref() }.defer();
    // Only the last hold keeps page and set from going, so what follows for the others is nothing.
    if slot.give_back() {
        // SAFETY(I2): this was the last hold, so the slot is outstanding until it is freed.
        unsafe { set.as_ref() }.undefer();
        return Some(alone);
    }
    None
}

/// # Safety
///
/// A slot of the page is outstanding, or its registry is in use.
unsafe fn set_of(page: PagePtr) -> NonNull<super::set::Set> {
    // SAFETY(I2): the caller's promise.
    unsafe { page.header().shard.as_ref().set }
}

/// As [`close`], whatever the type.
///
/// # Safety
///
/// The page stays until the slot is closed (I2), and the handle's slot is within it.
pub(crate) unsafe fn close_any(
    space: &Space,
    page: PagePtr,
    handle: u64,
    removed: u32,
) -> Option<Option<Alone>> {
    // SAFETY(I2): the caller's promise.
    unsafe { close(space, page, page.any_slot(bits::slot(handle)), handle, removed) }
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
    let slot = bits::slot(handle);
    // SAFETY(I2): the slot is outstanding because of the caller's hold.
    if unsafe { page.any_slot(slot) }.give_back() {
        // SAFETY(I2): this was the last hold, so the slot is outstanding until it is freed.
        unsafe { set_of(page).as_ref() }.undefer();
        Alone { page, slot }.drop_value(me);
    }
}
