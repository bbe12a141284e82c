//! [`Leak`]: the handles of one type that one line created.

use crate::raw::survey::Seen;
use crate::site::Site;
use std::time::Duration;

/// The handles of one type that one line created, and that are live or removed and still held.
///
/// Times are whole seconds and upper bounds: haft reads the clock now and then, not for each handle, so something that is "41 seconds old" came
/// into being at most 41 seconds ago. What is noted for a handle ends after twelve days (2^20 seconds) from the process's first use of haft: whatever is
/// created or removed later counts as if it had been then, and all of it seems to be of the same age. To see what comes and stays in a process that runs for
/// weeks, compare two reports: [`LeakReport::since`](crate::LeakReport::since).
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Leak {
    /// The type's name.
    pub type_name: &'static str,
    /// The line that created them; `None` where that is being recorded this very moment, or was not, since 65,535 other lines had used haft before.
    pub created_at: Option<Site>,
    /// Live handles.
    pub count: usize,
    /// Values that are removed and still held by a guard.
    pub deferred: usize,
    /// The guards that hold the removed values.
    pub holders: u64,
    /// The line that removed one of the held values, the one that has waited longest where that is known; `None` also where its registry was dropped.
    pub removed_at: Option<Site>,
    /// How long ago the removal was that has waited longest for a guard, at most.
    pub held_for: Option<Duration>,
    /// This group's part of all handles in the report, from 0 to 1.
    pub share: f64,
    /// Bytes of all these values themselves, without what they own elsewhere.
    pub bytes: usize,
    /// The age of the oldest live handle, at most.
    pub oldest: Option<Duration>,
    /// The age of the newest live handle, at most.
    pub newest: Option<Duration>,
    /// One of the handles: the oldest that was seen.
    pub example: u64,
    examples: Examples,
}

impl Leak {
    pub(super) const fn new(type_name: &'static str, created_at: Option<Site>) -> Self {
        Self {
            type_name,
            created_at,
            count: 0,
            deferred: 0,
            holders: 0,
            removed_at: None,
            held_for: None,
            share: 0.0,
            bytes: 0,
            oldest: None,
            newest: None,
            example: 0,
            examples: Examples::NONE,
        }
    }

    /// Some of the handles, at most four: the two oldest and the two newest that were seen.
    pub fn examples(&self) -> impl Iterator<Item = u64> + use<> {
        self.examples.iter()
    }

    /// Live handles, and removed ones that are still held.
    #[must_use]
    pub const fn total(&self) -> usize {
        self.count + self.deferred
    }

    /// Counts one more, whose value has this size.
    pub(super) fn add(&mut self, size: usize, seen: &Seen) {
        self.bytes += size;
        self.examples.add(seen.age, seen.handle);
        if seen.held {
            self.deferred += 1;
            self.holders += seen.holders;
            self.held(seen.age, Site::of(seen.removed));
        } else {
            self.count += 1;
            self.oldest = self.oldest.max(seen.age);
            self.newest = youngest(self.newest, seen.age);
        }
        self.example = self.examples.oldest();
    }

    /// Counts another group's handles as this one's.
    pub(super) fn absorb(&mut self, other: &Self) {
        self.count += other.count;
        self.deferred += other.deferred;
        self.holders += other.holders;
        self.bytes += other.bytes;
        self.oldest = self.oldest.max(other.oldest);
        self.newest = youngest(self.newest, other.newest);
        self.held(other.held_for, other.removed_at);
        self.examples.absorb(&other.examples);
        self.example = self.examples.oldest();
    }

    fn held(&mut self, since: Option<Duration>, removed_at: Option<Site>) {
        if self.removed_at.is_none() || since > self.held_for {
            self.removed_at = removed_at;
        }
        self.held_for = self.held_for.max(since);
    }
}

/// The smaller of two ages, of which one may not be known.
fn youngest(one: Option<Duration>, other: Option<Duration>) -> Option<Duration> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    }
}

/// A handle and its age.
type Example = Option<(Option<Duration>, u64)>;

/// A few handles of a group: the oldest ones and the newest ones, however many there are.
#[derive(Clone, Copy, Debug)]
struct Examples {
    /// Oldest first.
    oldest: [Example; 2],
    /// Newest first.
    newest: [Example; 2],
}

impl Examples {
    const NONE: Self = Self { oldest: [None; 2], newest: [None; 2] };

    /// Of two of the same age the first that comes is the older one.
    fn add(&mut self, age: Option<Duration>, handle: u64) {
        insert(&mut self.oldest, (age, handle), |new, known| new > known);
        insert(&mut self.newest, (age, handle), |new, known| new <= known);
    }

    fn absorb(&mut self, other: &Self) {
        for (age, handle) in other.oldest.into_iter().chain(other.newest.into_iter().rev()).flatten() {
            self.add(age, handle);
        }
    }

    fn oldest(&self) -> u64 {
        self.oldest[0].map_or(0, |(_, handle)| handle)
    }

    /// Each once, oldest first.
    fn iter(&self) -> impl Iterator<Item = u64> + use<> {
        let Self { oldest, newest } = *self;
        let newest = newest.into_iter().rev().filter(move |example| !oldest.contains(example));
        oldest.into_iter().chain(newest).flatten().map(|(_, handle)| handle)
    }
}

/// Puts a handle in its place among two, the first of which comes first. The same handle is there once.
fn insert(
    places: &mut [Example; 2],
    new: (Option<Duration>, u64),
    comes_before: impl Fn(Option<Duration>, Option<Duration>) -> bool,
) {
    if places.iter().flatten().any(|known| known.1 == new.1) {
        return;
    }
    let before = |place: Example| place.is_none_or(|known| comes_before(new.0, known.0));
    if before(places[0]) {
        *places = [Some(new), places[0]];
    } else if before(places[1]) {
        places[1] = Some(new);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn examples_are_the_two_oldest_and_the_two_newest_each_once() {
        let mut examples = Examples::NONE;
        assert_eq!(examples.iter().count(), 0);
        for (age, handle) in [(5, 1), (9, 3), (7, 5), (1, 7), (3, 9)] {
            examples.add(Some(Duration::from_secs(age)), handle);
        }
        assert_eq!(examples.iter().collect::<Vec<_>>(), [3, 5, 9, 7]);
        assert_eq!(examples.oldest(), 3);
        let mut merged = Examples::NONE;
        merged.add(Some(Duration::from_secs(8)), 11);
        merged.absorb(&examples);
        merged.absorb(&examples);
        assert_eq!(merged.iter().collect::<Vec<_>>(), [3, 11, 9, 7]);
    }

    #[test]
    fn examples_without_ages_go_by_the_order_in_which_they_are_seen() {
        let mut examples = Examples::NONE;
        for handle in [1, 3, 5, 7, 9] {
            examples.add(None, handle);
        }
        assert_eq!(examples.iter().collect::<Vec<_>>(), [1, 3, 7, 9]);
    }

    #[test]
    fn two_or_three_handles_are_each_an_example_once() {
        let mut examples = Examples::NONE;
        for (handle, expected) in [(1, vec![1]), (3, vec![1, 3]), (5, vec![1, 3, 5])] {
            examples.add(None, handle);
            assert_eq!(examples.iter().collect::<Vec<_>>(), expected);
        }
    }
}
