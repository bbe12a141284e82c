//! Lookup: publish the handle in a cell, look at the slot, and keep the cell as long as the value is used.

use super::bits;
use super::cells::{Cell, Record};
use super::layout::TypeInfo;
use super::page::PagePtr;
use super::remove::{self, Closed};
use super::slot::Slot;
use super::space::Space;
use super::token::Token;
use super::unwind::quietly;
use std::any::TypeId;
use std::ptr::NonNull;

/// A hold on a value: where it is, and what keeps it. Two words.
///
/// Its token must be given back with [`Token::release`]; until then the value stays (I4).
#[derive(Debug)]
pub(crate) struct Hold<T> {
    value: NonNull<T>,
    pub(crate) token: Token,
}

impl<T> Hold<T> {
    /// The value. It stays as long as the hold (I3, I4).
    #[inline]
    pub(crate) fn value(&self) -> &T {
        // SAFETY(I4): a hold keeps the value from being dropped or moved, and its phase is live or closed (I3).
        unsafe { self.value.as_ref() }
    }

    /// One more counted hold on the same value. `None` where all are taken.
    pub(crate) fn duplicate(&self, space: &Space) -> Option<Self> {
        let token = Token::counted(self.token.handle());
        self.token.hold_again(space).then_some(Self { value: self.value, token })
    }
}

impl Token {
    /// The handle that was looked up.
    #[inline]
    pub(crate) fn handle(&self) -> u64 {
        match self.cell() {
            Ok(cell) => cell.handle(),
            Err(handle) => handle,
        }
    }

    /// Lets go: one store where a cell holds it, mostly. The last holder of a removed handle drops the value.
    ///
    /// # Safety
    ///
    /// It is called once, and the token is not used afterwards. `me` is the record that this thread has claimed.
    #[inline(always)]
    pub(crate) unsafe fn release(&self, space: &Space, me: impl FnOnce() -> Option<&'static Record>) {
        // SAFETY(I4): the caller's promise.
        if let Some(owed) = unsafe { self.let_go() } {
            // SAFETY(I4): the hold was counted, by this thread or by a remover on its behalf.
            unsafe { remove::give_back(space, owed, me()) };
        }
    }

    /// Lets go: where the slot counts the hold, its handle, and the caller must give that hold back.
    ///
    /// # Safety
    ///
    /// As for [`Token::release`].
    #[inline(always)]
    pub(crate) unsafe fn let_go(&self) -> Option<u64> {
        match self.cell() {
            Ok(cell) => cell.release(),
            Err(handle) => Some(handle),
        }
    }

    /// Makes the hold a counted one, which any thread may give back. `false` where all counted holds are taken.
    pub(crate) fn count(&mut self, space: &Space, me: Option<&'static Record>) -> bool {
        let Ok(cell) = self.cell() else {
            return true;
        };
        let handle = cell.handle();
        if !self.hold_again(space) {
            return false;
        }
        *self = Self::counted(handle);
        // After the count (E5): whoever finds the cell free sees it.
        if let Some(owed) = cell.release() {
            // SAFETY(I4): a remover counted the cell; the new hold keeps this from being the last.
            unsafe { remove::give_back(space, owed, me) };
        }
        true
    }

    fn hold_again(&self, space: &Space) -> bool {
        let handle = self.handle();
        let Some(page) = space.page(handle) else {
            unreachable!("a page stays in the table while a slot of it is held");
        };
        // SAFETY(I2): this hold keeps the slot outstanding.
        unsafe { page.any_slot(bits::slot(handle)) }.hold_again()
    }
}

/// What a handle must be, apart from live.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Want {
    /// Of the type that is asked for, in whatever registry.
    Type,
    /// In the set with this identity, which is in use; so it has the type.
    Set(u64),
}

/// Looks a handle up: one exchange, then loads. `None` for everything that is not live, of that type, in that set.
///
/// Lock-free: it retries only when it is the first of its group to look the handle up and another thread changed the word.
/// The caller has claimed `me`.
#[inline(always)]
pub(crate) fn get<T: 'static>(
    space: &Space,
    me: &'static Record,
    handle: u64,
    want: Want,
) -> Option<Hold<T>> {
    if !bits::is_well_formed(handle) {
        return None;
    }
    let Some(cell) = me.free_cell() else {
        return get_counted(space, me, handle, want);
    };
    me.publish(cell.cell(), handle);
    // SAFETY(I2): the cell keeps the page from the moment it was published.
    if let Some(value) = unsafe { look(space, me, handle, want) } {
        return Some(Hold { value, token: Token::cell_of(cell) });
    }
    give_up(space, me, cell);
    None
}

/// # Safety
///
/// A cell of `me` holds the handle, or the page is kept otherwise (I2).
#[inline(always)]
unsafe fn look<T: 'static>(space: &Space, me: &Record, handle: u64, want: Want) -> Option<NonNull<T>> {
    // SAFETY(I2): the caller's promise, passed on.
    let page = unsafe { find::<T>(space, handle, want) }?;
    // SAFETY(I2): the caller's promise; `find` has checked type and index.
    let (header, slot) = unsafe { (page.header(), page.slot::<T>(bits::slot(handle))) };
    let state = slot.look(bits::generation(handle))?;
    if !std::ptr::eq(me, header.owner) && !state.has_reader(me.group()) {
        join(slot, handle, me)?;
    }
    slot.value.read();
    // SAFETY(I2): as above.
    Some(unsafe { page.value::<T>(bits::slot(handle)) })
}

#[cold]
#[inline(never)]
fn join(slot: &Slot, handle: u64, me: &Record) -> Option<()> {
    slot.join(bits::generation(handle), me.group()).then_some(())
}

/// The page of a handle, if it has values of `T`, belongs to the wanted set, and has such a slot.
///
/// # Safety
///
/// As for [`look`].
#[inline(always)]
unsafe fn find<T: 'static>(space: &Space, handle: u64, want: Want) -> Option<PagePtr> {
    if let Want::Set(id) = want
        && space.set_id(handle) != id
    {
        return None;
    }
    let page = space.page(handle)?;
    // SAFETY(I2): the caller's promise.
    let header = unsafe { page.header() };
    let fits = match want {
        // The description is mostly the same one, and an address is compared at once.
        Want::Type => std::ptr::eq(header.info, TypeInfo::of::<T>()) || header.type_id == TypeId::of::<T>(),
        Want::Set(_) => true,
    };
    (fits && bits::slot(handle) < header.ready()).then_some(page)
}

/// Leaves by the same door as a guard: a remover may have counted the cell. Where this was the last hold of a removed value, its
/// drop may panic, and that goes no further: a lookup that fails does not panic (S3).
#[cold]
fn give_up(space: &Space, me: &'static Record, cell: Cell) {
    if let Some(owed) = cell.release() {
        // SAFETY(I4): a remover counted this cell.
        quietly(|| unsafe { remove::give_back(space, owed, Some(me)) });
    }
}

/// The way for a thread whose cells are all taken: a count in the slot.
#[cold]
fn get_counted<T: 'static>(space: &Space, me: &'static Record, handle: u64, want: Want) -> Option<Hold<T>> {
    let stay = Stay::begin(me, handle);
    // SAFETY(I2): the transit cell keeps the page.
    let page = unsafe { find::<T>(space, handle, want) }?;
    // SAFETY(I2): as above; `find` has checked type and index.
    let slot = unsafe { page.slot::<T>(bits::slot(handle)) };
    if slot.hold(bits::generation(handle)) != Some(true) {
        return None;
    }
    drop(stay);
    slot.value.read();
    // SAFETY(I2): the hold keeps the slot outstanding; type and index are checked.
    let value = unsafe { page.value::<T>(bits::slot(handle)) };
    Some(Hold { value, token: Token::counted(handle) })
}

/// Gives a record up. The slots of guards that are left in it count them from now on: they let go without this thread, and without what the
/// next one does with the record. The caller has claimed it, and does not use it any more.
///
/// (A guard that cannot be counted, because there are millions of them, keeps the record for good.)
pub(crate) fn disclaim(space: &Space, me: &'static Record) {
    for (index, handle) in me.left_behind() {
        let token = Token::cell_of(Cell::new(me, index));
        if !token.hold_again(space) {
            return;
        }
        if me.note(index, handle) {
            // SAFETY(I4): a remover counted the cell as well; the new hold keeps this from being the last.
            unsafe { remove::give_back(space, handle, None) };
        }
    }
    me.disclaim();
}

/// A short stay of a page, not of a value, in the transit cell. Nothing of the user's runs during one.
#[derive(Debug)]
pub(crate) struct Stay<'a>(&'a Record);

impl<'a> Stay<'a> {
    /// Keeps whatever page is at the handle's place from now on (E9). The caller has claimed the record.
    #[inline]
    pub(crate) fn begin(me: &'a Record, handle: u64) -> Self {
        me.begin_stay(handle);
        Self(me)
    }
}

impl Drop for Stay<'_> {
    #[inline]
    fn drop(&mut self) {
        self.0.end_stay();
    }
}

/// Closes a handle of type `T`: see [`remove::close`]. The caller has claimed `me`.
///
/// # Safety
///
/// Where `want` names a set, that set is in use.
#[inline(always)]
pub(crate) unsafe fn close<T: 'static>(
    space: &Space,
    me: &Record,
    handle: u64,
    want: Want,
    removed: u32,
) -> Option<Closed> {
    if !bits::is_well_formed(handle) {
        return None;
    }
    let stays = match want {
        Want::Set(_) => true,
        Want::Type => super::set::is_perpetual(space.set_id(handle)),
    };
    let stay = if stays { None } else { Some(Stay::begin(me, handle)) };
    // SAFETY(I2): the page is of a set that is in use or never dropped, or the transit cell keeps it; `find` checks type and index.
    let winner = unsafe {
        let page = find::<T>(space, handle, want)?;
        remove::Winner::new(page, page.slot::<T>(bits::slot(handle)), handle)?
    };
    drop(stay);
    Some(winner.finish(space, me, removed))
}

/// Closes a handle of whatever type and set.
#[inline(always)]
pub(crate) fn close_any(space: &Space, me: &Record, handle: u64, removed: u32) -> Option<Closed> {
    if !bits::is_well_formed(handle) {
        return None;
    }
    let stays = super::set::is_perpetual(space.set_id(handle));
    let stay = if stays { None } else { Some(Stay::begin(me, handle)) };
    let page = space.page(handle)?;
    // SAFETY(I2): the page is of a set that is never dropped, or the transit cell keeps it; the index is within it.
    let winner = unsafe {
        if bits::slot(handle) >= page.header().ready() {
            return None;
        }
        remove::Winner::new(page, page.any_slot(bits::slot(handle)), handle)?
    };
    drop(stay);
    Some(winner.finish(space, me, removed))
}
