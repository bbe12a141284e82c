//! [`Growth`]: the difference of two reports.

use super::json;
use super::leak::Leak;
use super::leaks::LeakReport;
use super::sheet::Sheet;
use crate::site::Site;
use std::cmp::Reverse;
use std::collections::HashMap;
use std::fmt;
use std::time::Duration;

/// What grew between two reports, most grown first; from [`LeakReport::since`].
///
/// Iterable. `Display` is a table of text, [`to_json`](Self::to_json) the same for tools.
#[derive(Clone, Debug)]
pub struct Growth {
    grown: Vec<Grown>,
    shrunk: usize,
    elapsed: Option<Duration>,
}

/// The handles of one type and creating line, of which there are more than before.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Grown {
    /// The group as it is now.
    pub leak: Leak,
    /// How many there were before, live or held.
    pub before: usize,
    /// How many more there are now, live or held: at least 1.
    pub grown: usize,
}

impl Growth {
    pub(super) fn between(before: &LeakReport, now: &LeakReport) -> Self {
        let mut earlier: HashMap<(&'static str, Option<Site>), usize> =
            before.iter().map(|leak| ((leak.type_name, leak.created_at), leak.total())).collect();
        let (mut grown, mut shrunk) = (Vec::new(), 0);
        for &leak in now {
            let before = earlier.remove(&(leak.type_name, leak.created_at)).unwrap_or(0);
            match leak.total().checked_sub(before) {
                None => shrunk += before - leak.total(),
                Some(0) => {}
                Some(more) => grown.push(Grown { leak, before, grown: more }),
            }
        }
        shrunk += earlier.into_values().sum::<usize>();
        grown.sort_by_key(|one| (Reverse(one.grown), one.leak.type_name, one.leak.created_at));
        let elapsed =
            now.taken().zip(before.taken()).map(|(now, before)| now.saturating_duration_since(before));
        Self { grown, shrunk, elapsed }
    }

    /// The groups that grew, most grown first.
    pub fn iter(&self) -> std::slice::Iter<'_, Grown> {
        self.grown.iter()
    }

    /// How many more handles there are, in the groups that grew.
    #[must_use]
    pub fn grown(&self) -> usize {
        self.iter().map(|one| one.grown).sum()
    }

    /// How many fewer handles there are, in the groups that shrank.
    #[must_use]
    pub const fn shrunk(&self) -> usize {
        self.shrunk
    }

    /// The time between the two reports; `None` where one of them was made by `default`.
    #[must_use]
    pub const fn elapsed(&self) -> Option<Duration> {
        self.elapsed
    }

    /// Whether nothing grew.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.grown.is_empty()
    }

    /// The difference as one JSON object, for tools: `grown`, `shrunk`, `elapsed_seconds`, and `groups`, as those of [`LeakReport::to_json`] with
    /// `before` and `grown` in front.
    #[must_use]
    pub fn to_json(&self) -> String {
        json::of_growth(self)
    }

    /// The difference as a table with lines, made for a stream, as [`LeakReport::table`].
    #[cfg(feature = "table")]
    #[must_use]
    pub fn table(&self, stream: &impl std::io::IsTerminal) -> String {
        Sheet::of_growth(self).table(super::table::Looks::of(stream))
    }
}

impl<'a> IntoIterator for &'a Growth {
    type Item = &'a Grown;
    type IntoIter = std::slice::Iter<'a, Grown>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl IntoIterator for Growth {
    type Item = Grown;
    type IntoIter = std::vec::IntoIter<Grown>;

    fn into_iter(self) -> Self::IntoIter {
        self.grown.into_iter()
    }
}

impl fmt::Display for Growth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Sheet::of_growth(self).write(f)
    }
}
