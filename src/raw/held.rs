//! Holds as owners: what the safe guards are made of.

use super::lookup::Hold;
#[cfg(feature = "capi")]
use super::remove::give_back;
use super::thread::{SPACE, me};
#[cfg(feature = "capi")]
use super::token::Token;
use std::marker::PhantomData;
use std::mem::ManuallyDrop;
use std::ops::Deref;

/// A hold that is given back when dropped, on the thread that made the lookup.
#[derive(Debug)]
pub(crate) struct Held<T> {
    hold: Hold<T>,
    /// Not `Send`: a cell is looked for on the line of the thread that uses it.
    _here: PhantomData<*const ()>,
}

impl<T> Held<T> {
    #[inline]
    pub(super) fn new(hold: Hold<T>) -> Self {
        Self { hold, _here: PhantomData }
    }

    /// The handle that is held.
    #[inline]
    pub(crate) fn handle(&self) -> u64 {
        self.hold.token.handle()
    }

    /// What keeps the value, alone.
    #[cfg(feature = "capi")]
    #[inline]
    pub(crate) fn into_kept(self) -> Kept
    where
        T: Send + Sync,
    {
        let this = ManuallyDrop::new(self);
        // SAFETY(I4): the hold moves: `this` is never dropped or used again.
        Kept { token: unsafe { std::ptr::read(&raw const this.hold.token) }, _here: PhantomData }
    }

    /// One more hold, which any thread may give back. `None` where a slot has all that it can count.
    pub(crate) fn to_counted(&self) -> Option<Counted<T>> {
        self.hold.duplicate(&SPACE).map(Counted)
    }

    /// A hold that any thread may give back, or the same again where a slot has all that it can count.
    pub(crate) fn into_counted(mut self) -> Result<Counted<T>, Self> {
        if !self.hold.token.count(&SPACE, me()) {
            return Err(self);
        }
        let this = ManuallyDrop::new(self);
        // SAFETY(I4): the hold moves: `this` is never dropped or used again.
        Ok(Counted(unsafe { std::ptr::read(&raw const this.hold) }))
    }
}

impl<T> Deref for Held<T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        self.hold.value()
    }
}

impl<T> Drop for Held<T> {
    #[inline(always)]
    fn drop(&mut self) {
        // SAFETY(I4): the hold is this guard's own and is not used again.
        unsafe { self.hold.token.release(&SPACE, me) };
    }
}

/// What keeps a value, without where it is: one word where pointers have 64 bits. Given back when dropped, on the thread that made the lookup.
#[cfg(feature = "capi")]
#[derive(Debug)]
pub(crate) struct Kept {
    token: Token,
    _here: PhantomData<*const ()>,
}

#[cfg(feature = "capi")]
impl Kept {
    /// One that any thread may give back, or the same again where a slot has all that it can count.
    pub(crate) fn into_counted(mut self) -> Result<CountedKept, Self> {
        if !self.token.count(&SPACE, me()) {
            return Err(self);
        }
        let this = ManuallyDrop::new(self);
        // SAFETY(I4): the hold moves: `this` is never dropped or used again.
        Ok(CountedKept(unsafe { std::ptr::read(&raw const this.token) }))
    }

    /// Lets go: where the slot counts the hold, that is still to be given back.
    #[inline(always)]
    pub(crate) fn let_go(self) -> Option<Owed> {
        // SAFETY(I4): the guard's own, which is not used again.
        unsafe { ManuallyDrop::new(self).token.let_go() }.map(Owed)
    }
}

#[cfg(feature = "capi")]
impl Drop for Kept {
    #[inline]
    fn drop(&mut self) {
        // SAFETY(I4): the hold is this guard's own and is not used again.
        unsafe { self.token.release(&SPACE, me) };
    }
}

/// A counted hold without where its value is, given back when dropped, on any thread. The value's type is `Send + Sync`.
#[cfg(feature = "capi")]
#[derive(Debug)]
pub(crate) struct CountedKept(Token);

#[cfg(feature = "capi")]
// SAFETY(I4): a counted hold belongs to no thread, and the value may be dropped on any.
unsafe impl Send for CountedKept {}
#[cfg(feature = "capi")]
// SAFETY(I4): a shared one can do nothing.
unsafe impl Sync for CountedKept {}

#[cfg(feature = "capi")]
impl CountedKept {
    /// The same, without a token.
    pub(crate) fn let_go(self) -> Owed {
        Owed(ManuallyDrop::new(self).0.handle())
    }
}

/// A hold that the slot counts; dropping it gives it back, and may drop the value.
#[cfg(feature = "capi")]
#[derive(Debug)]
pub(crate) struct Owed(u64);

#[cfg(feature = "capi")]
impl Drop for Owed {
    fn drop(&mut self) {
        // SAFETY(I4): the counted hold is this one's own, given back once.
        unsafe { give_back(&SPACE, self.0, me()) };
    }
}

#[cfg(feature = "capi")]
impl Drop for CountedKept {
    fn drop(&mut self) {
        // SAFETY(I4): the hold is this guard's own and is not used again.
        unsafe { self.0.release(&SPACE, me) };
    }
}

/// A counted hold, given back when dropped, on any thread.
#[derive(Debug)]
pub(crate) struct Counted<T>(Hold<T>);

// SAFETY(I4): a counted hold belongs to no thread; the value may be used (`Sync`) and dropped (`Send`) on any.
unsafe impl<T: Send + Sync> Send for Counted<T> {}
// SAFETY(I4): sharing the hold shares the value, and duplicating it through a shared reference makes a hold of its own, which
// may drop the value elsewhere (`Send`).
unsafe impl<T: Send + Sync> Sync for Counted<T> {}

impl<T> Counted<T> {
    /// The handle that is held.
    pub(crate) fn handle(&self) -> u64 {
        self.0.token.handle()
    }

    /// One more hold, unless the slot has all that it can count.
    pub(crate) fn duplicate(&self) -> Option<Self> {
        self.0.duplicate(&SPACE).map(Self)
    }
}

impl<T> Deref for Counted<T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        self.0.value()
    }
}

impl<T> Drop for Counted<T> {
    fn drop(&mut self) {
        // SAFETY(I4): the hold is this guard's own and is not used again.
        unsafe { self.0.token.release(&SPACE, me) };
    }
}
