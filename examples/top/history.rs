//! What was alive, look by look.

use haft::{Leak, LeakReport, Site, Stats};
use std::collections::{HashMap, VecDeque};
use std::time::Instant;

/// Looks that are kept.
const KEPT: usize = 240;

/// The handles of one type and line over time.
pub(crate) struct Group {
    pub(crate) leak: Leak,
    /// How many there were at each look, the latest last.
    pub(crate) counts: VecDeque<u64>,
}

impl Group {
    /// Whether there were always more in the later half than in the earlier one.
    pub(crate) fn grows(&self) -> bool {
        let half = self.counts.len() / 2;
        let most = self.counts.iter().take(half).max();
        let least = self.counts.iter().skip(half).min();
        half >= 4 && least > most
    }
}

/// Everything that the view shows.
#[derive(Default)]
pub(crate) struct History {
    groups: HashMap<(&'static str, Option<Site>), Group>,
    pub(crate) stats: Stats,
    pub(crate) held: usize,
    /// Handles created and removed in a second.
    pub(crate) rates: (f64, f64),
    looked: Option<Instant>,
}

impl History {
    /// Looks at what is alive now.
    pub(crate) fn look(&mut self) {
        let (report, stats) = (haft::leaks(), haft::stats());
        if let Some(before) = self.looked.replace(Instant::now()) {
            let seconds = before.elapsed().as_secs_f64();
            let rate = |now: u64, then: u64| now.saturating_sub(then) as f64 / seconds;
            self.rates = (rate(stats.created, self.stats.created), rate(stats.removed, self.stats.removed));
        }
        self.stats = stats;
        self.held = report.deferred();
        self.add(&report);
    }

    fn add(&mut self, report: &LeakReport) {
        let looks = self.groups.values().map(|group| group.counts.len()).max().unwrap_or(0);
        for group in self.groups.values_mut() {
            group.counts.push_back(0);
        }
        for &leak in report {
            let group = self
                .groups
                .entry((leak.type_name, leak.created_at))
                .or_insert_with(|| Group { leak, counts: std::iter::repeat_n(0, looks + 1).collect() });
            group.leak = leak;
            if let Some(last) = group.counts.back_mut() {
                *last = leak.total() as u64;
            }
        }
        for group in self.groups.values_mut() {
            let extra = group.counts.len().saturating_sub(KEPT);
            group.counts.drain(..extra);
        }
        // What was not there in any of the looks is forgotten.
        self.groups.retain(|_, group| group.counts.iter().any(|count| *count > 0));
    }

    /// The groups, what grows before the others, then the most numerous first.
    pub(crate) fn groups(&self) -> Vec<&Group> {
        let mut groups: Vec<_> = self.groups.values().collect();
        let peak = |group: &Group| group.counts.iter().copied().max();
        groups.sort_by_key(|group| {
            (!group.grows(), std::cmp::Reverse(peak(group)), group.leak.type_name, group.leak.created_at)
        });
        groups
    }
}
