//! `haft_confine`: see [`confine`](crate::confine()).

use super::ffi;

/// From now on haft makes no system calls but those that any Rust program makes: for memory, locks, threads, time and random numbers. For a process under a filter that ends it at
/// others; the environment variable `HAFT_CONFINED=1` does the same. Call it before the first handle is created or looked up. Lookups cost a locked instruction more then, and threads have no
/// names in reports. Any thread.
#[unsafe(no_mangle)]
pub extern "C" fn haft_confine() {
    ffi::call(|| {
        crate::confine();
        Ok(())
    });
}
