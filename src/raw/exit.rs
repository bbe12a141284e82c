//! A second way to notice that a thread ends.
//!
//! Destructors of Rust's thread-local values run first, then those of pthread keys. A thread that uses haft for the first time in the
//! latter comes too late for the former, and would keep its record for ever.

#[cfg(all(target_os = "linux", not(miri)))]
mod system {
    use crate::sync::{AtomicU64, Ordering};
    use std::ffi::c_void;
    use std::ptr;

    /// The key plus one; 0 before it is made.
    static KEY: AtomicU64 = AtomicU64::new(0);

    /// Calls `end` when this thread ends, with a pointer that means nothing.
    pub(crate) fn watch(end: unsafe extern "C" fn(*mut c_void)) {
        let mut known = KEY.load(Ordering::Relaxed);
        if known == 0 {
            let mut key = 0;
            // SAFETY(F4): a place for the key, and a function that may be called on any thread that ends.
            if unsafe { libc::pthread_key_create(&mut key, Some(end)) } != 0 {
                return;
            }
            known = u64::from(key) + 1;
            if let Err(first) = KEY.compare_exchange(0, known, Ordering::Relaxed, Ordering::Relaxed) {
                // SAFETY(F4): just made here, and never used.
                unsafe { libc::pthread_key_delete(key) };
                known = first;
            }
        }
        // SAFETY(F4): a key that was made and is never deleted; the pointer is only not null.
        unsafe { libc::pthread_setspecific((known - 1) as libc::pthread_key_t, ptr::without_provenance(1)) };
    }
}

#[cfg(not(all(target_os = "linux", not(miri))))]
mod system {
    /// Calls `end` when this thread ends; here the thread-local destructor must do.
    pub(crate) fn watch(_end: unsafe extern "C" fn(*mut std::ffi::c_void)) {}
}

pub(crate) use system::watch;
