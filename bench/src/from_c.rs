//! The cycle from a C program, through haft's C API.

use crate::harness::{Sampler, alone, calibrate};
use crate::scale::Scale;

pub const NAME: &str = "haft from C";

#[expect(unsafe_code, reason = "it is C")]
mod c {
    unsafe extern "C" {
        pub safe fn cycle_from_c(count: u32) -> u64;
    }
}

fn work(count: u32) {
    let wide = u64::from(count);
    assert_eq!(c::cycle_from_c(count), wide * (wide - 1) / 2);
}

/// Create, get, read, release, remove; on one thread alone.
pub fn sampler(scale: &Scale) -> Sampler {
    // The C API's functions are in haft's own crate: this makes the linker look there.
    assert!(!haft::capi::haft_version().is_null());
    let count = calibrate(scale.sample, |count| alone(count, work));
    Box::new(move || vec![Some(alone(count, work)), None])
}
