//! Hazard cells: how a thread says "I am using this" without writing to what it uses.
//!
//! A [`Record`] belongs to one thread at a time and has eight cells on one cache line. A lookup
//! writes the handle into a free cell, then looks at the slot; a remover closes the slot, then looks at
//! the cells. At least one of them sees the other (E3). A remover that finds the handle in a cell *converts*
//! it: it adds a hold to the slot for that reader and clears the cell's bit 0, which the reader finds when it
//! lets go (E4), and then gives the hold back.
//!
//! | cell | means | who may write what |
//! |---|---|---|
//! | 0 | free | the thread that claimed the record: a handle (I5) |
//! | odd | a handle in use | the guard that owns it: 0; a remover of that handle: bit 0 cleared |
//! | even | converted: the slot counts this reader | the guard that owns it: 0 |
//!
//! A guard owns its cell until it lets go, whatever becomes of the thread's claim in the meantime: the next
//! thread that claims the record sees the cell taken. So guards may outlive their thread's haft state.
//!
//! The idea of hazard pointers is Maged Michael's; converting a hazard into a count is what lets the last
//! holder drop the value at once instead of a later scan.

use super::bits;
use super::slot::{READER_GROUPS, Slot};
use super::space::Places;
use crate::sync::{AtomicBool, AtomicU64, Mutex, Ordering, publish};
use std::ptr;

/// Cells for guards, per record.
#[cfg(not(haft_loom))]
pub(crate) const GUARD_CELLS: usize = 7;
/// Fewer in models: each is one more thing to interleave.
#[cfg(haft_loom)]
pub(crate) const GUARD_CELLS: usize = 2;

/// One thread's cells and claim. Never freed, reused by later threads.
#[repr(C, align(128))]
#[derive(Debug)]
pub(crate) struct Record {
    guards: [Cell; GUARD_CELLS],
    /// For operations that must keep a page, not a value, while they look at it; never held across user code.
    transit: Cell,
    /// The record pushed before this one in its group; set before it is published.
    pub(super) next: *const Record,
    /// The order of creation.
    pub(super) index: u32,
    /// Whether some thread uses the record now.
    claimed: AtomicBool,
    /// The places in the table that this record's pages take.
    pub(super) places: Mutex<Places>,
}

// SAFETY(I5): `next` is written before the record is shared and never after; it points to a record, which is
// never freed. Everything else is atomic or locked.
unsafe impl Sync for Record {}
// SAFETY(I5): as above; no part of a record is bound to the thread that made it.
unsafe impl Send for Record {}

/// One hazard cell.
#[derive(Debug)]
pub(crate) struct Cell(AtomicU64);

impl Cell {
    fn new() -> Self {
        Self(AtomicU64::new(0))
    }

    /// Publishes a handle in a free cell (E3). The claim on the record makes it the caller's to take (I5).
    #[inline]
    pub(crate) fn publish(&self, handle: u64) {
        debug_assert!(bits::is_well_formed(handle));
        publish(&self.0, handle);
    }

    /// Lets go. The handle, and whether the slot counts this reader (the cell was converted).
    ///
    /// Release (E5): the reader's use comes before the drop by a remover that finds the cell free. Acquire
    /// (E4): the hold that the remover added is visible before it is given back.
    #[inline]
    pub(crate) fn release(&self) -> (u64, bool) {
        let was = self.0.swap(0, Ordering::AcqRel);
        (was | 1, was & 1 == 0)
    }

    /// The handle in a cell that the caller owns.
    #[inline]
    pub(crate) fn handle(&self) -> u64 {
        self.0.load(Ordering::Relaxed) | 1
    }

    #[inline]
    fn is_free(&self) -> bool {
        // Acquire (E5): the guard that was here before, perhaps another thread's, is done.
        self.0.load(Ordering::Acquire) == 0
    }

    /// Ends a stay in the transit cell. Release (E9): the page was used before.
    #[inline]
    pub(crate) fn leave(&self) {
        self.0.store(0, Ordering::Release);
    }
}

impl Record {
    pub(super) fn new(index: u32, claimed: bool) -> Self {
        Self {
            guards: std::array::from_fn(|_| Cell::new()),
            transit: Cell::new(),
            next: ptr::null(),
            index,
            claimed: AtomicBool::new(claimed),
            places: Mutex::new(Places::default()),
        }
    }

    /// The group whose bit in a live state word stands for this record.
    #[inline]
    pub(crate) fn group(&self) -> u32 {
        self.index % READER_GROUPS
    }

    /// Takes the record for one thread. Acquire (E8): what the last thread did with it is visible.
    pub(crate) fn claim(&self) -> bool {
        !self.claimed.load(Ordering::Relaxed)
            && self
                .claimed
                .compare_exchange(false, true, Ordering::Acquire, Ordering::Relaxed)
                .is_ok()
    }

    /// Gives the record up. Release (E8): everything that this thread did with it comes before.
    pub(crate) fn disclaim(&self) {
        self.claimed.store(false, Ordering::Release);
    }

    /// A free guard cell. The caller has claimed the record.
    #[inline]
    pub(crate) fn free_cell(&self) -> Option<&Cell> {
        self.guards.iter().find(|cell| cell.is_free())
    }

    /// The cell for short stays. The caller has claimed the record and has no other stay open.
    #[inline]
    pub(crate) fn transit(&self) -> &Cell {
        debug_assert!(self.transit.is_free());
        &self.transit
    }

    /// Converts every guard cell that holds `handle`; the caller has closed `slot` and has a hold on it.
    ///
    /// `SeqCst` (E3): these loads come after the close. Acquire (E5): a cell found free was let go before.
    #[inline]
    pub(crate) fn convert(&self, handle: u64, slot: &Slot) {
        for cell in &self.guards {
            if cell.0.load(Ordering::SeqCst) == handle {
                cell.convert(handle, slot);
            }
        }
    }

    /// Whether any cell keeps the page at `place`. `SeqCst` (E9): comes after the page left the table.
    pub(crate) fn keeps(&self, place: u32) -> bool {
        self.guards.iter().chain([&self.transit]).any(|cell| {
            let handle = cell.0.load(Ordering::SeqCst);
            handle != 0 && bits::place(handle) == place
        })
    }
}

impl Cell {
    #[cold]
    fn convert(&self, handle: u64, slot: &Slot) {
        slot.hold_for_reader();
        // Release (E4): the hold comes before the tag. Acquire on failure (E5): the reader let go before.
        if self
            .0
            .compare_exchange(handle, handle & !1, Ordering::AcqRel, Ordering::Acquire)
            .is_err()
        {
            slot.unhold_for_reader();
        }
    }
}
