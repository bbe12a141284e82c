//! Lookup: look, publish, look again.
//!
//! 1. Look at the page and at the slot. If the handle is not live, fail: nothing was written (S16).
//! 2. Announce the thread in the slot's word, if it is not there yet.
//! 3. Write the handle in a free cell of the thread's record.
//! 4. Look at the slot again. If the handle is live, the cell keeps the value from now on.
//!
//! If the handle was closed between 1 and 4, the lookup overlaps a removal. If the remover has counted it,
//! it *has* the value, and returns a guard as if it had come a moment earlier. If not, it fails, and nobody
//! has noticed. No user code runs in a lookup.

use super::find::{Typed, Value, Want, find};
use super::link::Link;
use super::record::{Cell, Record};
use super::remove;
use super::slot::{Reader, Slot};
use super::space::Space;
use super::token::Token;
use crate::sync::{Ordering, fence};
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
        // SAFETY(I4): a hold keeps the value from being dropped or moved, and its phase is live or closed
        // (I3).
        unsafe { self.value.as_ref() }
    }

    /// One more counted hold on the same value. `None` if all are taken.
    pub(crate) fn duplicate(&self, space: &'static Space) -> Option<Self> {
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

    /// Lets go: one store where a cell holds it, mostly. The last holder of a removed handle drops the
    /// value.
    ///
    /// # Safety
    ///
    /// It is called once, and the token is not used afterwards. `me` is the record that this thread has
    /// claimed.
    #[inline(always)]
    pub(crate) unsafe fn release(&self, space: &'static Space, me: impl FnOnce() -> Option<&'static Record>) {
        // SAFETY(I4): the caller's promise.
        if let Some(owed) = unsafe { self.let_go() } {
            // SAFETY(I4): the hold was counted, by this thread or by a remover on its behalf.
            unsafe { remove::give_back(space, owed, me()) };
        }
    }

    /// Lets go. If the slot counts the hold, returns the handle, and the caller must give that hold back.
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

    /// Makes the hold a counted one, which any thread may give back. `false` if all counted holds are
    /// taken.
    pub(crate) fn count(&mut self, space: &'static Space, me: Option<&'static Record>) -> bool {
        let Ok(cell) = self.cell() else {
            return true;
        };
        let handle = cell.handle();
        if !self.hold_again(space) {
            return false;
        }
        *self = Self::counted(handle);
        // After the count (E5): a remover that finds the cell free sees it.
        if let Some(owed) = cell.release() {
            // SAFETY(I4): a remover counted the cell; the new hold keeps this from being the last.
            unsafe { remove::give_back(space, owed, me) };
        }
        true
    }

    fn hold_again(&self, space: &'static Space) -> bool {
        let handle = self.handle();
        // SAFETY(I2): the handle was issued, so its page is installed and has the slot.
        unsafe { space.page(handle).any_slot(Link::of(handle)) }.hold_again()
    }
}

/// Looks a handle up: one store, then loads. `None` for everything that is not live, of that type, in that
/// registry.
///
/// Lock-free: it retries only when it announces the thread and another thread changed the word. The caller
/// has claimed `me`.
#[inline(always)]
pub(crate) fn get<T: 'static>(
    space: &'static Space,
    me: &'static Record,
    handle: u64,
    want: Want,
) -> Option<Hold<T>> {
    get_or(space, me, handle, want, Some, || None)
}

/// As [`get`], with what to do then.
///
/// Performance: it goes on by itself when it has found the value, so nothing is asked twice, and leaves for
/// [`get_slowly`] at the first surprise with nothing to remember, so the fast path saves no registers.
#[inline(always)]
pub(crate) fn get_or<T: 'static, R>(
    space: &'static Space,
    me: &'static Record,
    handle: u64,
    want: Want,
    found: impl Fn(Hold<T>) -> R,
    or: impl FnOnce() -> R,
) -> R {
    let Some((page, link)) = find::<Typed<T>>(space, handle, want) else {
        return or();
    };
    // SAFETY(I2): it is installed, of that type, and has the slot.
    let (slot, value) = unsafe { page.memory().slot::<T>(link) };
    let mut cell = Cell::first(me);
    if !cell.is_free() {
        match me.free_cell() {
            Some(free) => cell = free,
            None => return get_slowly(slot, value, me, handle).map_or_else(or, found),
        }
    }
    let (state, live) = (slot.state(), me.reader().live(handle));
    // Performance: one comparison, mostly.
    let is_announced = state.is(live) || {
        if !state.is_live_as(live) {
            return or();
        }
        state.knows(me.reader()) || slot.announce_first(state, me.reader())
    };
    if !is_announced {
        return get_slowly(slot, value, me, handle).map_or_else(or, found);
    }
    me.publish(cell, handle);
    if !slot.look(live) {
        return give_up(slot, value, cell, handle).map_or_else(or, found);
    }
    slot.value.read();
    found(Hold { value, token: Token::cell_of(cell) })
}

/// Returns `true` if a handle is live, of that type, in that registry: loads alone, and no effect (S16).
///
/// Wait-free.
#[inline]
pub(crate) fn is_live<V: Value>(space: &'static Space, handle: u64, want: Want) -> bool {
    find::<V>(space, handle, want).is_some_and(|(page, link)| {
        // SAFETY(I2): it is installed, has such values, and has the slot.
        let slot = unsafe { V::slot(page, page.memory(), link) };
        slot.state().is_live_as(Reader::NOBODY.live(handle))
    })
}

/// A lookup by a thread that the slot does not know yet, or whose cells are all taken.
#[cold]
#[inline(never)]
fn get_slowly<T>(
    slot: &'static Slot,
    value: NonNull<T>,
    me: &'static Record,
    handle: u64,
) -> Option<Hold<T>> {
    let Some(cell) = me.free_cell() else {
        return match slot.hold(handle) {
            Some(true) => Some(counted(slot, value, handle)),
            _ => None,
        };
    };
    if !slot.announce(handle, me.reader()) {
        return None;
    }
    me.publish(cell, handle);
    if !slot.look(me.reader().live(handle)) {
        return give_up(slot, value, cell, handle);
    }
    slot.value.read();
    Some(Hold { value, token: Token::cell_of(cell) })
}

/// Ends a lookup that has found the handle closed after it was published. If the remover has counted it, it
/// has the value.
#[cold]
#[inline(never)]
fn give_up<T>(slot: &'static Slot, value: NonNull<T>, cell: Cell, handle: u64) -> Option<Hold<T>> {
    cell.release_failed().then(|| counted(slot, value, handle))
}

/// A counted hold, which the caller has.
fn counted<T>(slot: &'static Slot, value: NonNull<T>, handle: u64) -> Hold<T> {
    slot.value.read();
    Hold { value, token: Token::counted(handle) }
}

/// Gives a record up. The slots of guards that are left in it count them from now on: they let go without
/// this thread, and without what the next one does with the record. The caller has claimed it, and does not
/// use it any more.
///
/// (A guard that cannot be counted, because there are millions of them, keeps the record for good.)
///
/// Removers that wait for the record need not wait any more.
pub(crate) fn disclaim(space: &'static Space, me: &'static Record) {
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
    // SeqCst (E17): the claim is given up, then the look.
    fence(Ordering::SeqCst);
    if me.is_summoned() {
        remove::answer(space, None);
    }
}
