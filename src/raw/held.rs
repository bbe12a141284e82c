//! Holds as owners: what the safe guards are made of.

use super::lookup::Hold;
use super::thread::{SPACE, me};
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
        self.hold.handle()
    }

    /// A hold that any thread may give back, or the same again where a slot has all that it can count.
    pub(crate) fn into_counted(mut self) -> Result<Counted<T>, Self> {
        if !self.hold.count(&SPACE, me()) {
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
    #[inline]
    fn drop(&mut self) {
        // SAFETY(I4): the hold is this guard's own and is not used again.
        unsafe { self.hold.release(&SPACE, me) };
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
        self.0.handle()
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
        unsafe { self.0.release(&SPACE, me) };
    }
}
