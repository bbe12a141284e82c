//! A set: the part of a registry that does not know the type. It owns shards and pages.
//!
//! Sets are never freed. A registry that is dropped removes all its handles, gives the memory of its vacant
//! pages back, and *parks* its set for the next registry of that type. What is still held then stays with
//! its holders; the set waits until they have gone.

use super::bits;
use super::exhausted::Exhausted;
use super::layout::TypeInfo;
use super::link::Link;
use super::memory;
use super::page::{Memory, NewPage, Page};
use super::record::Record;
use super::remove;
use super::shard::Shard;
use super::slot::Phase;
use super::space::Space;
use super::unwind::discard;
use super::vacancy::Release;
use crate::sync::{AtomicU64, AtomicUsize, Mutex, MutexGuard, Ordering, fence, pause, unique_number};
use std::any::{Any, TypeId};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

/// Slots of a shard's first page; each of the next ones has eight times as many, up to the largest.
const FIRST_PAGE: u32 = 16;

/// Looks at a page that somebody else looks at, before a registry that is dropped leaves it alone.
const PATIENCE: u32 = 100;

/// The limit of a registry that has none.
pub(crate) const UNLIMITED: usize = usize::MAX;

/// The type of the values, and the last generation.
pub(super) type Key = (TypeId, u32);

/// A registry without its type.
#[derive(Debug)]
pub(crate) struct Set {
    pub(crate) space: &'static Space,
    pub(crate) info: &'static TypeInfo,
    /// The last generation of its slots.
    last_generation: u32,
    /// Unique in the process, for ever; another one for each registry that has the set.
    id: AtomicU64,
    /// The most handles that may be live.
    limit: AtomicUsize,
    /// Live handles; counted only where there is a limit.
    live: AtomicUsize,
    /// Values that are removed and still held.
    deferred: AtomicUsize,
    /// 1 while no registry has the set.
    parked: AtomicUsize,
    /// Handles that earlier registries have created.
    created_before: AtomicU64,
    pages: Mutex<Vec<&'static Page>>,
    /// What each thread has of this set.
    #[cfg(not(haft_loom))]
    pub(super) shards: thread_local::ThreadLocal<&'static Shard>,
    /// What threads share that have no record of their own.
    common: Mutex<Option<&'static Shard>>,
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

    /// Adds what a page says of itself. One without memory counts for nothing but its past.
    pub(crate) fn add(&mut self, page: &Page) {
        self.outstanding += page.outstanding();
        self.created += page.created();
        self.returned += page.returned();
        self.retired += page.retired();
        if page.primed() > 0 {
            // SAFETY(I2): slots were primed, so it is installed.
            self.bytes += unsafe { page.extent() }.1.bytes;
            self.pages += 1;
        }
    }
}

impl Set {
    /// A set for a registry of values with this description: one that was parked, or a new one.
    pub(crate) fn of(info: &'static TypeInfo, space: &'static Space, limit: usize) -> &'static Self {
        Self::narrow(info, space, limit, bits::MAX_GENERATION)
    }

    /// As [`Set::of`], whose handles have no generation above this one.
    pub(crate) fn narrow(
        info: &'static TypeInfo,
        space: &'static Space,
        limit: usize,
        last_generation: u32,
    ) -> &'static Self {
        let id = unique_number();
        let last_generation = last_generation.min(space.size().last_generation);
        let key = (info.id(), last_generation);
        if let Some(parked) = space.unpark(key, Self::unpark_if_vacant) {
            parked.adopt(id, limit);
            return parked;
        }
        space.expect_set(key);
        Box::leak(Box::new(Self {
            space,
            info,
            last_generation,
            id: AtomicU64::new(id),
            limit: AtomicUsize::new(limit),
            live: AtomicUsize::new(0),
            deferred: AtomicUsize::new(0),
            parked: AtomicUsize::new(0),
            created_before: AtomicU64::new(0),
            pages: Mutex::new(Vec::new()),
            #[cfg(not(haft_loom))]
            shards: thread_local::ThreadLocal::new(),
            common: Mutex::new(None),
        }))
    }

    /// What registries must have in common that have the set one after the other.
    pub(super) fn key(&self) -> Key {
        (self.info.id(), self.last_generation)
    }

    /// The identity of the registry that has the set. Relaxed: who has the registry has it visible.
    #[inline(always)]
    pub(crate) fn id(&self) -> u64 {
        self.id.load(Ordering::Relaxed)
    }

    /// The most handles that may be live.
    pub(crate) fn limit(&self) -> usize {
        self.limit.load(Ordering::Relaxed)
    }

    /// Returns `true` if the registry counts its live handles.
    pub(crate) fn is_limited(&self) -> bool {
        self.limit() != UNLIMITED
    }

    /// Returns `true` while no registry has the set, so no handle is created in it. The caller has set
    /// `RELEASING` in a page of it.
    ///
    /// `SeqCst` (E16): after that; pairs with [`Set::unpark_if_vacant`].
    pub(super) fn is_parked(&self) -> bool {
        self.parked.load(Ordering::SeqCst) != 0
    }

    /// Takes the set for a registry, if nothing is outstanding in it and nobody is giving memory of it back.
    ///
    /// `SeqCst` (E16): the set is not parked any more before the pages are looked at. So either this sees
    /// that somebody is at a page, or that one sees that the set is not parked.
    fn unpark_if_vacant(&self) -> bool {
        self.parked.store(0, Ordering::SeqCst);
        fence(Ordering::SeqCst);
        let is_vacant = |page: &&Page| page.outstanding() == 0 && !page.is_being_released();
        let vacant = self.pages.lock().iter().all(is_vacant);
        if !vacant {
            self.parked.store(1, Ordering::SeqCst);
        }
        vacant
    }

    /// Gives the set, which is vacant, to another registry.
    fn adopt(&self, id: u64, limit: usize) {
        self.id.store(id, Ordering::Relaxed);
        self.limit.store(limit, Ordering::Relaxed);
        self.live.store(0, Ordering::Relaxed);
        let pages = self.pages.lock();
        self.created_before.store(pages.iter().map(|page| page.created()).sum(), Ordering::Relaxed);
        for page in &*pages {
            page.give_to(id, limit == UNLIMITED);
        }
    }

    /// The shard for threads that have no record, locked.
    pub(crate) fn common(&'static self) -> MutexGuard<'static, Option<&'static Shard>> {
        let mut common = self.common.lock();
        if common.is_none() {
            *common = Some(self.new_shard(self.space.common_record()));
        }
        if let Some(shard) = &*common {
            // SAFETY(I6): the lock makes this thread the owner.
            unsafe { shard.begin_anew_after_fork() };
        }
        common
    }

    /// A shard for this record's thread.
    pub(super) fn new_shard(&'static self, owner: &'static Record) -> &'static Shard {
        Box::leak(Box::new(Shard::new(self, owner)))
    }

    /// A new page in the table, for a shard of this set.
    pub(super) fn add_page(
        &'static self,
        shard: &'static Shard,
        grown: u32,
    ) -> Result<&'static Page, Exhausted> {
        let size = self.space.size();
        let slots = self.info.slots_per_page((FIRST_PAGE << (3 * grown.min(3))).min(size.slots));
        let mut pages = self.pages.lock();
        pages.try_reserve(1).map_err(|_| Exhausted::Memory)?;
        let place = self.space.take_place(shard.owner)?;
        let Some(memory) = memory::take(self.info, slots) else {
            self.space.untake_place(shard.owner, place);
            return Err(Exhausted::Memory);
        };
        let page = self.space.install(&NewPage {
            slots,
            set: self.id(),
            unlimited: !self.is_limited(),
            memory: Memory::new(memory),
            info: self.info,
            shard,
            place,
            last_generation: self.last_generation,
            seed: self.space.place_seed(place),
        });
        pages.push(page);
        #[cfg(all(feature = "tracing", not(haft_loom)))]
        super::trace::grown(slots, self.info.page_layout(slots).map_or(0, |layout| layout.bytes));
        Ok(page)
    }

    /// Counts one more live handle against the limit. Relaxed: it only counts.
    pub(crate) fn count_in(&self) -> bool {
        let below = |live: usize| (live < self.limit()).then_some(live + 1);
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

    /// The pages that the set has now.
    pub(crate) fn pages(&self) -> Vec<&'static Page> {
        self.pages.lock().clone()
    }

    /// Everything added up; exact where nobody creates or removes meanwhile.
    pub(crate) fn totals(&self) -> Totals {
        let mut totals = Totals { deferred: self.deferred(), ..Totals::default() };
        self.pages.lock().iter().for_each(|page| totals.add(page));
        totals.created = totals.created.saturating_sub(self.created_before.load(Ordering::Relaxed));
        totals
    }

    /// Removes every handle that was live when the call began; a panic of a value's drop is passed on after
    /// the last one.
    ///
    /// `with_record` lends the calling thread's record. It is asked for each handle anew: a value's drop may
    /// change it.
    pub(crate) fn clear(&self, removed: u32, with_record: WithRecord<'_>) {
        let mut panic: Option<Box<dyn Any + Send>> = None;
        // One by one, since a copy of the list needs memory. They only become more.
        let pages = self.pages.lock().len();
        for page in (0..pages).map_while(|index| self.pages.lock().get(index).copied()) {
            for index in 0..page.primed() {
                let link = Link::to(index);
                // SAFETY(I2): installed; primed slots are within the page.
                let state = unsafe { page.any_slot(link) }.state();
                if state.phase() != Phase::Live {
                    continue;
                }
                // SAFETY(I2): as above.
                let handle = unsafe { page.handle(link, state.generation()) };
                let mut closed = None;
                with_record(&mut |me| {
                    closed =
                        remove::close_found(self.space, me, page, handle, removed).map(|closed| (closed, me));
                });
                let Some((remove::Closed::Alone(alone), me)) = closed else {
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
        if let Some(payload) = panic {
            if !std::thread::panicking() {
                resume_unwind(payload);
            }
        }
    }

    /// Parks a set that was made in vain.
    pub(crate) fn unused(&'static self) {
        // SeqCst: as in `Retire`.
        self.parked.store(1, Ordering::SeqCst);
        self.space.park(self);
    }

    /// Ends the registry that has the set: drops all values that nobody holds, gives the memory back, and
    /// parks the set. Nobody creates handles in it any more.
    pub(crate) fn retire(&'static self, removed: u32, with_record: WithRecord<'_>) {
        // However the values' drops end, the memory is taken care of.
        let _at_the_end = Retire(self);
        self.clear(removed, with_record);
    }
}

/// Lends the record of the calling thread.
pub(crate) type WithRecord<'a> = &'a dyn Fn(&mut dyn FnMut(&'static Record));

struct Retire(&'static Set);

impl Drop for Retire {
    fn drop(&mut self) {
        // SeqCst (E16): from now on those who give the last slots back release the pages.
        self.0.parked.store(1, Ordering::SeqCst);
        for page in self.0.pages.lock().iter() {
            // Who is at it just now is about to find something outstanding. (Not for ever: a child of a fork
            // may have left it in the middle.)
            for _ in 0..PATIENCE {
                if page.try_release(|| true) != Release::Busy {
                    break;
                }
                pause();
            }
        }
        self.0.space.park(self.0);
    }
}
