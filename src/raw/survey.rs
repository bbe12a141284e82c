//! Walking over what is live, while everything else goes on.

use super::clock::{self, Moment};
use super::history::{NO_SITE, Sites};
use super::link::Link;
use super::name::Thread;
use super::page::Page;
use super::record::Record;
use super::set::Set;
use super::slot::{Phase, Slot, State};
use super::thread::{SPACE, me};
use std::time::Duration;

/// One handle that was live, or removed and still held, when the walk came by.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Seen {
    pub(crate) handle: u64,
    /// The number of the site that created it; 0 where it is being created.
    pub(crate) created: u32,
    /// The number of the site that removed it; 0 where it is live, or being removed.
    pub(crate) removed: u32,
    /// Removed and still held.
    pub(crate) held: bool,
    /// The guards that hold it, where it is removed. (Those of live handles are not counted.)
    pub(crate) holders: u64,
    /// The thread that created it or, where it is removed, did that; where that is known.
    pub(crate) thread: Option<Thread>,
    /// How long it is live or, where it is removed, how long ago that was, at most; `None` where that is being recorded this very moment.
    pub(crate) age: Option<Duration>,
}

/// Calls `each` with every handle of one set that is live or held, in the order of their slots.
///
/// A handle that is live all the time is seen exactly once; one that comes or goes meanwhile, at most once.
pub(crate) fn of_set(set: &Set, mut each: impl FnMut(Seen)) {
    for page in set.pages() {
        of_page(page, &mut each);
    }
}

/// Everything in the process: calls `each` with a type's name and size, and a handle.
pub(crate) fn of_process(each: impl FnMut(&'static str, usize, Seen)) {
    of_pages(|_| true, each);
}

/// What was created by this thread, or by an ended one whose shards it has adopted: as [`of_process`]. Nothing, where the thread has no shard.
pub(crate) fn of_this_thread(each: impl FnMut(&'static str, usize, Seen)) {
    let me = me();
    // SAFETY(I2): these are installed.
    of_pages(|page| me.is_some_and(|me: &Record| unsafe { page.is_owned_by(me) }), each);
}

/// The pages of the owners that are asked for.
fn of_pages(is_asked_for: impl Fn(&Page) -> bool, mut each: impl FnMut(&'static str, usize, Seen)) {
    for page in SPACE.pages().filter(|page| is_asked_for(page)) {
        // SAFETY(I2): these are installed.
        let info = unsafe { page.named() };
        of_page(page, &mut |found| each(info.name(), info.size, found));
    }
}

/// The page is installed.
fn of_page(page: &Page, each: &mut dyn FnMut(Seen)) {
    let moment = Moment::now();
    let visit = |index, slot: &Slot, before: State| {
        // SAFETY(I2): installed, and it has the slot.
        let (state, sites) = unsafe { page.history(Link::to(index)) }.with_state(slot);
        // Between the two looks the slot may have changed hands; then it is neither the one nor the other.
        if (state.generation(), state.phase()) != (before.generation(), before.phase()) {
            return;
        }
        let held = state.phase() == Phase::Closed;
        // Not where the slot has changed since, or the remover is between its two stores.
        let whole = sites != Sites::NONE && held == (sites.removed() != NO_SITE);
        each(Seen {
            // SAFETY(I2): as above.
            handle: unsafe { page.handle(Link::to(index), state.generation()) },
            created: sites.created(),
            removed: sites.removed(),
            held,
            holders: if held { state.holds() } else { 0 },
            thread: Thread::of(sites.thread()).filter(|_| whole),
            age: (whole && clock::IS_THERE).then(|| moment.since(sites.time())),
        });
    };
    // SAFETY(I2): the caller's promise.
    unsafe { page.for_each_taken(visit) };
}
