//! The handle space: one table of pages, indexed by the place in a handle, and the records of all threads.
//!
//! There is one space in a process; models and tests make small ones. A place is given out once, to one
//! record and one type, and keeps its page for ever (I2). The table begins with a small part in place; further
//! parts are made when a place in them is first given out.

use super::bits;
use super::exhausted::Exhausted;
use super::memory;
use super::overdue::Overdue;
use super::page::{NewPage, Page};
use super::record::{Places, Record, RecordKind};
use super::records::Records;
use super::seed::mix;
use super::set::{Key, Set};
use super::waits::Waits;
use crate::sync::{AtomicPtr, AtomicU64, Mutex, Opaque, Ordering, forks};
use std::collections::{BTreeMap, VecDeque};
use std::ptr;

/// Places in the table.
#[cfg(not(haft_loom))]
pub(crate) const PLACES: usize = 1 << bits::PLACE_BITS;
#[cfg(haft_loom)]
pub(crate) const PLACES: usize = 4;

/// Places of the table's first part.
const FIRST: usize = if PLACES < 512 { PLACES } else { 512 };

/// Places of each further part.
const PART: usize = 1024;

/// Further parts, at most. (Part 0 is never made where the first part has all places.)
const PARTS: usize = PLACES.div_ceil(PART);

/// Places that a record is given at a time.
#[cfg(not(haft_loom))]
const RUN: u32 = 16;
#[cfg(haft_loom)]
const RUN: u32 = 1;

/// One part in so many of all places is kept for threads that have none of their own.
const COMMON_PART: u32 = 16;

/// How large a space is; the real one uses the whole layout.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Size {
    /// Places that may be used, a multiple of a run's.
    pub(crate) places: u32,
    /// Slots in a page at most.
    pub(crate) slots: u32,
    /// The last generation of a slot.
    pub(crate) last_generation: u32,
}

impl Size {
    /// All that the handle's bits can name.
    pub(crate) const FULL: Self =
        Self { places: PLACES as u32, slots: bits::MAX_SLOTS, last_generation: bits::MAX_GENERATION };
}

/// Which places are still unused.
#[derive(Debug)]
struct Unused {
    /// The next for a thread, and its end.
    threads: (u32, u32),
    /// The next for the common record, and its end.
    common: (u32, u32),
}

/// The sets of one type that no registry has.
#[derive(Debug, Default)]
struct Parked {
    sets: VecDeque<&'static Set>,
    /// How many sets of the type there are, with those that registries have.
    all: usize,
}

/// The table, the records, and what is left to give out.
#[derive(Debug)]
pub(crate) struct Space {
    first: Opaque<[Page; FIRST]>,
    /// The parts of the table after the first, each of [`PART`] pages; null where none is made yet.
    parts: [AtomicPtr<Page>; PARTS],
    /// Every record ever made.
    records: Records,
    overdue: Overdue,
    waits: Waits,
    unused: Mutex<Option<Unused>>,
    /// The record that owns what threads without a shard create. No thread ever claims it.
    common: AtomicPtr<Record>,
    /// What dropped registries have left to the next ones, by the type of their values.
    parked: Mutex<BTreeMap<Key, Parked>>,
    seed: AtomicU64,
    /// `None` for all that the handle's bits can name.
    size: Option<Size>,
}

// SAFETY(I2): pages may be shared, and so may everything beside them.
unsafe impl Sync for Space {}

/// Where the table has no part.
#[cfg(not(haft_loom))]
static NOTHING: Page = Page::empty();

impl Space {
    /// The real thing, all zeros.
    #[cfg(not(haft_loom))]
    pub(crate) const fn new() -> Self {
        Self {
            first: Opaque::new([const { Page::empty() }; FIRST]),
            parts: [const { AtomicPtr::new(ptr::null_mut()) }; PARTS],
            records: Records::new(),
            overdue: Overdue::new(),
            waits: Waits::new(),
            unused: Mutex::new(None),
            common: AtomicPtr::new(ptr::null_mut()),
            parked: Mutex::new(BTreeMap::new()),
            seed: AtomicU64::new(0),
            size: None,
        }
    }

    /// A small one for models.
    #[cfg(haft_loom)]
    pub(crate) fn new(size: Size) -> Self {
        Self {
            first: Opaque::new(std::array::from_fn(|_| Page::empty())),
            parts: std::array::from_fn(|_| AtomicPtr::new(ptr::null_mut())),
            records: Records::new(),
            overdue: Overdue::new(),
            waits: Waits::new(),
            unused: Mutex::new(None),
            common: AtomicPtr::new(ptr::null_mut()),
            parked: Mutex::new(BTreeMap::new()),
            seed: AtomicU64::new(0),
            size: Some(size),
        }
    }

    /// A space of its own on the heap, for a test.
    #[cfg(all(test, not(haft_loom)))]
    pub(crate) fn leaked(size: Size) -> &'static Self {
        Box::leak(Box::new(Self { size: Some(size), ..Self::new() }))
    }

    /// How large the space is.
    pub(crate) fn size(&self) -> Size {
        self.size.unwrap_or(Size::FULL)
    }

    // ---- the table ----

    /// The page at a handle's place; an empty one where there is none.
    #[inline(always)]
    pub(crate) fn page(&'static self, handle: u64) -> &'static Page {
        // The index as bytes, so that it is one shift and one mask.
        #[cfg(not(haft_loom))]
        {
            const { assert!(size_of::<Page>().is_power_of_two()) };
            let offset = bits::place_times::<{ size_of::<Page>() }>(handle);
            if offset < FIRST * size_of::<Page>() {
                // SAFETY(I2): within the first part.
                return unsafe { &*self.first.get().cast::<Page>().byte_add(offset) };
            }
        }
        self.at(bits::place(handle) as usize % PLACES)
    }

    #[inline(always)]
    fn at(&'static self, place: usize) -> &'static Page {
        if place < FIRST {
            // SAFETY(I2): within the first part.
            return unsafe { &*self.first.get().cast::<Page>().add(place) };
        }
        self.in_parts(place)
    }

    #[cfg(not(haft_loom))]
    #[inline(always)]
    fn in_parts(&'static self, place: usize) -> &'static Page {
        // Acquire (E2): the part's zeros are visible.
        let part = self.parts[place / PART].load(Ordering::Acquire);
        if part.is_null() {
            return &NOTHING;
        }
        // SAFETY(I2): parts are never freed, and have so many pages.
        unsafe { &*part.add(place % PART) }
    }

    #[cfg(haft_loom)]
    fn in_parts(&'static self, place: usize) -> &'static Page {
        unreachable!("there is no place {place}")
    }

    /// Makes the part of the table that a place is in. Returns `false` if there is no memory.
    fn make_part(&self, place: usize) -> bool {
        use std::alloc::{Layout, alloc_zeroed, dealloc};
        if place < FIRST || !self.parts[place / PART].load(Ordering::Relaxed).is_null() {
            return true;
        }
        // A small alignment, so that the allocator need not touch the memory.
        let align = align_of::<Page>();
        let Ok(layout) = Layout::from_size_align(PART * size_of::<Page>() + align, memory::SMALL_ALIGN)
        else {
            return false;
        };
        // SAFETY(I2): of a size that is not zero.
        let start = unsafe { alloc_zeroed(layout) };
        if start.is_null() {
            return false;
        }
        // SAFETY(I2): within the allocation.
        let pages = unsafe { start.add(start.align_offset(align)) }.cast::<Page>();
        // Release (E2): the zeros come before; they are pages of no registry.
        let part = &self.parts[place / PART];
        if part.compare_exchange(ptr::null_mut(), pages, Ordering::Release, Ordering::Relaxed).is_err() {
            // SAFETY(I2): nobody else has seen it.
            unsafe { dealloc(start, layout) };
        }
        true
    }

    /// Every page that was ever installed.
    pub(crate) fn pages(&'static self) -> impl Iterator<Item = &'static Page> {
        self.used_places().map(|place| self.at(place as usize % PLACES)).filter(|page| page.is_installed())
    }

    /// What decides the first generations at a place.
    pub(crate) fn place_seed(&self, place: u32) -> u64 {
        mix(self.seed() ^ forks::seed() ^ u64::from(place))
    }

    /// The first generation of a slot at a place, for tests and models.
    #[cfg(test)]
    pub(crate) fn first_generation(&self, place: u32, slot: u32) -> u32 {
        use super::seed::{first_generation, highest_first};
        let seed = self.place_seed(place);
        first_generation(seed, slot, highest_first(seed, self.size().last_generation))
    }

    fn seed(&self) -> u64 {
        let seed = self.seed.load(Ordering::Relaxed);
        if seed != 0 {
            return seed;
        }
        let random = random_seed();
        match self.seed.compare_exchange(0, random, Ordering::Relaxed, Ordering::Relaxed) {
            Ok(_) => random,
            Err(earlier) => earlier,
        }
    }

    /// Installs a page in a place that was just taken.
    pub(super) fn install(&'static self, new: &NewPage) -> &'static Page {
        let page = self.at(new.place as usize % PLACES);
        page.install(new);
        page
    }

    // ---- records ----

    /// Makes a record that may own pages, which nobody has claimed.
    pub(crate) fn add_record(&'static self) -> &'static Record {
        self.records.add(RecordKind::Owner)
    }

    /// Makes a record for threads that only look up, which nobody has claimed.
    #[cfg(not(haft_loom))]
    pub(crate) fn add_pooled_record(&'static self) -> &'static Record {
        self.records.add(RecordKind::Pooled)
    }

    /// All records.
    #[cfg(not(haft_loom))]
    pub(crate) fn all_records(&'static self) -> impl Iterator<Item = &'static Record> {
        self.records.all()
    }

    /// The records, to look at their cells.
    pub(super) fn records(&self) -> &Records {
        &self.records
    }

    /// What waits for the answers of threads.
    pub(super) fn overdue(&self) -> &Overdue {
        &self.overdue
    }

    /// The removers that wait.
    #[inline]
    pub(crate) fn waits(&self) -> &Waits {
        &self.waits
    }

    /// How many records were made so far.
    pub(crate) fn record_count(&self) -> u32 {
        self.records.count()
    }

    /// The record that owns the common shards.
    pub(crate) fn common_record(&'static self) -> &'static Record {
        loop {
            // Acquire (E2): the record's fields are visible.
            // SAFETY(I5): records are never freed.
            if let Some(record) = unsafe { self.common.load(Ordering::Acquire).as_ref() } {
                return record;
            }
            let _unused = self.unused.lock();
            if self.common.load(Ordering::Relaxed).is_null() {
                let record: *const Record = self.records.add(RecordKind::Common);
                // Release (E2): its fields come before.
                self.common.store(record.cast_mut(), Ordering::Release);
            }
        }
    }

    // ---- places ----

    /// A place for a page of this record.
    ///
    /// # Errors
    ///
    /// All that it may have are taken, or there is no memory for the table.
    pub(crate) fn take_place(&self, record: &Record) -> Result<u32, Exhausted> {
        let is_common = ptr::eq(self.common.load(Ordering::Relaxed), record);
        let mut places = record.places.lock();
        if places.left == 0 {
            let mut unused = self.unused.lock();
            let unused = unused.get_or_insert_with(|| self.all_unused());
            let range = if is_common { &mut unused.common } else { &mut unused.threads };
            if range.0 == range.1 {
                return Err(Exhausted::Space);
            }
            if !self.make_part(range.0 as usize) {
                return Err(Exhausted::Memory);
            }
            *places = Places { next: range.0, left: RUN };
            range.0 += RUN;
        }
        places.left -= 1;
        places.next += 1;
        Ok(places.next - 1)
    }

    /// Gives back a place that was just taken, for a page that could not be made. If another one was taken
    /// from the record meanwhile, the place is lost.
    pub(super) fn untake_place(&self, record: &Record, place: u32) {
        let mut places = record.places.lock();
        if places.next == place + 1 {
            places.next = place;
            places.left += 1;
        }
    }

    fn all_unused(&self) -> Unused {
        let first_common = self.first_common();
        Unused { threads: (0, first_common), common: (first_common, self.size().places) }
    }

    fn first_common(&self) -> u32 {
        let runs = self.size().places / RUN;
        (runs - (runs / COMMON_PART).max(1)) * RUN
    }

    /// Every place that was ever given out.
    fn used_places(&self) -> impl Iterator<Item = u32> + use<> {
        let unused = self.unused.lock();
        let first_common = self.first_common();
        let (threads, common) = match &*unused {
            Some(unused) => (unused.threads.0, unused.common.0),
            None => (0, first_common),
        };
        (0..threads).chain(first_common..common)
    }

    /// Runs of places that were given out to threads.
    #[cfg(not(haft_loom))]
    pub(crate) fn runs_for_threads(&self) -> u32 {
        self.used_for_threads() / RUN
    }

    /// Places that were given out to threads.
    pub(crate) fn used_for_threads(&self) -> u32 {
        self.unused.lock().as_ref().map_or(0, |unused| unused.threads.0)
    }

    // ---- what dropped registries leave ----

    /// Makes room to park one more set of this type, so that dropping a registry needs no memory.
    pub(super) fn expect_set(&self, of: Key) {
        let mut parked = self.parked.lock();
        let Parked { sets, all } = parked.entry(of).or_default();
        *all += 1;
        sets.reserve(*all - sets.len());
    }

    /// Leaves a set to the next registry of its type.
    pub(super) fn park(&self, set: &'static Set) {
        self.parked.lock().entry(set.key()).or_default().sets.push_back(set);
    }

    /// A set that a dropped registry of this type has left, and that is `ready`. Looks at a few of them.
    pub(super) fn unpark(&self, of: Key, ready: impl Fn(&Set) -> bool) -> Option<&'static Set> {
        const LOOKS: usize = 4;
        let mut parked = self.parked.lock();
        let sets = &mut parked.get_mut(&of)?.sets;
        for _ in 0..LOOKS.min(sets.len()) {
            let set = sets.pop_front()?;
            if ready(set) {
                return Some(set);
            }
            sets.push_back(set);
        }
        None
    }
}

/// Different in each process, and in no way secret.
#[cfg(not(haft_loom))]
fn random_seed() -> u64 {
    use std::hash::{BuildHasher, RandomState};
    RandomState::new().hash_one(0) | 1
}

#[cfg(haft_loom)]
fn random_seed() -> u64 {
    1
}
