//! The handle space: one table of pages, indexed by the place in a handle, and the records of all threads.
//!
//! There is one space in a process; models and tests make small ones. Places are given out in shards of 64, each shard to one
//! record, and come back when a registry is dropped, together with a generation that is above all that were issued
//! there (S1).

use super::barrier;
use super::bits;
use super::cells::Record;
use super::entry::{Entry, Gate};
use super::page::PagePtr;
use super::past::Past;
use super::roster::Roster;
use super::seed::{first_generation, mix};
use super::set::Set;
use super::slot::READER_GROUPS;
use crate::sync::{AtomicPtr, AtomicU64, Mutex, Ordering, fence};
use std::ptr::{self, NonNull};

/// Places in the table.
#[cfg(not(haft_loom))]
pub(crate) const PLACES: usize = 1 << bits::PLACE_BITS;
#[cfg(haft_loom)]
pub(crate) const PLACES: usize = 4;

/// Places of a shard.
#[cfg(not(haft_loom))]
const SHARD_PLACES: u32 = 1 << bits::PAGE_BITS;
#[cfg(haft_loom)]
const SHARD_PLACES: u32 = 1;

/// One part in so many of all shards is kept for threads that have none of their own.
const COMMON_PART: u32 = 16;

const ALL_GROUPS: u32 = (1 << READER_GROUPS) - 1;

/// How large a space is; the real one uses the whole layout.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Size {
    /// Places that may be used, a multiple of a shard's.
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

/// Where a record gets places from.
#[derive(Debug, Default)]
pub(crate) struct Places {
    /// The next unused place and how many follow it in the shard.
    fresh: (u32, u32),
    /// Places that came back.
    free: Vec<u32>,
}

/// Which shard numbers are still unused.
#[derive(Debug)]
struct Unused {
    /// The next for a thread, and its end.
    threads: (u32, u32),
    /// The next for the common record, and its end.
    common: (u32, u32),
}

/// The table, the records, and what is left to give out.
#[derive(Debug)]
pub(crate) struct Space {
    entries: [Entry; PLACES],
    /// Per place: what its pages that are gone have used.
    pasts: [AtomicPtr<Past>; PLACES],
    /// Every record ever made.
    roster: Roster,
    unused: Mutex<Option<Unused>>,
    /// The record that owns what threads without a shard create. No thread ever claims it.
    common: AtomicPtr<Record>,
    /// Dropped registries of which somebody still holds a value: the first of a list.
    pub(super) leftovers: Mutex<Option<NonNull<Set>>>,
    /// Handles created in pages that are gone.
    created: AtomicU64,
    seed: AtomicU64,
    /// `None` for all that the handle's bits can name: so that the real space is all zeros, and costs nothing in the binary.
    size: Option<Size>,
}

// SAFETY(I2): the registries in `leftovers` belong to the space and are touched under its lock alone.
unsafe impl Sync for Space {}
// SAFETY(I2): as above.
unsafe impl Send for Space {}

impl Space {
    /// The real thing, all zeros.
    #[cfg(not(haft_loom))]
    pub(crate) const fn new() -> Self {
        Self {
            entries: [const { Entry::empty() }; PLACES],
            pasts: [const { AtomicPtr::new(ptr::null_mut()) }; PLACES],
            roster: Roster::new(),
            unused: Mutex::new(None),
            common: AtomicPtr::new(ptr::null_mut()),
            leftovers: Mutex::new(None),
            created: AtomicU64::new(0),
            seed: AtomicU64::new(0),
            size: None,
        }
    }

    /// A small one for models.
    #[cfg(haft_loom)]
    pub(crate) fn new(size: Size) -> Self {
        Self {
            entries: std::array::from_fn(|_| Entry::empty()),
            pasts: std::array::from_fn(|_| AtomicPtr::new(ptr::null_mut())),
            roster: Roster::new(),
            unused: Mutex::new(None),
            common: AtomicPtr::new(ptr::null_mut()),
            leftovers: Mutex::new(None),
            created: AtomicU64::new(0),
            seed: AtomicU64::new(0),
            size: Some(size),
        }
    }

    /// A space of its own on the heap, for a test.
    #[cfg(all(test, not(haft_loom)))]
    pub(crate) fn leaked(size: Size) -> &'static Self {
        // Never on the stack: the table is too large for a test thread.
        let mut space = Box::<Self>::new_zeroed();
        let fields = space.as_mut_ptr();
        // SAFETY(I2): in bounds of the allocation; every field that is not valid as zeros is written.
        unsafe {
            (&raw mut (*fields).unused).write(Mutex::new(None));
            (&raw mut (*fields).leftovers).write(Mutex::new(None));
            (&raw mut (*fields).size).write(Some(size));
            Box::leak(space.assume_init())
        }
    }

    /// How large the space is.
    pub(crate) fn size(&self) -> Size {
        self.size.unwrap_or(Size::FULL)
    }

    /// Handles created in pages that are gone.
    pub(crate) fn created_before(&self) -> u64 {
        self.created.load(Ordering::Relaxed)
    }

    // ---- lookups ----

    /// What the table says of a handle's place.
    #[inline(always)]
    pub(crate) fn entry(&self, handle: u64) -> &Entry {
        #[cfg(haft_loom)]
        return self.at(bits::place(handle));
        // The index as bytes, so that it is one shift and one mask.
        #[cfg(not(haft_loom))]
        {
            const { assert!(size_of::<Entry>().is_power_of_two() && PLACES == 1 << bits::PLACE_BITS) };
            let offset = bits::place_times::<{ size_of::<Entry>() }>(handle);
            // SAFETY(I2): a place is an index into the table.
            unsafe { &*self.entries.as_ptr().byte_add(offset) }
        }
    }

    /// The page at a handle's place. The caller keeps it, or will look at it only if it does.
    #[inline]
    pub(crate) fn page(&self, handle: u64) -> Option<PagePtr> {
        let entry = self.entry(handle);
        (!entry.gate().is_closed()).then(|| entry.page())
    }

    /// The identity of the registry at a handle's place, 0 for none.
    pub(crate) fn set_id(&self, handle: u64) -> u64 {
        self.entry(handle).gate().set_id()
    }

    /// Slots at a place that others may look at.
    pub(crate) fn ready(&self, place: u32) -> u32 {
        self.at(place).gate().ready()
    }

    /// Lets others look at more slots. The place's owner calls it.
    pub(crate) fn set_ready(&self, place: u32, ready: u32) {
        let entry = self.at(place);
        entry.open(entry.gate().with_ready(ready));
    }

    fn at(&self, place: u32) -> &Entry {
        &self.entries[place as usize % PLACES]
    }

    /// What the pages at a place that are gone have used. Acquire (E2): what it says is visible.
    pub(crate) fn past(&self, place: u32) -> Option<&'static Past> {
        // SAFETY(I7): null, or leaked by `Past::note`.
        unsafe { self.pasts[place as usize % PLACES].load(Ordering::Acquire).as_ref() }
    }

    /// What decides the first generations at a place; the same for all pages that it ever has.
    pub(crate) fn place_seed(&self, place: u32) -> u64 {
        mix(self.seed() ^ u64::from(place))
    }

    /// Whether a page that is gone has issued this handle: its generation is among those that the slot has used up.
    pub(crate) fn was_issued_before(&self, handle: u64) -> bool {
        let place = bits::place(handle);
        if place as usize >= PLACES {
            return false;
        }
        let used = self.past(place).map_or(0, |past| past.used(bits::slot(handle)));
        let first = first_generation(self.place_seed(place), bits::slot(handle), self.size().last_generation);
        (first..first.saturating_add(used)).contains(&bits::generation(handle))
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

    // ---- records ----

    /// Makes a record that may own pages, which nobody has claimed.
    pub(crate) fn add_record(&'static self) -> &'static Record {
        self.roster.add(false)
    }

    /// Makes a record for threads that only look up, which nobody has claimed.
    #[cfg(not(haft_loom))]
    pub(crate) fn add_pooled_record(&'static self) -> &'static Record {
        self.roster.add(true)
    }

    /// The records of one group.
    pub(crate) fn records(&self, group: u32) -> impl Iterator<Item = &'static Record> {
        self.roster.records(group)
    }

    /// All records.
    #[cfg(not(haft_loom))]
    pub(crate) fn all_records(&self) -> impl Iterator<Item = &'static Record> {
        (0..READER_GROUPS).flat_map(|group| self.roster.records(group))
    }

    /// Shows every record of these groups (a bit each) that some thread has claimed: the ones whose cells may hold what was closed before this is called (E14).
    #[inline(always)]
    pub(crate) fn each_claimed(&self, groups: u32, show: impl FnMut(&'static Record)) {
        self.roster.each_claimed(groups, show);
    }

    /// Whether that is so of any claimed record.
    fn any_claimed(&self, is: impl Fn(&Record) -> bool) -> bool {
        let mut any = false;
        self.each_claimed(ALL_GROUPS, |record| any = any || is(record));
        any
    }

    /// Records made so far.
    pub(crate) fn record_count(&self) -> u32 {
        self.roster.count()
    }

    /// The record that owns the common shards.
    pub(crate) fn common_record(&'static self) -> &'static Record {
        loop {
            // Acquire: the record's fields are visible.
            // SAFETY(I5): records are never freed.
            if let Some(record) = unsafe { self.common.load(Ordering::Acquire).as_ref() } {
                return record;
            }
            let _unused = self.unused.lock();
            if self.common.load(Ordering::Relaxed).is_null() {
                let record: *const Record = self.add_record();
                self.common.store(record.cast_mut(), Ordering::Release);
            }
        }
    }

    // ---- places ----

    /// A place for a page of this record. `None` where all that it may have are taken.
    pub(crate) fn take_place(&self, record: &Record) -> Option<u32> {
        let is_common = ptr::eq(self.common.load(Ordering::Relaxed), record);
        let mut places = record.places.lock();
        if let Some(place) = places.free.pop() {
            return Some(place);
        }
        if places.fresh.1 == 0 {
            let mut unused = self.unused.lock();
            let unused = unused.get_or_insert_with(|| self.all_unused());
            let range = if is_common { &mut unused.common } else { &mut unused.threads };
            if range.0 == range.1 {
                return None;
            }
            places.fresh = (range.0 * SHARD_PLACES, SHARD_PLACES);
            range.0 += 1;
        }
        let place = places.fresh.0;
        places.fresh = (place + 1, places.fresh.1 - 1);
        Some(place)
    }

    fn all_unused(&self) -> Unused {
        let shards = self.size().places / SHARD_PLACES;
        let common = (shards / COMMON_PART).max(1);
        Unused { threads: (0, shards - common), common: (shards - common, shards) }
    }

    /// Gives back a place that was taken and never used.
    pub(crate) fn untake_place(&self, record: &Record, place: u32) {
        self.recycle(place, record);
    }

    /// Every place that was ever given out.
    pub(crate) fn used_places(&self) -> impl Iterator<Item = u32> + use<> {
        let unused = self.unused.lock();
        let shards = self.size().places / SHARD_PLACES;
        let first_common = shards - (shards / COMMON_PART).max(1);
        let (threads, common) = match &*unused {
            Some(unused) => (unused.threads.0, unused.common.0),
            None => (0, first_common),
        };
        (0..threads * SHARD_PLACES).chain(first_common * SHARD_PLACES..common * SHARD_PLACES)
    }

    /// Shards that were given out to threads.
    pub(crate) fn used_shards(&self) -> u32 {
        self.unused.lock().as_ref().map_or(0, |unused| unused.threads.0)
    }

    /// Puts a page into the table, with no slots ready.
    ///
    /// # Safety
    ///
    /// The page was just made, for this place.
    pub(crate) unsafe fn install(&self, page: PagePtr, set: &Set) {
        // SAFETY(I2): just made.
        let header = unsafe { page.header() };
        // Nobody claims the common record, so a bias to it would only be in the way.
        let is_common = ptr::eq(self.common.load(Ordering::Relaxed), header.owner);
        let shared = is_common || !barrier::is_available();
        let gate = Gate::new(set.id, set.limit != usize::MAX);
        self.at(header.place).install(page, header, gate, shared);
    }

    /// Whether the page is in the table at this place.
    pub(crate) fn has(&self, place: u32, page: PagePtr) -> bool {
        let entry = self.at(place);
        !entry.gate().is_closed() && entry.page() == page
    }

    /// Takes a page out of the table and keeps its generations in mind: `false` where there is no memory for that, and nothing is done. Afterwards [`Space::is_kept`] tells when it
    /// may be freed.
    ///
    /// # Safety
    ///
    /// The page is in the table, in use by nobody who creates handles, and no slot of it is outstanding (I8).
    pub(crate) unsafe fn withdraw(&self, page: PagePtr) -> bool {
        // SAFETY(I2): the caller's promise.
        let header = unsafe { page.header() };
        // SAFETY(I2): as above.
        let Some(past) = (unsafe { header.note_past(page) }) else {
            return false;
        };
        // Release (E2): pairs with the Acquire in `past`.
        self.pasts[header.place as usize % PLACES].store(ptr::from_ref(past).cast_mut(), Ordering::Release);
        self.created.fetch_add(header.created(), Ordering::Relaxed);
        self.at(header.place).close();
        true
    }

    /// Makes the cells of every thread that came before the last withdrawal visible (E9): `false` where that is impossible.
    pub(crate) fn settle(&self) -> bool {
        fence(Ordering::SeqCst);
        // A record that becomes plain after this has passed a barrier after it, and finds the table without the page. So does one that is claimed after this (E14).
        !self.any_claimed(Record::is_plain) || barrier::heavy()
    }

    /// Whether some thread may still look at the page that was withdrawn from this place, before the last [`Space::settle`].
    pub(crate) fn is_kept(&self, place: u32) -> bool {
        self.any_claimed(|record| record.keeps(place))
    }

    /// Lets the place be used again, by the record that it belongs to. Where there is no memory to note that, it never is.
    pub(crate) fn recycle(&self, place: u32, owner: &Record) {
        let free = &mut owner.places.lock().free;
        if free.try_reserve(1).is_ok() {
            free.push(place);
        }
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
