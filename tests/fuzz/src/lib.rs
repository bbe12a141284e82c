//! What the targets share: the bytes that decide, the account of handles, expected panics, and the count of operations.

#![allow(dropping_copy_types)]

pub mod integers;
pub mod model;
pub mod past;
pub mod references;
pub mod values;

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

static OPERATIONS: AtomicU64 = AtomicU64::new(0);

thread_local! {
    static EXPECTED: Cell<bool> = const { Cell::new(false) };
}

/// Counts operations; the number is printed when the process ends.
pub fn count(operations: u64) {
    OPERATIONS.fetch_add(operations, Relaxed);
}

/// Prints the count at the end, and lets expected panics pass. libFuzzer's own hook aborts at each panic.
pub fn begin() {
    extern "C" fn tell() {
        eprintln!("operations: {}", OPERATIONS.load(Relaxed));
    }
    // SAFETY: a function that only prints.
    unsafe { libc::atexit(tell) };
    let abort = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        if !EXPECTED.get() {
            abort(panic);
        }
    }));
}

/// Runs what may panic: `None` where it did.
pub fn may_panic<R>(work: impl FnOnce() -> R) -> Option<R> {
    let before = EXPECTED.replace(true);
    let result = catch_unwind(AssertUnwindSafe(work));
    EXPECTED.set(before);
    result.ok()
}

/// The input, read from its beginning. Reading past the end gives nothing.
pub struct Bytes<'a>(pub &'a [u8]);

impl Bytes<'_> {
    /// The next byte.
    pub fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*first)
    }

    /// The next integer.
    pub fn integer(&mut self) -> Option<u64> {
        let (first, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(u64::from_le_bytes(*first))
    }
}
