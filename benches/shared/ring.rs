//! A ring of batches from one thread to another, so cheap that what it carries dominates.
//!
//! The locks are never contended: the two counters keep the sides apart. One lock for 256 keys costs each a tenth of a nanosecond.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

pub(crate) const BATCH: usize = 256;
const BATCHES: usize = 8;

#[repr(align(128))]
struct Padded<T>(T);

pub(crate) struct Ring {
    batches: [Padded<Mutex<[u64; BATCH]>>; BATCHES],
    written: Padded<AtomicUsize>,
    read: Padded<AtomicUsize>,
}

/// Waits without giving the processor away at once; where threads outnumber processors, somebody else must run.
///
/// Without the processor's hint for such loops: in a virtual machine it may stop the whole processor, and each wait then took 50
/// microseconds instead of a tenth of one.
pub(crate) fn wait_until(ready: impl Fn() -> bool) {
    let mut turns = 0_u32;
    while !ready() {
        turns += 1;
        if turns % 1024 == 0 {
            std::thread::yield_now();
        }
    }
}

impl Ring {
    pub(crate) fn new() -> Self {
        Self {
            batches: std::array::from_fn(|_| Padded(Mutex::new([0; BATCH]))),
            written: Padded(AtomicUsize::new(0)),
            read: Padded(AtomicUsize::new(0)),
        }
    }

    /// Fills the next batch: one thread only.
    pub(crate) fn write(&self, fill: impl FnOnce(&mut [u64; BATCH])) {
        let written = self.written.0.load(Ordering::Relaxed);
        // Acquire: the reader is done with the batch.
        wait_until(|| written - self.read.0.load(Ordering::Acquire) < BATCHES);
        fill(&mut self.batches[written % BATCHES].0.lock().unwrap());
        // Release: publishes the batch to the reader.
        self.written.0.store(written + 1, Ordering::Release);
    }

    /// Uses the next batch up: one other thread only.
    pub(crate) fn read(&self, take: impl FnOnce(&[u64; BATCH])) {
        let read = self.read.0.load(Ordering::Relaxed);
        // Acquire: the writer has filled the batch.
        wait_until(|| self.written.0.load(Ordering::Acquire) > read);
        take(&self.batches[read % BATCHES].0.lock().unwrap());
        // Release: the batch is the writer's again.
        self.read.0.store(read + 1, Ordering::Release);
    }
}
