//! Work on several threads at once.

use crate::pinned::Pinned;
use crate::ring::wait_until;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

/// The work on several threads at once: nanoseconds per operation of each thread. The first is the calling one.
///
/// Each has a processor of its own, where there are enough. All begin together, each after a little untimed work, and each goes on until all have finished, so that no timed operation has the
/// machine for itself.
pub(crate) fn together(threads: usize, count: u32, work: impl Fn(usize, u32) + Sync) -> Vec<f64> {
    let (ready, finished) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    let run = |thread: usize| {
        let _pinned = (threads <= processors).then(|| Pinned::to(thread));
        work(thread, count / 32 + 1);
        ready.fetch_add(1, Ordering::AcqRel);
        wait_until(|| ready.load(Ordering::Acquire) == threads);
        let begun = Instant::now();
        work(thread, count);
        let elapsed = begun.elapsed().as_nanos() as f64 / f64::from(count);
        finished.fetch_add(1, Ordering::AcqRel);
        while finished.load(Ordering::Acquire) < threads {
            work(thread, 32);
        }
        elapsed
    };
    std::thread::scope(|scope| {
        let run = &run;
        let others: Vec<_> = (1..threads).map(|thread| scope.spawn(move || run(thread))).collect();
        let mut elapsed = vec![run(0)];
        elapsed.extend(others.into_iter().map(|other| other.join().unwrap()));
        elapsed
    })
}
