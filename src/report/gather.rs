//! Walking over what is alive and adding it up by type and creating line.
//!
//! The memory is that of the groups, not of the handles: one entry for each type and line, however many millions there are.

use super::leak::Leak;
use super::leaks::LeakReport;
use crate::raw::survey::{self, Seen};
use crate::registry::Registry;
use crate::site::Site;
use std::cmp::Reverse;
use std::collections::HashMap;

/// What tells a group from others while walking: the address of the type's name and the number of the site. Either may have several for one
/// thing, which [`Groups::report`] puts together.
type Key = (*const u8, u32);

#[derive(Default)]
pub(super) struct Groups {
    found: HashMap<Key, usize>,
    groups: Vec<(Key, Leak)>,
    /// The one that was counted last; the next handle is mostly of the same.
    last: usize,
}

impl Groups {
    pub(super) fn add(&mut self, type_name: &'static str, size: usize, seen: Seen) {
        let key = (type_name.as_ptr(), seen.created);
        if self.groups.get(self.last).is_none_or(|(last, _)| *last != key) {
            self.last = *self.found.entry(key).or_insert(self.groups.len());
            if self.last == self.groups.len() {
                self.groups.push((key, Leak::new(type_name, Site::of(seen.created))));
            }
        }
        self.groups[self.last].1.add(size, &seen);
    }

    /// One group for each type and line, most numerous first.
    pub(super) fn report(self) -> LeakReport {
        let mut lines: HashMap<(&'static str, Option<Site>), Leak> = HashMap::new();
        for (_, found) in self.groups {
            let Leak { type_name, created_at, .. } = found;
            lines
                .entry((type_name, created_at))
                .or_insert_with(|| Leak::new(type_name, created_at))
                .absorb(&found);
        }
        let mut leaks: Vec<Leak> = lines.into_values().collect();
        let all: usize = leaks.iter().map(Leak::total).sum();
        for leak in &mut leaks {
            leak.share = leak.total() as f64 / all as f64;
        }
        leaks.sort_by_key(|leak| (Reverse(leak.total()), leak.type_name, leak.created_at));
        LeakReport::new(leaks)
    }
}

/// Everything in the process.
pub(super) fn of_process() -> LeakReport {
    let mut groups = Groups::default();
    survey::of_process(|type_name, size, seen| groups.add(type_name, size, seen));
    groups.report()
}

/// Everything in one registry.
pub(crate) fn of_registry<T: Send + Sync + 'static>(registry: &Registry<T>) -> LeakReport {
    let mut groups = Groups::default();
    registry.survey(|type_name, size, seen| groups.add(type_name, size, seen));
    groups.report()
}
