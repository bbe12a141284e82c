//! Lookup: publish the handle in a cell, look at the slot, and keep the cell as long as the value is used.

use super::bits;
use super::cells::{Cell, Record};
use super::entry::{Entry, Found};
use super::link::Link;
use super::remove::{self, Closed};
use super::space::Space;
use super::token::Token;
use super::unwind::quietly;
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
        unsafe { page.any_slot(Link::of(handle)) }.hold_again()
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

/// Looks a handle up: one store, then loads. `None` for everything that is not live, of that type, in that set.
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
    get_or(space, me, handle, want, Some, || None)
}

/// As [`get`], with what to do then.
///
/// Here is only what nearly every lookup goes through, and the first surprise leaves for [`get_again`] or [`get_slowly`] with nothing to
/// remember: so the fast path saves no registers. It goes on by itself when it has found the value: where it came together with the slow ones first, it
/// would be asked again what it has found.
#[inline(always)]
pub(crate) fn get_or<T: 'static, R>(
    space: &Space,
    me: &'static Record,
    handle: u64,
    want: Want,
    found: impl Fn(Hold<T>) -> R,
    or: impl FnOnce() -> R,
) -> R {
    let cell = Cell::first(me);
    let slowly = if !bits::is_well_formed(handle) || !cell.is_free() {
        get_slowly(space, me, handle, want)
    } else {
        if me.publish_plainly(cell.cell(), handle)
            // SAFETY(I2): the cell keeps the page from the moment it was published.
            && let Some(value) = unsafe { look::<T, false>(space, me, handle, want) }
        {
            return found(Hold { value, token: Token::cell_of(cell) });
        }
        get_again(space, me, handle, want)
    };
    slowly.map_or_else(or, found)
}

/// The rest of a lookup whose handle is in the first cell already.
#[cold]
#[inline(never)]
fn get_again<T: 'static>(space: &Space, me: &'static Record, handle: u64, want: Want) -> Option<Hold<T>> {
    get_with(space, me, Cell::new(me, 0), handle, want)
}

/// A lookup with whatever cell is free, or none.
#[cold]
#[inline(never)]
fn get_slowly<T: 'static>(space: &Space, me: &'static Record, handle: u64, want: Want) -> Option<Hold<T>> {
    if !bits::is_well_formed(handle) {
        return None;
    }
    match me.free_cell() {
        Some(cell) => get_with(space, me, cell, handle, want),
        None => get_counted(space, me, handle, want),
    }
}

/// A lookup with a cell that is this thread's to use.
fn get_with<T: 'static>(
    space: &Space,
    me: &'static Record,
    cell: Cell,
    handle: u64,
    want: Want,
) -> Option<Hold<T>> {
    me.publish(cell.cell(), handle);
    // SAFETY(I2): the cell keeps the page from the moment it was published.
    if let Some(value) = unsafe { look::<T, true>(space, me, handle, want) } {
        return Some(Hold { value, token: Token::cell_of(cell) });
    }
    give_up(space, me, cell);
    None
}

/// The value of a live handle. A thread that the slot does not know yet finds nothing, unless it may `JOIN`.
///
/// # Safety
///
/// A cell of `me` holds the handle, or the page is kept otherwise (I2).
#[inline(always)]
unsafe fn look<T: 'static, const JOIN: bool>(
    space: &Space,
    me: &Record,
    handle: u64,
    want: Want,
) -> Option<NonNull<T>> {
    let (entry, found) = find::<T>(space, handle, want)?;
    let page = found.page();
    // SAFETY(I2): the caller's promise; `find` has checked type and index.
    let slot = unsafe { page.slot::<T>(Link::of(handle)) };
    let state = slot.look(handle)?;
    let join = || JOIN && entry.bias.revoke(handle) && slot.join(bits::generation(handle), me.reader_bit());
    if !(found.knows(me, state) || join()) {
        return None;
    }
    slot.value.read();
    // SAFETY(I2): as above.
    Some(unsafe { page.value::<T>(Link::of(handle)) })
}

/// The entry of a handle and what is in it, if a page is there that has values of `T`, belongs to the wanted set, and has such a slot. The page is the caller's to
/// look at only if it keeps it (I2).
#[inline(always)]
fn find<T: 'static>(space: &Space, handle: u64, want: Want) -> Option<(&Entry, Found)> {
    let entry = space.entry(handle);
    let found = entry.look();
    let fits = found.gate.has_slot_of(handle)
        && match want {
            Want::Type => found.holds::<T>(),
            Want::Set(id) => found.gate.set_id() == id,
        };
    fits.then_some((entry, found))
}

/// Leaves by the same door as a guard: a remover may have counted the cell. Where this was the last hold of a removed value, its
/// drop may panic, and that goes no further: a lookup that fails does not panic (S3).
#[cold]
fn give_up(space: &Space, me: &'static Record, cell: Cell) {
    if let Some(owed) = cell.release_failed() {
        // SAFETY(I4): a remover counted this cell.
        quietly(|| unsafe { remove::give_back(space, owed, Some(me)) });
    }
}

/// The way for a thread whose cells are all taken: a count in the slot.
#[cold]
fn get_counted<T: 'static>(space: &Space, me: &'static Record, handle: u64, want: Want) -> Option<Hold<T>> {
    let stay = Stay::begin(me, handle);
    let (entry, found) = find::<T>(space, handle, want)?;
    let page = found.page();
    // SAFETY(I2): the transit cell keeps the page; `find` has checked type and index.
    let slot = unsafe { page.slot::<T>(Link::of(handle)) };
    if !(entry.is_owned_by(me) || entry.bias.revoke(handle)) {
        return None;
    }
    if slot.hold(bits::generation(handle)) != Some(true) {
        return None;
    }
    drop(stay);
    slot.value.read();
    // SAFETY(I2): the hold keeps the slot outstanding; type and index are checked.
    let value = unsafe { page.value::<T>(Link::of(handle)) };
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

/// Removes a handle of this thread's own that no other thread has touched, and on which it has no guard, without a locked instruction: whether it did. Otherwise [`close`] must be
/// called at once, with the same arguments: where another thread came in between, it finds the intent and ends it.
///
/// Only what nearly every such removal goes through, as in [`get`].
///
/// # Safety
///
/// Where `want` names a set, that set is in use and holds values of `T`. The caller has claimed `me`.
#[inline(always)]
pub(crate) unsafe fn remove_own<T: 'static>(
    space: &Space,
    me: &Record,
    handle: u64,
    want: Want,
    removed: u32,
) -> bool {
    let entry = space.entry(handle);
    let found = entry.look();
    // (Whether it is a handle at all is found out with the generation.)
    let fits = match want {
        Want::Type => found.gate.has_slot_of_unlimited_perpetual(handle) && found.holds::<T>(),
        Want::Set(id) => found.gate.has_slot_of(handle) && found.gate.is_of_set_without_limit(id),
    };
    if !fits || me.may_have_guards() {
        return false;
    }
    // SAFETY(I2): the page is of a set that is in use or never dropped; type and index are checked.
    unsafe { remove::own::<T>(entry, found, me, handle, removed) }
}

/// As [`remove_own`], of whatever type, in a set that is never dropped. Otherwise [`close_any`] must be called at once.
///
/// The caller has claimed `me`.
#[inline(always)]
pub(crate) fn remove_own_any(space: &Space, me: &Record, handle: u64, removed: u32) -> bool {
    let entry = space.entry(handle);
    let found = entry.look();
    if !found.gate.has_slot_of_unlimited_perpetual(handle) || me.may_have_guards() {
        return false;
    }
    // SAFETY(I2): the page is of a set that is never dropped; the index is checked.
    unsafe { remove::own_any(entry, found, me, handle, removed) }
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
        Want::Type => space.entry(handle).gate().is_perpetual(),
    };
    let stay = if stays { None } else { Some(Stay::begin(me, handle)) };
    // SAFETY(I2): the page is of a set that is in use or never dropped, or the transit cell keeps it; `find` has checked type and index.
    let winner = unsafe {
        let (entry, found) = find::<T>(space, handle, want)?;
        let (gate, page) = (found.gate, found.page());
        let slot = page.slot::<T>(Link::of(handle));
        remove::Winner::new(entry, gate, me, slot, handle)?
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
    let entry = space.entry(handle);
    let stays = entry.gate().is_perpetual();
    let stay = if stays { None } else { Some(Stay::begin(me, handle)) };
    let gate = entry.gate();
    if !gate.has_slot_of(handle) {
        return None;
    }
    // SAFETY(I2): the page is of a set that is never dropped, or the transit cell keeps it; the index is within it.
    let winner = unsafe {
        let slot = entry.page().any_slot(Link::of(handle));
        remove::Winner::new(entry, gate, me, slot, handle)?
    };
    drop(stay);
    Some(winner.finish(space, me, removed))
}
