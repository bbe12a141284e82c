//! What is alive, and who made it.

use crate::raw::set::Totals;
use crate::raw::{survey, thread};
use crate::site::Site;
use std::collections::HashMap;
use std::fmt;

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

/// Everything that is live in the process, by type and creating line. Walks over all slots that were ever used; blocks nobody.
///
/// A handle that is live all the time is counted exactly once. At the end of a program, what is in it was leaked:
///
/// ```
/// struct Session;
/// let forgotten = haft::Handle::new(Session);
/// let report = haft::leaks();
/// let leak = report.iter().find(|leak| leak.type_name.ends_with("Session")).unwrap();
/// assert_eq!((leak.count, leak.created_at.unwrap().file()), (1, file!()));
/// println!("{report}");
/// # forgotten.delete();
/// ```
#[must_use = "the report does nothing but say what is alive"]
pub fn leaks() -> LeakReport {
    // By number first, which is quick; the compiler may have several numbers for one line.
    let mut numbers: HashMap<(&'static str, u32), Leak> = HashMap::new();
    survey::of_process(|type_name, size, seen| {
        let leak = numbers.entry((type_name, seen.created)).or_insert_with(|| Leak {
            type_name,
            created_at: None,
            count: 0,
            deferred: 0,
            bytes: 0,
            example: seen.handle,
        });
        leak.bytes += size;
        if seen.held {
            leak.deferred += 1;
        } else {
            leak.count += 1;
        }
    });
    let mut lines: HashMap<(&'static str, Option<Site>), Leak> = HashMap::new();
    for ((type_name, created), found) in numbers {
        let created_at = Site::of(created);
        let empty = Leak { created_at, count: 0, deferred: 0, bytes: 0, ..found };
        let leak = lines.entry((type_name, created_at)).or_insert(empty);
        leak.count += found.count;
        leak.deferred += found.deferred;
        leak.bytes += found.bytes;
    }
    let mut leaks: Vec<Leak> = lines.into_values().collect();
    leaks
        .sort_by_key(|leak| (std::cmp::Reverse(leak.count + leak.deferred), leak.type_name, leak.created_at));
    LeakReport { leaks }
}

/// What [`leaks`] found, most numerous first. Iterable; `Display` is a table.
#[derive(Clone, Debug, Default)]
pub struct LeakReport {
    leaks: Vec<Leak>,
}

/// The handles of one type that one line created.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Leak {
    /// The type's name.
    pub type_name: &'static str,
    /// The line that created them; `None` where that is being recorded this very moment.
    pub created_at: Option<Site>,
    /// Live handles.
    pub count: usize,
    /// Values that are removed and still held by a guard.
    pub deferred: usize,
    /// Bytes of all these values themselves, without what they own elsewhere.
    pub bytes: usize,
    /// One of the handles.
    pub example: u64,
}

impl LeakReport {
    /// The groups, most numerous first.
    pub fn iter(&self) -> std::slice::Iter<'_, Leak> {
        self.leaks.iter()
    }

    /// Live handles in all groups.
    #[must_use]
    pub fn count(&self) -> usize {
        self.iter().map(|leak| leak.count).sum()
    }

    /// Whether nothing is live or held.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.leaks.is_empty()
    }
}

impl<'a> IntoIterator for &'a LeakReport {
    type Item = &'a Leak;
    type IntoIter = std::slice::Iter<'a, Leak>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl IntoIterator for LeakReport {
    type Item = Leak;
    type IntoIter = std::vec::IntoIter<Leak>;

    fn into_iter(self) -> Self::IntoIter {
        self.leaks.into_iter()
    }
}

impl fmt::Display for LeakReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_empty() {
            return f.write_str("no live handles\n");
        }
        let deferred: usize = self.iter().map(|leak| leak.deferred).sum();
        let count = self.count();
        write!(f, "{count} live handle{}", if count == 1 { "" } else { "s" })?;
        if deferred > 0 {
            write!(f, ", {deferred} removed and still held")?;
        }
        writeln!(f)?;
        let name_width = self.iter().map(|leak| leak.type_name.chars().count()).max().unwrap_or(0).max(4);
        writeln!(f, "{:>9} {:>6} {:>11}  {:<name_width$}  created at", "live", "held", "bytes", "type")?;
        for leak in self {
            let Leak { count, deferred, bytes, type_name, .. } = leak;
            write!(f, "{count:>9} {deferred:>6} {bytes:>11}  {type_name:<name_width$}  ")?;
            match leak.created_at {
                Some(site) => write!(f, "{site}")?,
                None => f.write_str("(being recorded)")?,
            }
            writeln!(f, "  e.g. {:#018x}", leak.example)?;
        }
        Ok(())
    }
}
