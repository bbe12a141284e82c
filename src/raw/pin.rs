//! Keeps the library that haft is in from being unloaded (S18).
//!
//! The system calls haft when a thread ends that used it, and when the process ends, if somebody asked for a
//! report. A plugin may be closed before. So its library is opened once more, in a way that it stays, before
//! the system is told of such a call. What a plugin leaves in haft stays as well, as a leak would.

#[cfg(all(any(target_os = "linux", target_os = "macos", target_os = "freebsd"), not(miri)))]
mod system {
    use crate::sync::{AtomicBool, Ordering};
    use std::ffi::c_void;
    use std::mem::MaybeUninit;

    /// From now on the library stays. A program, and what is linked into it, stays in any case.
    pub(crate) fn library() {
        static PINNED: AtomicBool = AtomicBool::new(false);
        // Relaxed: once is enough, and twice does no harm.
        if PINNED.load(Ordering::Relaxed) {
            return;
        }
        let here: *const c_void = (library as fn() as *const ()).cast();
        let mut found = MaybeUninit::<libc::Dl_info>::zeroed();
        // SAFETY(F4): an address of code, and a place for the answer, which zeros are valid for.
        let (is_known, found) = unsafe { (libc::dladdr(here, found.as_mut_ptr()) != 0, found.assume_init()) };
        if is_known && !found.dli_fname.is_null() && !is_program(found.dli_fbase) {
            let how = libc::RTLD_LAZY | libc::RTLD_NOLOAD | libc::RTLD_NODELETE;
            // SAFETY(F4): the name that the system has given for a library that is loaded. It is not closed.
            unsafe { libc::dlopen(found.dli_fname, how) };
        }
        PINNED.store(true, Ordering::Relaxed);
    }

    /// Returns `true` if the program itself begins there. To open that by its name, the system would look at
    /// its file, which a sandbox may forbid.
    #[cfg(target_os = "linux")]
    fn is_program(base: *mut c_void) -> bool {
        /// The program's headers are in its first page.
        const PAGE: usize = 4096;
        // SAFETY(F4): it only asks for a number.
        let headers = unsafe { libc::getauxval(libc::AT_PHDR) } as usize;
        (base.addr()..base.addr() + PAGE).contains(&headers)
    }

    #[cfg(not(target_os = "linux"))]
    fn is_program(_: *mut c_void) -> bool {
        false
    }

    // (A program that is linked statically has no libraries, and the system may know nothing of it.)
    #[cfg(all(test, target_os = "linux", not(target_feature = "crt-static")))]
    mod tests {
        use super::*;

        #[test]
        fn s18_a_program_is_told_from_a_library() {
            let base_of = |address: *const c_void| {
                let mut found = MaybeUninit::<libc::Dl_info>::zeroed();
                // SAFETY(F4): as in `library`.
                unsafe {
                    libc::dladdr(address, found.as_mut_ptr());
                    found.assume_init().dli_fbase
                }
            };
            assert!(is_program(base_of((library as fn() as *const ()).cast())));
            assert!(!is_program(base_of((libc::getpid as unsafe extern "C" fn() -> _ as *const ()).cast())));
        }
    }
}

#[cfg(not(all(any(target_os = "linux", target_os = "macos", target_os = "freebsd"), not(miri))))]
mod system {
    /// From now on the library stays: not here.
    pub(crate) fn library() {}
}

pub(crate) use system::library;
