//! Walking over what is live, while everything else goes on.

use super::bits;
use super::cells::Record;
use super::clock::Moment;
use super::link::Link;
use super::name::Thread;
use super::page::PagePtr;
use super::set::Set;
use super::site::NO_SITE;
use super::slot::{Phase, Slot, State};
use super::thread::{SPACE, me, with_stay};
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
    of_pages(|owner| me.is_some_and(|me| std::ptr::eq(me, owner)), each);
}

/// The pages of the owners that are asked for.
fn of_pages(of_interest: impl Fn(&Record) -> bool, mut each: impl FnMut(&'static str, usize, Seen)) {
    for place in SPACE.used_places() {
        let any = bits::pack(0, place, 0);
        with_stay(any, || {
            if let Some(page) = SPACE.page(any) {
                // SAFETY(I2): the stay keeps the page.
                let header = unsafe { page.header() };
                if of_interest(header.owner) {
                    let info = header.info;
                    of_page(page, &mut |found| each(info.name(), info.size, found));
                }
            }
        });
    }
}

/// The caller keeps the page.
fn of_page(page: PagePtr, each: &mut dyn FnMut(Seen)) {
    // SAFETY(I2): the caller keeps the page.
    let header = unsafe { page.header() };
    let moment = Moment::now();
    let visit = |index, slot: &Slot, before: State| {
        // SAFETY(I2): the caller keeps the page; the slot is ready.
        let sites = unsafe { page.history(Link::to(index)) }.sites();
        let state = slot.state();
        // Between the two looks the slot may have changed hands; then it is neither the one nor the other. (E11)
        if (state.generation(), state.phase()) != (before.generation(), before.phase()) {
            return;
        }
        // Where the creator or the remover is between its two stores, the sites are those of what came before.
        let held = state.phase() == Phase::Closed;
        let whole = held == (sites.removed != 0);
        each(Seen {
            handle: header.handle(Link::to(index), state.generation()),
            created: if held || whole { sites.created } else { NO_SITE },
            removed: if held { sites.removed } else { NO_SITE },
            held,
            holders: if held { state.holds() } else { 0 },
            thread: Thread::of(sites.thread).filter(|_| whole),
            age: whole.then(|| moment.since(sites.time)),
        });
    };
    // SAFETY(I2): the caller keeps the page.
    unsafe { header.for_each_taken(page, visit) };
}
