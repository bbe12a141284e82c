//! Has the system tell of forks: see [`forks`](crate::sync::forks).
//!
//! Handlers of other libraries may run inside of haft's, and use haft: in a child even before haft's own. So
//! the pages at hand are forgotten before the fork, and whoever looks for others asks whether this is a child.

#[cfg(all(unix, not(any(miri, haft_sim))))]
mod system {
    use crate::sync::{AtomicBool, AtomicPtr, Ordering, forks};
    use std::mem::transmute;
    use std::ptr;

    /// What else is done before a fork and first of all in a child, each a `fn()`.
    static BEFORE: AtomicPtr<()> = AtomicPtr::new(ptr::null_mut());
    static CHILD: AtomicPtr<()> = AtomicPtr::new(ptr::null_mut());

    fn call(function: &AtomicPtr<()>) {
        let function = function.load(Ordering::Relaxed);
        if !function.is_null() {
            // SAFETY(F4): `watch` has stored a function.
            unsafe { transmute::<*mut (), fn()>(function)() };
        }
    }

    extern "C" fn prepare() {
        forks::prepare();
        call(&BEFORE);
    }

    extern "C" fn parent() {
        forks::go_on();
    }

    extern "C" fn child() {
        if forks::begin_anew() {
            call(&CHILD);
        }
    }

    /// From now on forks wait for haft's locks, `before` is called before each, and `first` in each child.
    pub(crate) fn watch(before: fn(), first: fn()) {
        static KNOWN: AtomicBool = AtomicBool::new(false);
        // Acquire: the system knows, so no fork of this thread goes unnoticed from here on.
        if KNOWN.load(Ordering::Acquire) {
            return;
        }
        // Relaxed: the system's own locks order them.
        BEFORE.store(before as *mut (), Ordering::Relaxed);
        CHILD.store(first as *mut (), Ordering::Relaxed);
        // Two threads may both do it, and nothing is done twice. Without memory for it now, the next one asks again.
        // SAFETY(F4): functions that stay with their library (S18), and do not unwind.
        if unsafe { libc::pthread_atfork(Some(prepare), Some(parent), Some(child)) } == 0 {
            // Release: as above.
            KNOWN.store(true, Ordering::Release);
        }
    }
}

#[cfg(not(all(unix, not(any(miri, haft_sim)))))]
mod system {
    /// Here nothing forks.
    pub(crate) fn watch(_: fn(), _: fn()) {}
}

pub(crate) use system::watch;
