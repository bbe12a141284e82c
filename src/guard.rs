//! Guards: [`Ref`], cheap and bound to its thread, and [`SharedRef`], which may go anywhere and
//! live long.

use crate::handle::Handle;
use crate::raw::held::{Counted, Held};
use std::fmt;
use std::marker::PhantomData;
use std::ops::Deref;

/// A borrow of a handle's value: the value stays until this is dropped, also when the handle is
/// removed meanwhile.
///
/// Two words. It does not block removal; it defers the drop of the value to the moment when the
/// last guard is gone, on that guard's thread. It is not `Send`: use [`Ref::into_shared`] for a
/// guard that moves to another thread or lives long. Dropping it is one store to a cache line of
/// this thread, mostly. It never waits: lock-free, but for what the value's own drop does. A thread
/// can have six of them in its cells; further ones count in the slot, which costs a little more.
///
/// `'r` is the borrow of the registry; `'static` for [`Handle::get`], which does not need one.
///
/// Leaking a `Ref` (`mem::forget`) is safe: that one value is never dropped.
///
/// ```
/// # use haft::{Handle, Ref, Removal};
/// # fn main() -> Result<(), haft::Error> {
/// let handle = Handle::new(String::from("open"));
/// let guard = handle.get()?;
/// assert_eq!(handle.remove()?, Removal::Deferred);
/// assert_eq!(*guard, "open");         // still here
/// assert_eq!(Ref::handle(&guard), handle);
/// drop(guard);                        // dropped now
/// # Ok(())
/// # }
/// ```
#[must_use = "the value is only kept while the guard is alive"]
pub struct Ref<'r, T> {
    held: Held<T>,
    _registry: PhantomData<&'r ()>,
}

impl<'r, T: 'static> Ref<'r, T> {
    #[inline]
    pub(crate) fn new(held: Held<T>) -> Self {
        Self { held, _registry: PhantomData }
    }

    /// The handle that was looked up. One load; wait-free.
    ///
    /// An associated function, so that it does not hide a method of `T`.
    #[inline]
    #[must_use]
    pub fn handle(this: &Self) -> Handle<T> {
        Handle::from_issued(this.held.handle())
    }

    /// Turns the guard into one that is `Send`. One exchange on the value's slot, which is shared;
    /// lock-free.
    ///
    /// # Panics
    ///
    /// Where 4,194,303 counted guards of this one handle are alive.
    ///
    /// ```
    /// # use haft::{Handle, Ref};
    /// # fn main() -> Result<(), haft::Error> {
    /// let handle = Handle::new(42);
    /// let shared = Ref::into_shared(handle.get()?);
    /// handle.remove()?;
    /// std::thread::spawn(move || assert_eq!(*shared, 42)).join().unwrap();
    /// # Ok(())
    /// # }
    /// ```
    pub fn into_shared(this: Self) -> SharedRef<'r, T> {
        match this.held.into_counted() {
            Ok(counted) => SharedRef::new(counted),
            Err(held) => too_many(held.handle()),
        }
    }

    /// One more guard of the same value, which is `Send`. Costs and progress as for
    /// [`into_shared`](Self::into_shared).
    ///
    /// # Panics
    ///
    /// As [`into_shared`](Self::into_shared).
    pub fn to_shared(this: &Self) -> SharedRef<'r, T> {
        match this.held.to_counted() {
            Some(counted) => SharedRef::new(counted),
            None => too_many(this.held.handle()),
        }
    }
}

#[cold]
fn too_many(handle: u64) -> ! {
    panic!(
        "handle {handle:#018x} is held by 4194303 counted guards, which is all that can be counted; \
         drop some of them, they are likely leaked"
    )
}

impl<T> Deref for Ref<'_, T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        &self.held
    }
}

impl<T: fmt::Debug> fmt::Debug for Ref<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        T::fmt(self, f)
    }
}

impl<T: fmt::Display> fmt::Display for Ref<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        T::fmt(self, f)
    }
}

impl<T> AsRef<T> for Ref<'_, T> {
    fn as_ref(&self) -> &T {
        self
    }
}

/// A counted guard: as [`Ref`], but it may move to other threads and live as long as it likes.
///
/// Two words. Making, cloning and dropping one is one atomic operation each on the value's slot, so
/// many threads that do it with one handle get in each other's way; lock-free.
#[must_use = "the value is only kept while the guard is alive"]
pub struct SharedRef<'r, T> {
    counted: Counted<T>,
    _registry: PhantomData<&'r ()>,
}

impl<T> SharedRef<'_, T> {
    pub(crate) fn new(counted: Counted<T>) -> Self {
        Self { counted, _registry: PhantomData }
    }
}

impl<T: 'static> SharedRef<'_, T> {
    /// The handle that was looked up. No memory access; wait-free.
    #[inline]
    #[must_use]
    pub fn handle(this: &Self) -> Handle<T> {
        Handle::from_issued(this.counted.handle())
    }
}

impl<T> Clone for SharedRef<'_, T> {
    /// One more guard of the same value, also where the handle is removed already.
    ///
    /// # Panics
    ///
    /// Where 4,194,303 counted guards of this one handle are alive.
    fn clone(&self) -> Self {
        match self.counted.duplicate() {
            Some(counted) => Self::new(counted),
            None => too_many(self.counted.handle()),
        }
    }
}

impl<T> Deref for SharedRef<'_, T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        &self.counted
    }
}

impl<T: fmt::Debug> fmt::Debug for SharedRef<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        T::fmt(self, f)
    }
}

impl<T: fmt::Display> fmt::Display for SharedRef<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        T::fmt(self, f)
    }
}

impl<T> AsRef<T> for SharedRef<'_, T> {
    fn as_ref(&self) -> &T {
        self
    }
}
