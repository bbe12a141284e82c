//! The moments when a process begins to use handles, and when it ends.

use super::pin;
use crate::sync::{AtomicBool, Ordering};

/// What is done once, before the process has its first page: the safe shell asks the environment for a
/// report at the end. It comes with each creation, since nothing of the shell runs by itself, and a C
/// program should not have to call it.
pub(crate) type FirstUse = fn();

/// Does it, unless it was done.
pub(crate) fn first_use(ask: FirstUse) {
    static ASKED: AtomicBool = AtomicBool::new(false);
    // Relaxed: it is asked once, and nobody waits for the answer; the allocator may even come back here meanwhile.
    if !ASKED.load(Ordering::Relaxed) && !ASKED.swap(true, Ordering::Relaxed) {
        ask();
    }
}

#[cfg(all(unix, not(miri)))]
mod system {
    /// Has a function called when the process ends by `exit` or by returning from `main`: `false` where the system has no room for it.
    pub(super) fn at_exit(run: extern "C" fn()) -> bool {
        // SAFETY(F4): the function stays as long as the code that it is part of, and does not unwind.
        unsafe { libc::atexit(run) == 0 }
    }

    /// Whether the process may do more than the user who started it and chose its environment.
    pub(crate) fn is_privileged() -> bool {
        // SAFETY(F4): they take nothing, change nothing and cannot fail.
        let ids = unsafe { libc::getuid() != libc::geteuid() || libc::getgid() != libc::getegid() };
        #[cfg(target_os = "linux")]
        // SAFETY(F4): as above.
        let ids = ids || unsafe { libc::getauxval(libc::AT_SECURE) != 0 };
        ids
    }
}

#[cfg(all(windows, not(miri)))]
mod system {
    use std::ffi::c_int;

    unsafe extern "C" {
        /// Of the C runtime, which every program for Windows has.
        fn atexit(run: extern "C" fn()) -> c_int;
    }

    /// Has a function called when the process ends by C's `exit` or by returning from `main`:
    /// `false` where there is no room for it.
    pub(super) fn at_exit(run: extern "C" fn()) -> bool {
        // SAFETY(F4): the function stays as long as the code that it is part of, and does not unwind.
        unsafe { atexit(run) == 0 }
    }

    /// Whether the process may do more than the user who chose its environment: here, no program
    /// has more rights by its file.
    pub(crate) fn is_privileged() -> bool {
        false
    }
}

#[cfg(any(miri, not(any(unix, windows))))]
mod system {
    /// Has a function called when the process ends: not here.
    pub(super) fn at_exit(_run: extern "C" fn()) -> bool {
        false
    }

    /// Whether the process may do more than the user who started it.
    pub(crate) fn is_privileged() -> bool {
        false
    }
}

/// Has a function called when the process ends: `false` where the system has no room for it.
pub(crate) fn at_exit(run: extern "C" fn()) -> bool {
    pin::library();
    system::at_exit(run)
}

pub(crate) use system::is_privileged;
