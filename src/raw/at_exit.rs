//! The moments when a process begins to use handles, and when it ends.

use crate::sync::{AtomicBool, Ordering};

/// Asks the environment for a report at the end, once; whoever makes pages calls it before it makes one.
///
/// The only call upward in this folder: nothing of the safe shell runs by itself, and a C program should not have to call it.
pub(crate) fn first_use() {
    static ASKED: AtomicBool = AtomicBool::new(false);
    // Relaxed: it is asked once, and nobody waits for the answer; the allocator may even come back here meanwhile.
    if !ASKED.load(Ordering::Relaxed) && !ASKED.swap(true, Ordering::Relaxed) {
        crate::report::at_exit::ask_environment();
    }
}

#[cfg(all(unix, not(miri)))]
mod system {
    /// Has a function called when the process ends by `exit` or by returning from `main`: `false` where the system has no room for it.
    pub(crate) fn at_exit(run: extern "C" fn()) -> bool {
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

#[cfg(not(all(unix, not(miri))))]
mod system {
    /// Has a function called when the process ends: not here.
    pub(crate) fn at_exit(_run: extern "C" fn()) -> bool {
        false
    }

    /// Whether the process may do more than the user who started it.
    pub(crate) fn is_privileged() -> bool {
        false
    }
}

pub(crate) use system::{at_exit, is_privileged};
