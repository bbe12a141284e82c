//! How much is measured.

use std::time::Duration;

pub struct Scale {
    /// Processes, one after the other: each has its own addresses and its own state of the allocator.
    pub runs: usize,
    /// Rounds in a process.
    pub rounds: usize,
    /// The length of one sample.
    pub sample: Duration,
    /// The most handles that are live at a time.
    pub largest: usize,
    /// The most threads that touch a table at a time.
    pub threads: usize,
}

impl Scale {
    pub fn full() -> Self {
        Self { runs: 5, rounds: 7, sample: Duration::from_millis(6), largest: 10_000_000, threads: 1024 }
    }

    /// Shows that everything works; the figures are worth nothing.
    pub fn quick() -> Self {
        Self { runs: 1, rounds: 1, sample: Duration::from_micros(100), largest: 100_000, threads: 64 }
    }
}
