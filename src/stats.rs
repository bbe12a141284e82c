//! [`Stats`]: how much of everything there is.

use crate::error::ErrorKind;
use crate::misuse;
use crate::raw::count;
use crate::raw::set::Totals;

/// Counters of one registry, or of the process.
///
/// Each is exact where nobody creates or removes meanwhile; otherwise it is off by what happened
/// during the count. In each `Stats`, `created` is `removed` plus `live`. From one to the next the
/// errors never go back, and `created` does not where no registry is dropped.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// Handles created since the registry or the process began. (One that `insert_with` discloses
    /// counts from then on.)
    pub created: u64,
    /// Handles removed.
    pub removed: u64,
    /// Live handles, and those that `insert_with` has disclosed.
    pub live: usize,
    /// Values that are removed and still held by a guard.
    pub deferred: usize,
    /// Slots that are never used again, because each of their generations was issued.
    pub retired: usize,
    /// Slots that were freed by another thread than the one that fills their page, which has not
    /// taken them back yet.
    pub returned: usize,
    /// Pages of slots.
    pub pages: usize,
    /// Bytes of these pages.
    pub bytes: usize,
    /// Runs of sixteen places for pages that were given to threads (process-wide only; 0 for one
    /// registry).
    pub shards: usize,
    /// Threads that have used handles at the same time, at most (process-wide only; 0 for one
    /// registry).
    pub records: usize,
    /// Errors made (process-wide only; 0 for one registry).
    pub errors: ErrorCounts,
}

impl Stats {
    pub(crate) fn of(totals: Totals) -> Self {
        let live = totals.live();
        // What was created during the count may be seen live before it is seen created.
        let created = totals.created.max(live as u64);
        Self {
            created,
            removed: created - live as u64,
            live,
            deferred: totals.deferred,
            retired: totals.retired,
            returned: totals.returned,
            pages: totals.pages,
            bytes: totals.bytes,
            ..Self::default()
        }
    }
}

/// How many [`Error`](crate::Error)s were made, by kind: each counts once, whether anybody looked
/// at it or not.
///
/// A lookup that only asks (`is_live`, [`contains`](crate::Registry::contains)) makes none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ErrorCounts([u64; ErrorKind::ALL.len()]);

impl ErrorCounts {
    pub(crate) fn of(count: impl Fn(ErrorKind) -> u64) -> Self {
        Self(ErrorKind::ALL.map(count))
    }

    /// Errors of one kind.
    #[must_use]
    pub const fn get(&self, kind: ErrorKind) -> u64 {
        self.0[kind.index()]
    }

    /// Each kind and its errors.
    pub fn iter(&self) -> impl Iterator<Item = (ErrorKind, u64)> + '_ {
        ErrorKind::ALL.into_iter().map(|kind| (kind, self.get(kind)))
    }

    /// Errors of all kinds.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.0.iter().sum()
    }
}

/// Counters of the whole process. Looks at the header of each page of all registries, not at slots:
/// about 30 ns for every four thousand small values. Blocks nobody.
///
/// ```
/// use haft::{ErrorKind, Handle};
///
/// let before = haft::stats();
/// let handle = Handle::new("counted");
/// assert!(haft::stats().live > before.live);
/// handle.delete();
/// assert!(handle.get().is_err());
/// assert!(haft::stats().errors.get(ErrorKind::Stale) > before.errors.get(ErrorKind::Stale));
/// ```
#[must_use]
pub fn stats() -> Stats {
    let mut stats = Stats::of(count::of_process());
    (stats.shards, stats.records) = count::spread();
    stats.errors = misuse::counts();
    stats
}
