//! All records: every one ever made, and one bit for each that says whether a thread has claimed it.
//!
//! ```text
//! chunk:   claimed: | 0 to 63 | 64 to 127 | ... | 448 to 511 |    records: | 512 pointers |    next chunk
//! ```
//!
//! Threads come and go, and records stay, so most records may be unclaimed. What the last thread left in
//! such a record is nothing that a remover could find: its cells are free, or noted, and then the slots
//! count their guards (I5). So a remover that must look everywhere reads the bits, one cache line for 512
//! records, and then the records that are claimed.
//!
//! | the bit | the record |
//! |---|---|
//! | 0 | Unclaimed. A remover may skip it. A thread that claims it passes a barrier first, and then finds closed what was closed before the bit was read (E14) |
//! | 1 | Claimed by one thread, which publishes in its cells with the edges E3 and E12 |
//!
//! The bit is the claim itself, so there are no two things to keep in step.

use super::claim::Claim;
use super::record::{Record, RecordKind};
use crate::sync::{AtomicPtr, AtomicU32, AtomicU64, Ordering};
use std::ptr;

/// Words of bits in a chunk.
#[cfg(not(haft_loom))]
const WORDS: usize = 8;
#[cfg(haft_loom)]
const WORDS: usize = 2;

/// Records for each word of bits.
#[cfg(not(haft_loom))]
const ROWS: usize = u64::BITS as usize;
/// Fewer in models, so that they have a second chunk.
#[cfg(haft_loom)]
const ROWS: usize = 1;

const CHUNK: usize = WORDS * ROWS;

/// Some of the records. Never freed.
#[repr(C, align(128))]
#[derive(Debug)]
struct Chunk {
    /// Which of its records are claimed.
    claimed: [AtomicU64; WORDS],
    next: AtomicPtr<Chunk>,
    /// Null where there is none yet.
    records: [AtomicPtr<Record>; CHUNK],
}

impl Chunk {
    /// A chunk without records: all zeros.
    #[cfg(not(haft_loom))]
    const fn empty() -> Self {
        Self {
            claimed: [const { AtomicU64::new(0) }; WORDS],
            next: AtomicPtr::new(ptr::null_mut()),
            records: [const { AtomicPtr::new(ptr::null_mut()) }; CHUNK],
        }
    }

    /// A chunk without records.
    #[cfg(haft_loom)]
    fn empty() -> Self {
        Self {
            claimed: std::array::from_fn(|_| AtomicU64::new(0)),
            next: AtomicPtr::new(ptr::null_mut()),
            records: std::array::from_fn(|_| AtomicPtr::new(ptr::null_mut())),
        }
    }

    /// The chunk after this one.
    ///
    /// `SeqCst` (E14): as for the bits, which are in it. Acquire (E2): its zeros are visible.
    fn next(&self) -> Option<&'static Self> {
        // SAFETY(I5): null, or leaked by `next_or_new`.
        unsafe { self.next.load(Ordering::SeqCst).as_ref() }
    }

    fn next_or_new(&self) -> &'static Self {
        if let Some(next) = self.next() {
            return next;
        }
        let new = Box::into_raw(Box::new(Self::empty()));
        // Release (E2): its zeros come before. SeqCst (E14): before the claims in it, also for a remover
        // that has not seen any of them yet. Acquire, where it fails: the zeros of the other one.
        match self.next.compare_exchange(ptr::null_mut(), new, Ordering::SeqCst, Ordering::Acquire) {
            // SAFETY(I5): leaked.
            Ok(_) => unsafe { &*new },
            Err(earlier) => {
                // SAFETY(I5): from a box, and nobody else has seen it; the earlier one is leaked.
                unsafe {
                    drop(Box::from_raw(new));
                    &*earlier
                }
            }
        }
    }
}

/// All records.
#[derive(Debug)]
pub(super) struct Records {
    first: Chunk,
    count: AtomicU32,
}

impl Records {
    /// Without any record: all zeros.
    #[cfg(not(haft_loom))]
    pub(super) const fn new() -> Self {
        Self { first: Chunk::empty(), count: AtomicU32::new(0) }
    }

    /// Without any record.
    #[cfg(haft_loom)]
    pub(super) fn new() -> Self {
        Self { first: Chunk::empty(), count: AtomicU32::new(0) }
    }

    /// How many records were made so far.
    pub(super) fn count(&self) -> u32 {
        self.count.load(Ordering::Relaxed)
    }

    /// Makes a record, which no thread has claimed.
    pub(super) fn add(&'static self, kind: RecordKind) -> &'static Record {
        let index = self.count.fetch_add(1, Ordering::Relaxed) as usize;
        let chunk = (0..index / CHUNK).fold(&self.first, |chunk, _| chunk.next_or_new());
        let row = index % CHUNK;
        let claim = Claim::new(&chunk.claimed[row / ROWS], 1 << (row % ROWS));
        let record = Box::leak(Box::new(Record::new(index as u32, claim, kind)));
        // Release (E2): its fields come before whoever finds it.
        chunk.records[row].store(record, Ordering::Release);
        record
    }

    /// The record with this number.
    pub(super) fn get(&self, index: u32) -> Option<&'static Record> {
        let index = index as usize;
        let chunk = (0..index / CHUNK).try_fold(&self.first, |chunk, _| chunk.next())?;
        // Acquire (E2): the record's fields are visible.
        // SAFETY(I5): null, or leaked by `add`.
        unsafe { chunk.records[index % CHUNK].load(Ordering::Acquire).as_ref() }
    }

    /// Shows the record with this number if it is claimed now: as [`Records::each_claimed`].
    pub(super) fn claimed(&self, index: u32, show: impl FnOnce(&'static Record)) {
        if let Some(record) = self.get(index) {
            if record.claim.is_taken() {
                show(record);
            }
        }
    }

    /// Shows every record that is claimed now. A remover calls this after it has closed a slot, and
    /// looks at the cells of these records alone: the others hold nothing, and find the slot closed when
    /// they are claimed.
    ///
    /// `SeqCst` (E14): after the close. Acquire (E5): where a bit is not set, the record's last thread
    /// uses nothing any more; where it is, the record is there.
    pub(super) fn each_claimed(&self, mut show: impl FnMut(&'static Record)) {
        let mut next = Some(&self.first);
        while let Some(chunk) = next {
            for (word, claimed) in chunk.claimed.iter().enumerate() {
                let mut claimed = claimed.load(Ordering::SeqCst);
                while claimed != 0 {
                    let row = claimed.trailing_zeros() as usize % ROWS;
                    claimed &= claimed - 1;
                    let record = chunk.records[word * ROWS + row].load(Ordering::Relaxed);
                    // SAFETY(I5): claimed, so `add` had leaked it and noted it here before, and that is
                    // visible.
                    show(unsafe { &*record });
                }
            }
            next = chunk.next();
        }
    }

    /// All records, claimed or not.
    pub(super) fn all(&self) -> impl Iterator<Item = &'static Record> {
        let chunks = std::iter::successors(Some(&self.first), |chunk| chunk.next());
        // Acquire (E2): the record's fields are visible.
        // SAFETY(I5): null, or leaked by `add`.
        let found = |place: &AtomicPtr<Record>| unsafe { place.load(Ordering::Acquire).as_ref() };
        chunks.flat_map(|chunk| &chunk.records).take(self.count() as usize).filter_map(found)
    }
}
