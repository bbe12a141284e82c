//! [`LeakReport`]: everything that is alive, by type and creating line.

use super::gather;
use super::growth::Growth;
use super::json;
use super::leak::Leak;
use super::sheet::Sheet;
use crate::raw::clock;
use std::fmt;
use std::time::Instant;

/// Everything that is alive in the process, by type and creating line.
///
/// Walks over all slots that were ever used, some nanoseconds each, and blocks nobody. Needs memory for each type and line, not for each handle.
///
/// A handle that is live during the whole walk is counted exactly once. One that is created or removed meanwhile is counted once or not at all. So the
/// report is exact where nobody creates or removes, and off by what came and went during the walk otherwise.
///
/// At the end of a program, what is in it was leaked; [`report_at_exit`](crate::report_at_exit) prints it then:
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
///
/// While it runs, what matters is what *grows*: see [`LeakReport::since`].
#[must_use = "the report does nothing but say what is alive"]
pub fn leaks() -> LeakReport {
    gather::of_process()
}

/// What [`leaks`] or [`Registry::leaks`](crate::Registry::leaks) found, most numerous first.
///
/// Iterable. `Display` is a table of text, [`to_json`](Self::to_json) the same for tools, and with the feature `table` there is one that fits the
/// terminal.
#[derive(Clone, Debug, Default)]
pub struct LeakReport {
    leaks: Vec<Leak>,
    /// When the walk ended; `None` where there is no clock, and for an empty report that nobody
    /// made.
    taken: Option<Instant>,
}

impl LeakReport {
    pub(super) fn new(leaks: Vec<Leak>) -> Self {
        Self { leaks, taken: clock::instant() }
    }

    pub(super) const fn taken(&self) -> Option<Instant> {
        self.taken
    }

    /// The groups, most numerous first.
    pub fn iter(&self) -> std::slice::Iter<'_, Leak> {
        self.leaks.iter()
    }

    /// Live handles in all groups.
    #[must_use]
    pub fn count(&self) -> usize {
        self.iter().map(|leak| leak.count).sum()
    }

    /// Values in all groups that are removed and still held by a guard.
    #[must_use]
    pub fn deferred(&self) -> usize {
        self.iter().map(|leak| leak.deferred).sum()
    }

    /// The guards that hold them.
    #[must_use]
    pub fn holders(&self) -> u64 {
        self.iter().map(|leak| leak.holders).sum()
    }

    /// Bytes of all values themselves, without what they own elsewhere.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.iter().map(|leak| leak.bytes).sum()
    }

    /// Whether nothing is live or held.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.leaks.is_empty()
    }

    /// What grew between an earlier report and this one, most grown first: how leaks are found in programs that go on.
    ///
    /// Both must be of the same scope: the process, or one registry. As exact as the two reports are: a group that only looks grown because of
    /// what came and went during a walk is gone from the next difference, and a leak is in all of them.
    ///
    /// ```
    /// struct Request(u32);
    /// let before = haft::leaks();
    /// let forgotten: Vec<_> = (0..3).map(|number| haft::Handle::new(Request(number))).collect();
    /// let growth = haft::leaks().since(&before);
    /// let most = growth.iter().find(|grown| grown.leak.type_name.ends_with("Request")).unwrap();
    /// assert_eq!((most.before, most.grown), (0, 3));
    /// println!("{growth}");
    /// # for handle in forgotten { handle.delete(); }
    /// ```
    pub fn since(&self, before: &Self) -> Growth {
        Growth::between(before, self)
    }

    /// The report as one JSON object, for tools.
    ///
    /// `live`, `deferred`, `holders`, `bytes`, and `groups`: an array of objects with `type`, `created_at` and `removed_at` (objects with `file`,
    /// `line` and, in Rust, `column`; or `null`), `live`, `deferred`, `holders`, `share`, `bytes`, `oldest_seconds`, `newest_seconds` and
    /// `held_seconds` (numbers or `null`), and `examples`. Handles are strings of hexadecimal digits, since most readers of JSON
    /// round large numbers.
    ///
    /// ```
    /// assert!(haft::Registry::<u8>::new().leaks().to_json().starts_with("{\"live\":0,"));
    /// ```
    #[must_use]
    pub fn to_json(&self) -> String {
        json::of_leaks(self)
    }

    /// The report as a table with lines, made for a stream: as wide as its terminal, in colours where it is one and the variable `NO_COLOR` is
    /// not set.
    ///
    /// ```
    /// eprintln!("{}", haft::leaks().table(&std::io::stderr()));
    /// ```
    #[cfg(feature = "table")]
    #[must_use]
    pub fn table(&self, stream: &impl std::io::IsTerminal) -> String {
        Sheet::of_leaks(self).table(super::table::Looks::of(stream))
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
        Sheet::of_leaks(self).write(f)
    }
}
