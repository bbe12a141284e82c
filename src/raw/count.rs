//! Adding up what all pages say of themselves, while everything else goes on.

use super::bits;
use super::set::Totals;
use super::thread::{SPACE, with_stay};
use std::collections::HashSet;

/// Everything in the process added up.
pub(crate) fn of_process() -> Totals {
    let mut totals = Totals { created: SPACE.created_before(), ..Totals::default() };
    let mut sets = HashSet::new();
    for place in SPACE.used_places() {
        let any = bits::pack(0, place, 0);
        with_stay(any, || {
            let Some(page) = SPACE.page(any) else {
                return;
            };
            // SAFETY(I2): the stay keeps the page.
            unsafe { totals.add(page) };
            // SAFETY(I2): the page keeps its shard, and that its set.
            let set = unsafe { page.header().shard.as_ref().set.as_ref() };
            if sets.insert(set.id) {
                totals.deferred += set.deferred();
            }
        });
    }
    totals
}
