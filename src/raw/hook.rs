//! A function that is told something, and that may be replaced at any time.

use crate::sync::{AtomicPtr, Ordering};
use std::marker::PhantomData;
use std::ptr;

/// A place for one function. Without a lock, so that a fork never finds it locked.
pub(crate) struct Hook<E> {
    function: AtomicPtr<()>,
    _told: PhantomData<fn(&E)>,
}

impl<E> Hook<E> {
    /// No function.
    #[cfg(not(haft_loom))]
    pub(crate) const fn new() -> Self {
        Self { function: AtomicPtr::new(ptr::null_mut()), _told: PhantomData }
    }

    /// No function.
    #[cfg(haft_loom)]
    pub(crate) fn new() -> Self {
        Self { function: AtomicPtr::new(ptr::null_mut()), _told: PhantomData }
    }

    /// Replaces the function: the one before, if there was one. Wait-free.
    pub(crate) fn replace(&self, function: fn(&E)) -> Option<fn(&E)> {
        // Acquire, Release: what was set up before a function was put in is visible to whoever gets it.
        Self::of(self.function.swap(function as *mut (), Ordering::AcqRel))
    }

    /// The function. One load; wait-free.
    #[inline]
    pub(crate) fn get(&self) -> Option<fn(&E)> {
        // Acquire: pairs with the exchange above.
        Self::of(self.function.load(Ordering::Acquire))
    }

    fn of(word: *mut ()) -> Option<fn(&E)> {
        // SAFETY(F5): null, or a function of this very type; an `Option` of a function is a pointer that may be null.
        unsafe { std::mem::transmute::<*mut (), Option<fn(&E)>>(word) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sync::AtomicUsize;

    #[test]
    fn f5_a_hook_has_the_function_that_was_put_in_last_and_gives_the_one_before_back() {
        fn adds(number: &AtomicUsize) {
            number.fetch_add(1, Ordering::Relaxed);
        }
        fn doubles(number: &AtomicUsize) {
            number.store(2 * number.load(Ordering::Relaxed), Ordering::Relaxed);
        }
        let hook = Hook::<AtomicUsize>::new();
        let number = AtomicUsize::new(4);
        assert!(hook.get().is_none() && hook.replace(adds).is_none());
        hook.get().unwrap()(&number);
        assert_eq!(number.load(Ordering::Relaxed), 5);
        let before = hook.replace(doubles).unwrap();
        hook.get().unwrap()(&number);
        before(&number);
        assert_eq!(number.load(Ordering::Relaxed), 11);
    }
}
