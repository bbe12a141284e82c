//! Counters.

use crate::raw::set::Totals;
use crate::raw::{survey, thread};

/// Counters of one registry, or of the process.
///
/// Each is exact where nobody creates or removes meanwhile; otherwise it is off by what happened during the count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// Handles created since the registry or the process began.
    pub created: u64,
    /// Handles removed.
    pub removed: u64,
    /// Live handles.
    pub live: usize,
    /// Values that are removed and still held by a guard.
    pub deferred: usize,
    /// Pages of slots.
    pub pages: usize,
    /// Bytes of these pages.
    pub bytes: usize,
    /// Shards of 64 pages that were given to threads (process-wide only; 0 for one registry).
    pub shards: usize,
    /// Threads that have used handles at the same time, at most (process-wide only; 0 for one registry).
    pub records: usize,
}

impl Stats {
    pub(crate) const fn of(totals: Totals) -> Self {
        Self {
            created: totals.created,
            removed: totals.created.saturating_sub((totals.live + totals.deferred) as u64)
                + totals.deferred as u64,
            live: totals.live,
            deferred: totals.deferred,
            pages: totals.pages,
            bytes: totals.bytes,
            shards: 0,
            records: 0,
        }
    }
}

/// Counters of the whole process. Walks over the pages of all registries; blocks nobody.
///
/// ```
/// let before = haft::stats();
/// let handle = haft::Handle::new("counted");
/// assert!(haft::stats().live > before.live);
/// # handle.delete();
/// ```
#[must_use]
pub fn stats() -> Stats {
    let mut stats = Stats::of(survey::totals());
    (stats.shards, stats.records) = thread::spread();
    stats
}
