//! The cycle from a C program, through haft's C API.

use crate::work;

#[expect(unsafe_code, reason = "it is C")]
mod c {
    unsafe extern "C" {
        pub safe fn cycle_from_c(count: u32) -> u64;
    }
}

/// Create, get, read, release, remove: nanoseconds per cycle.
pub fn cycle() -> f64 {
    // The C API's functions are in haft's own crate: this makes the linker look there.
    assert!(!haft::capi::haft_version().is_null());
    work::time(|count| {
        let count = u64::from(count);
        assert_eq!(c::cycle_from_c(count as u32), count * (count - 1) / 2);
    })
}
