//! Adding up what all pages say of themselves, while everything else goes on.

use super::set::Totals;
use super::thread::SPACE;
use std::collections::HashSet;

/// Everything in the process added up.
pub(crate) fn of_process() -> Totals {
    let mut totals = Totals::default();
    let mut sets = HashSet::new();
    for page in SPACE.pages() {
        totals.add(page);
        // SAFETY(I2): these are installed.
        let set = unsafe { page.shard() }.set;
        if sets.insert(std::ptr::from_ref(set)) {
            totals.deferred += set.deferred();
        }
    }
    totals
}

/// Runs of places given to threads, and records made.
pub(crate) fn spread() -> (usize, usize) {
    (SPACE.runs_for_threads() as usize, SPACE.record_count() as usize)
}
