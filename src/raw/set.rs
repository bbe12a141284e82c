//! A set: the part of a registry that does not know the type. It owns shards and pages.
//!
//! A set that is dropped closes all its handles at once and frees each page when nothing is outstanding in it and no
//! cell keeps it (I2). What is still held waits in the space's list of leftovers, which the next dropped or growing set
//! looks through; only memory waits there, never a value that nobody holds.

use super::cells::Record;
use super::layout::TypeInfo;
use super::link::Link;
use super::page::{NewPage, PagePtr};
use super::remove::{Closed, Winner};
use super::shard::{Exhausted, Shard};
use super::slot::Phase;
use super::space::Space;
use super::unwind::discard;
use crate::sync::{AtomicPtr, AtomicUsize, Mutex, MutexGuard, Ordering, unique_number};
use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::ptr::{self, NonNull};

/// Slots of a shard's first page; each of the next ones has eight times as many, up to the largest.
const FIRST_PAGE: u32 = 32;

/// A registry without its type.
#[derive(Debug)]
pub(crate) struct Set {
    /// Unique in the process, for ever; odd for a set that is never dropped.
    pub(crate) id: u64,
    pub(crate) space: &'static Space,
    pub(crate) info: &'static TypeInfo,
    /// The most handles that may be live; `usize::MAX` for no limit.
    pub(crate) limit: usize,
    /// Live handles; counted only where there is a limit.
    live: AtomicUsize,
    /// Values that are removed and still held.
    deferred: AtomicUsize,
    pages: Mutex<Vec<PagePtr>>,
    /// What each thread has of this set.
    #[cfg(not(haft_loom))]
    pub(super) shards: thread_local::ThreadLocal<Box<Shard>>,
    /// What threads share that have no record of their own.
    common: Mutex<Option<Box<Shard>>>,
    /// The next in the space's list of leftovers; used under its lock.
    next_leftover: AtomicPtr<Set>,
}

/// What a set holds, added up.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Totals {
    pub(crate) created: u64,
    /// Slots that are live, reserved, or removed and still held.
    pub(crate) outstanding: u64,
    /// Values that are removed and still held.
    pub(crate) deferred: usize,
    pub(crate) retired: usize,
    pub(crate) returned: usize,
    pub(crate) pages: usize,
    pub(crate) bytes: usize,
}

impl Totals {
    /// Handles that are live or reserved.
    pub(crate) fn live(&self) -> usize {
        (self.outstanding as usize).saturating_sub(self.deferred)
    }

    /// Adds what a page says of itself.
    ///
    /// # Safety
    ///
    /// The page stays allocated (I2).
    pub(crate) unsafe fn add(&mut self, page: PagePtr) {
        // SAFETY(I2): the caller's promise.
        let header = unsafe { page.header() };
        self.outstanding += header.outstanding();
        self.created += header.created();
        self.returned += header.returned();
        // SAFETY(I2): as above.
        self.retired += unsafe { retired(page) };
        self.bytes += header.info.page_size(header.capacity);
        self.pages += 1;
    }
}

/// Slots of a page whose generations are used up; looked for only where there can be any.
///
/// # Safety
///
/// The page stays allocated (I2).
unsafe fn retired(page: PagePtr) -> usize {
    // SAFETY(I2): the caller's promise.
    let header = unsafe { page.header() };
    let is_retired = |index: &u32| {
        // SAFETY(I2): the caller's promise; primed slots are within the page.
        header.is_retired(*index, unsafe { page.any_slot(Link::to(*index)) }.state())
    };
    if header.may_have_retired() { (0..header.primed()).filter(is_retired).count() } else { 0 }
}

impl Set {
    pub(crate) fn new<T: 'static>(space: &'static Space, limit: usize, perpetual: bool) -> Self {
        Self::of(TypeInfo::of::<T>(), space, limit, perpetual)
    }

    /// A set of values with this description.
    pub(crate) fn of(info: &'static TypeInfo, space: &'static Space, limit: usize, perpetual: bool) -> Self {
        Self {
            id: unique_number() << 1 | u64::from(perpetual),
            space,
            info,
            limit,
            live: AtomicUsize::new(0),
            deferred: AtomicUsize::new(0),
            pages: Mutex::new(Vec::new()),
            #[cfg(not(haft_loom))]
            shards: thread_local::ThreadLocal::new(),
            common: Mutex::new(None),
            next_leftover: AtomicPtr::new(ptr::null_mut()),
        }
    }

    /// The shard for threads that have no record, locked.
    pub(crate) fn common(&self) -> MutexGuard<'_, Option<Box<Shard>>> {
        let mut common = self.common.lock();
        if common.is_none() {
            *common = Some(Box::new(Shard::new(NonNull::from(self), self.space.common_record())));
        }
        common
    }

    /// A new page in the table, for a shard of this set.
    pub(super) fn add_page(&self, shard: &Shard, grown: u32) -> Result<PagePtr, Exhausted> {
        #[cfg(not(haft_loom))]
        super::at_exit::first_use();
        reclaim_leftovers(self.space);
        let size = self.space.size();
        let mut pages = self.pages.lock();
        pages.try_reserve(1).map_err(|_| Exhausted::Memory)?;
        let place = self.space.take_place(shard.owner).ok_or(Exhausted::Space)?;
        let wanted = FIRST_PAGE << (3 * grown.min(3));
        let slots = self.info.slots_per_page(wanted.min(size.slots));
        let page = PagePtr::allocate(&NewPage {
            info: self.info,
            owner: shard.owner,
            shard: NonNull::from(shard),
            place,
            capacity: slots,
            past: self.space.past(place),
            last_generation: size.last_generation,
            seed: self.space.place_seed(place),
        });
        let Some(page) = page else {
            self.space.untake_place(shard.owner, place);
            return Err(Exhausted::Memory);
        };
        pages.push(page);
        // SAFETY(I2): just made.
        unsafe { self.space.install(page, self) };
        #[cfg(all(feature = "tracing", not(haft_loom)))]
        super::trace::grown(slots, self.info.page_size(slots));
        Ok(page)
    }

    /// Counts one more live handle against the limit. Relaxed: it only counts.
    pub(crate) fn count_in(&self) -> bool {
        let below = |live: usize| (live < self.limit).then_some(live + 1);
        self.live.fetch_update(Ordering::Relaxed, Ordering::Relaxed, below).is_ok()
    }

    /// Counts one live handle less.
    pub(crate) fn count_out(&self) {
        self.live.fetch_sub(1, Ordering::Relaxed);
    }

    /// Counts one more value that is removed and still held. Relaxed, as all counters.
    pub(super) fn defer(&self) {
        self.deferred.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts one such value less.
    pub(super) fn undefer(&self) {
        self.deferred.fetch_sub(1, Ordering::Relaxed);
    }

    /// Values that are removed and still held.
    pub(crate) fn deferred(&self) -> usize {
        self.deferred.load(Ordering::Relaxed)
    }

    /// The pages that the set has now. They stay as long as the set does.
    pub(crate) fn pages(&self) -> Vec<PagePtr> {
        self.pages.lock().clone()
    }

    /// Everything added up; exact where nobody creates or removes meanwhile.
    pub(crate) fn totals(&self) -> Totals {
        let mut totals = Totals { deferred: self.deferred(), ..Totals::default() };
        // SAFETY(I2): pages stay as long as the set.
        self.pages.lock().iter().for_each(|page| unsafe { totals.add(*page) });
        totals
    }

    /// Removes every handle that was live when the call began; a panic of a value's drop is passed on after the last one.
    ///
    /// `with_record` lends the calling thread's record. It is asked for each handle anew: a value's drop may change it.
    pub(crate) fn clear(&self, removed: u32, with_record: WithRecord<'_>) {
        let mut panic: Option<Box<dyn Any + Send>> = None;
        // One by one, since a copy of the list needs memory. They only become more.
        let pages = self.pages.lock().len();
        for page in (0..pages).map_while(|index| self.pages.lock().get(index).copied()) {
            // SAFETY(I2): pages stay as long as the set.
            let header = unsafe { page.header() };
            for index in 0..header.primed() {
                // SAFETY(I2): as above; primed slots are within the page.
                let slot = unsafe { page.any_slot(Link::to(index)) };
                let state = slot.state();
                if state.phase() != Phase::Live {
                    continue;
                }
                let handle = header.handle(Link::to(index), state.generation());
                let entry = self.space.entry(handle);
                let mut closed = None;
                with_record(&mut |me| {
                    // SAFETY(I2): as above.
                    let winner = unsafe { Winner::new(entry, entry.gate(), me, slot, handle) };
                    closed = winner.map(|winner| (winner.finish(self.space, me, removed), me));
                });
                let Some((Closed::Alone(alone), me)) = closed else {
                    continue;
                };
                // (A record that was only lent is nobody's shard, so it does no harm to name it.)
                if let Err(payload) = catch_unwind(AssertUnwindSafe(|| alone.drop_value(Some(me)))) {
                    match panic {
                        None => panic = Some(payload),
                        Some(_) => discard(payload),
                    }
                }
            }
        }
        if let Some(payload) = panic
            && !std::thread::panicking()
        {
            resume_unwind(payload);
        }
    }

    /// Ends the set: drops all values that nobody holds, and frees what can be freed.
    ///
    /// # Safety
    ///
    /// The set comes from `Box::into_raw`, is not perpetual, and nobody uses it any more, but for holders of its values.
    pub(crate) unsafe fn retire(set: NonNull<Self>, removed: u32, with_record: WithRecord<'_>) {
        // SAFETY(I2): the caller's promise.
        let space = unsafe { set.as_ref() }.space;
        // However the values' drops end, the memory is taken care of.
        let _at_the_end = Retire(set, space);
        // SAFETY(I2): as above.
        unsafe { set.as_ref() }.clear(removed, with_record);
    }

    /// Takes the pages out of the table that nobody needs: whether anything waits to be freed, and how many pages.
    ///
    /// # Safety
    ///
    /// The set is retired.
    unsafe fn withdraw(&self) -> (bool, usize) {
        let pages = self.pages.lock();
        let mut waiting = 0;
        for &page in &*pages {
            // SAFETY(I2): the page is in the list, so it was not freed.
            let header = unsafe { page.header() };
            if self.space.has(header.place, page) {
                if header.outstanding() > 0 {
                    continue;
                }
                // SAFETY(I8): nothing is outstanding, and nobody creates handles in a retired set.
                if !unsafe { self.space.withdraw(page) } {
                    continue;
                }
            }
            waiting += 1;
        }
        (waiting > 0 || pages.is_empty(), waiting)
    }

    /// Frees the withdrawn pages that no cell keeps. `true` where none is left, and the set itself can go.
    ///
    /// # Safety
    ///
    /// The set is retired, and the space was settled after the last withdrawal.
    unsafe fn free(&self) -> bool {
        let mut pages = self.pages.lock();
        pages.retain(|&page| {
            // SAFETY(I2): the page is in the list, so it was not freed.
            let (place, owner) = unsafe { (page.header().place, page.header().owner) };
            if self.space.has(place, page) || self.space.is_kept(place) {
                return true;
            }
            // SAFETY(I2): out of the table, kept by no cell, nothing outstanding, and leaving the list.
            unsafe { page.free() };
            self.space.recycle(place, owner);
            false
        });
        pages.is_empty()
    }
}

/// Lends the record of the calling thread.
pub(crate) type WithRecord<'a> = &'a dyn Fn(&mut dyn FnMut(&'static Record));

struct Retire(NonNull<Set>, &'static Space);

impl Drop for Retire {
    fn drop(&mut self) {
        push(&mut self.1.leftovers.lock(), self.0);
        reclaim_leftovers(self.1);
    }
}

/// Puts a retired set in front of the list, whose lock the caller holds.
fn push(first: &mut Option<NonNull<Set>>, set: NonNull<Set>) {
    let next = first.replace(set).map_or(ptr::null_mut(), NonNull::as_ptr);
    // SAFETY(I2): retired, and not freed while it is in the list or about to be.
    unsafe { set.as_ref() }.next_leftover.store(next, Ordering::Relaxed);
}

/// The sets of a list that was taken out of the space.
fn each(first: Option<NonNull<Set>>) -> impl Iterator<Item = NonNull<Set>> {
    std::iter::successors(first, |set| {
        // SAFETY(I2): retired, and not freed while it is in the list.
        NonNull::new(unsafe { set.as_ref() }.next_leftover.load(Ordering::Relaxed))
    })
}

/// Frees what is left of dropped sets, where that has become possible. Never waits for another thread that does it.
fn reclaim_leftovers(space: &'static Space) {
    let Some(mut leftovers) = space.leftovers.try_lock() else {
        return;
    };
    let (mut any, mut waiting) = (false, 0);
    for set in each(*leftovers) {
        // SAFETY(I2): only retired sets are in the list.
        let (ready, pages) = unsafe { set.as_ref().withdraw() };
        any |= ready;
        waiting += pages;
    }
    // One barrier for all of their pages, and none where nothing can be freed.
    if !any || (waiting > 0 && !space.settle()) {
        return;
    }
    let mut next = leftovers.take();
    while let Some(set) = next {
        // Before the set may be gone.
        next = each(Some(set)).nth(1);
        // SAFETY(I2): retired; settled after the withdrawals above.
        if unsafe { set.as_ref().free() } {
            // SAFETY(I2): from `Box::into_raw`, as `retire` demands; no page, so no holder, refers to it.
            drop(unsafe { Box::from_raw(set.as_ptr()) });
        } else {
            push(&mut leftovers, set);
        }
    }
}
