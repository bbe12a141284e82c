//! Walking over what is live, while everything else goes on.

use super::bits;
use super::page::PagePtr;
use super::set::{Set, Totals};
use super::slot::Phase;
use super::thread::{SPACE, with_stay};

/// One handle that was live, or removed and still held, when the walk came by.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Seen {
    pub(crate) handle: u64,
    /// The number of the site that created it; 0 where it is being created.
    pub(crate) created: u32,
    /// Removed and still held.
    pub(crate) held: bool,
}

/// The live handles of one set, in the order of their slots.
///
/// A handle that is live all the time is seen exactly once; one that comes or goes meanwhile, at most once.
pub(crate) fn of_set(set: &Set) -> Vec<Seen> {
    let mut seen = Vec::new();
    for page in set.pages() {
        of_page(page, &mut |found| {
            if !found.held {
                seen.push(found);
            }
        });
    }
    seen
}

/// Everything in the process: calls `each` with a type's name and size, and a handle.
pub(crate) fn of_process(mut each: impl FnMut(&'static str, usize, Seen)) {
    for place in SPACE.used_places() {
        let any = bits::pack(0, place, 0);
        with_stay(any, || {
            if let Some(page) = SPACE.page(any) {
                // SAFETY(I2): the stay keeps the page.
                let info = unsafe { page.header() }.info;
                of_page(page, &mut |found| each(info.name(), info.size, found));
            }
        });
    }
}

/// The caller keeps the page.
fn of_page(page: PagePtr, each: &mut dyn FnMut(Seen)) {
    // SAFETY(I2): the caller keeps the page.
    let header = unsafe { page.header() };
    let visit = |index, slot: &super::slot::Slot, phase| {
        // SAFETY(I2): the caller keeps the page; the slot is ready.
        let sites = unsafe { page.history(index) }.sites();
        let state = slot.state();
        // Between the two looks the slot may have changed hands; then it is neither the one nor the other.
        if state.phase() != phase {
            return;
        }
        let held = phase == Phase::Closed;
        let created = if held || sites.removed == 0 { sites.created } else { 0 };
        each(Seen { handle: header.handle(index, state.generation()), created, held });
    };
    // SAFETY(I2): the caller keeps the page.
    unsafe { header.for_each_taken(page, visit) };
}

/// Everything in the process added up.
pub(crate) fn totals() -> Totals {
    let mut totals = Totals { created: SPACE.created_before(), ..Totals::default() };
    for place in SPACE.used_places() {
        let any = bits::pack(0, place, 0);
        with_stay(any, || {
            let Some(page) = SPACE.page(any) else {
                return;
            };
            // SAFETY(I2): the stay keeps the page.
            let header = unsafe { page.header() };
            totals.pages += 1;
            totals.created += header.created();
            totals.bytes += header.info.page_size(header.capacity);
            of_page(page, &mut |found| {
                if found.held {
                    totals.deferred += 1;
                } else {
                    totals.live += 1;
                }
            });
        });
    }
    totals
}
