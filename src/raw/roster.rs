//! Who is there: every record ever made, and one bit for each that says whether a thread has claimed it.
//!
//! ```text
//! sheet:   claimed: | group 0 | group 1 | ... | group 7 |      records: | 64 of group 0 | 64 of group 1 | ... |      next sheet
//!                     64 bits   64 bits         64 bits
//! ```
//!
//! Threads come and go, and records stay, so most records may be nobody's. What the last thread left in such a record is nothing that a remover
//! could find: its cells are free, or noted, and then the slots count their guards (I5). So whoever looks at cells looks at the bits, one cache line for 512
//! records, and then at the records that are claimed alone.
//!
//! | the bit | the record |
//! |---|---|
//! | 0 | nobody's: no cell of it is of any account. Whoever claims it passes a barrier first, and then finds closed what was closed before the bit was read (E14) |
//! | 1 | claimed by one thread, which publishes in its cells with the edges of E3, E9 and E12 |
//!
//! The bit is the claim itself, so that there are no two things to keep in step.

use super::cells::Record;
use super::slot::READER_GROUPS;
use crate::sync::{AtomicPtr, AtomicU32, AtomicU64, Ordering};
use std::ptr;

const GROUPS: usize = READER_GROUPS as usize;

/// Records of one group in a sheet, one bit each.
#[cfg(not(haft_loom))]
const ROWS: usize = u64::BITS as usize;
/// Fewer in models, so that they have a second sheet.
#[cfg(haft_loom)]
const ROWS: usize = 1;

/// Some of the records. Never freed.
#[repr(C, align(128))]
#[derive(Debug)]
struct Sheet {
    /// By group: which of its records in this sheet are claimed.
    claimed: [AtomicU64; GROUPS],
    next: AtomicPtr<Sheet>,
    /// By group: null where there is none yet.
    records: [[AtomicPtr<Record>; ROWS]; GROUPS],
}

impl Sheet {
    /// A sheet without records: all zeros.
    #[cfg(not(haft_loom))]
    const fn empty() -> Self {
        Self {
            claimed: [const { AtomicU64::new(0) }; GROUPS],
            next: AtomicPtr::new(ptr::null_mut()),
            records: [const { [const { AtomicPtr::new(ptr::null_mut()) }; ROWS] }; GROUPS],
        }
    }

    /// A sheet without records.
    #[cfg(haft_loom)]
    fn empty() -> Self {
        Self {
            claimed: std::array::from_fn(|_| AtomicU64::new(0)),
            next: AtomicPtr::new(ptr::null_mut()),
            records: std::array::from_fn(|_| std::array::from_fn(|_| AtomicPtr::new(ptr::null_mut()))),
        }
    }

    /// The sheet after this one.
    ///
    /// `SeqCst` (E14): as for the bits, which are in it. Acquire (I5): its zeros are visible.
    fn next(&self) -> Option<&'static Self> {
        // SAFETY(I5): null, or leaked by `next_or_new`.
        unsafe { self.next.load(Ordering::SeqCst).as_ref() }
    }

    fn next_or_new(&self) -> &'static Self {
        if let Some(next) = self.next() {
            return next;
        }
        let new = Box::into_raw(Box::new(Self::empty()));
        // Release (I5): its zeros come before. SeqCst (E14): before the claims in it, also for a remover that has not seen any of them yet. Acquire, where it fails: the
        // zeros of the one that is there.
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

/// A record's bit.
#[derive(Debug)]
pub(super) struct Claim {
    word: &'static AtomicU64,
    bit: u64,
}

impl Claim {
    /// Takes the record for one thread: whether that has it now. A barrier before everything that the thread does with the record.
    ///
    /// `SeqCst` (E14): before the publications of this thread, and its looks at slots and entries. Acquire (E8): what the last thread did with the record is
    /// visible. Release (I5): the record is in the roster.
    pub(super) fn take(&self) -> bool {
        if self.word.load(Ordering::Relaxed) & self.bit != 0 {
            return false;
        }
        let before = self.word.fetch_or(self.bit, Ordering::SeqCst);
        #[cfg(haft_loom)]
        crate::sync::fence(Ordering::SeqCst);
        before & self.bit == 0
    }

    /// Gives the record up. Release (E5, E8): what this thread did with it, and with what its cells held, comes before whoever claims it or passes it over. (The word is only
    /// ever changed by exchanges, so whoever reads a later value sees that as well.)
    pub(super) fn give_up(&self) {
        self.word.fetch_and(!self.bit, Ordering::Release);
    }
}

/// All records.
#[derive(Debug)]
pub(super) struct Roster {
    first: Sheet,
    count: AtomicU32,
}

impl Roster {
    /// Without any record: all zeros.
    #[cfg(not(haft_loom))]
    pub(super) const fn new() -> Self {
        Self { first: Sheet::empty(), count: AtomicU32::new(0) }
    }

    /// Without any record.
    #[cfg(haft_loom)]
    pub(super) fn new() -> Self {
        Self { first: Sheet::empty(), count: AtomicU32::new(0) }
    }

    /// Records made so far.
    pub(super) fn count(&self) -> u32 {
        self.count.load(Ordering::Relaxed)
    }

    /// Makes a record, which nobody has claimed.
    pub(super) fn add(&'static self, pooled: bool) -> &'static Record {
        let index = self.count.fetch_add(1, Ordering::Relaxed);
        let (group, row) = (index as usize % GROUPS, index as usize / GROUPS);
        let sheet = (0..row / ROWS).fold(&self.first, |sheet, _| sheet.next_or_new());
        let claim = Claim { word: &sheet.claimed[group], bit: 1 << (row % ROWS) };
        let record = Box::leak(Box::new(Record::new(index, claim, pooled)));
        // Release (I5): its fields come before whoever finds it.
        sheet.records[group][row % ROWS].store(record, Ordering::Release);
        record
    }

    fn sheets(&self) -> impl Iterator<Item = &Sheet> {
        std::iter::successors(Some(&self.first), |sheet| sheet.next())
    }

    /// Shows every record of these groups (a bit each) that is claimed now. Whoever has closed something before calls this, and looks at the cells of none but these: the others
    /// hold nothing, and find it closed when they are claimed.
    ///
    /// `SeqCst` (E14): after the close. Acquire (E5): where a bit is not set, what the record's last thread used is used no more; where it is, the record is there.
    ///
    /// (Loops, since a removal by another thread goes through this twice: with iterators in iterators it took a third more instructions.)
    #[inline(always)]
    pub(super) fn each_claimed(&self, groups: u32, mut show: impl FnMut(&'static Record)) {
        let mut next = Some(&self.first);
        while let Some(sheet) = next {
            let mut groups = groups;
            while groups != 0 {
                let group = groups.trailing_zeros() as usize % GROUPS;
                groups &= groups - 1;
                let mut claimed = sheet.claimed[group].load(Ordering::SeqCst);
                while claimed != 0 {
                    let row = claimed.trailing_zeros() as usize % ROWS;
                    claimed &= claimed - 1;
                    let record = sheet.records[group][row].load(Ordering::Relaxed);
                    // SAFETY(I5): claimed, so `add` had leaked it and noted it here before, and that is visible.
                    show(unsafe { &*record });
                }
            }
            next = sheet.next();
        }
    }

    /// The records of one group, whether claimed or not.
    pub(super) fn records(&self, group: u32) -> impl Iterator<Item = &'static Record> {
        let group = group as usize % GROUPS;
        let rows = self.count().div_ceil(READER_GROUPS) as usize;
        // Acquire (I5): the record's fields are visible.
        // SAFETY(I5): null, or leaked by `add`.
        let found = |place: &AtomicPtr<Record>| unsafe { place.load(Ordering::Acquire).as_ref() };
        self.sheets().flat_map(move |sheet| &sheet.records[group]).take(rows).filter_map(found)
    }
}
