//! Hazard cells: how a thread says "I am using this" without writing to what it uses.
//!
//! A [`Record`] belongs to one thread at a time and has a few cells on one cache line. A lookup writes the handle into a
//! free cell, then looks at the slot; a remover closes the slot, then looks at the cells. At least one of them sees the other
//! (E3). A remover that finds the handle in a cell adds a hold to the slot for that reader and notes it as the cell's
//! *debt*; the reader finds the debt when it lets go (E4), and then gives the hold back.
//!
//! Between a reader's store and its load there must be a full barrier, and it is most of a lookup's cost. So there are two modes:
//!
//! | mode | a reader between store and load | who wants to see the cells |
//! |---|---|---|
//! | `PLAIN` | nothing but the compiler's order | revokes the mode, then makes all threads pass a barrier, once |
//! | `REVOKING`, by the remover of one handle | a barrier | makes all threads pass a barrier |
//! | `SHARED` | a barrier | just looks |
//!
//! A reader looks at the mode *after* its store: where it still reads `PLAIN`, the store was before the barrier of whoever revokes, and is
//! seen (E12). A record returns to `PLAIN` when its thread has looked up many handles since and none of its cells is taken; each revocation
//! doubles how many. The thread that claims a record sees its own cells without any of this.
//!
//! | cell | debt | means |
//! |---|---|---|
//! | 0 | 0 | free: the thread that claimed the record may write a handle (I5) |
//! | a handle | 0 | in use by the guard that owns the cell |
//! | a handle | the same | in use, and the slot counts this reader: the guard gives the hold back when it goes |
//! | a handle but for bit 0 | any | as the one before, noted in the cell itself, by the reader's own thread |
//! | 0 or another | a handle | its reader has gone: the first of remover, reader and later remover to clear the debt accounts for the hold |
//!
//! A guard owns its cell until it lets go, whatever becomes of the thread's claim in the meantime: the next thread that claims the record
//! sees the cell taken. A thread that gives its record up with guards in it has the slots count them first, and notes that in the
//! cells, so that nothing of theirs depends on the record's mode or debts any more.
//!
//! Hazard pointers are Maged Michael's idea (2004), asymmetric barriers for them are Dice, Herlihy and Kogan's (2016). Turning a hazard into
//! a count is what lets the last holder drop the value at once instead of a later scan.

use super::barrier;
use super::bits;
use super::roster::Claim;
use super::slot::{READER_GROUPS, Slot, reader_bit};
use super::space::Places;
use crate::sync::{AtomicU32, AtomicU64, Mutex, Ordering, fence, light_fence};
use std::ptr::NonNull;

/// Cells for guards, per record.
#[cfg(not(haft_loom))]
pub(crate) const GUARD_CELLS: usize = 6;
/// Fewer in models: each is one more thing to interleave.
#[cfg(haft_loom)]
pub(crate) const GUARD_CELLS: usize = 2;

const PLAIN: u64 = 0;
const SHARED: u64 = 2;
// `REVOKING` is any odd number: the handle whose remover revokes, who alone ends that.

/// Lookups in mode `SHARED` before a record is `PLAIN` again, at first and at most: as many save what one barrier costs many times
/// over.
#[cfg(not(haft_loom))]
const PATIENCE: (u32, u32) = (1 << 14, 1 << 18);
#[cfg(haft_loom)]
const PATIENCE: (u32, u32) = (1, 1 << 2);

/// One thread's cells and claim. Never freed, reused by later threads.
#[repr(C, align(128))]
#[derive(Debug)]
pub(crate) struct Record {
    guards: [AtomicU64; GUARD_CELLS],
    /// For operations that must keep a page, not a value, while they look at it; never held across user code. With bit 0 cleared it is an *intent*: the handle
    /// is live, in a page of this record, and about to be removed by the claimer.
    transit: AtomicU64,
    mode: AtomicU64,
    /// Its group's bit in a live state word.
    reader_bit: u64,
    /// 0 while no cell but the first is in use, 1 where one may be; the claimer's.
    spread: AtomicU64,
    /// The claimer's number for marks, where it stands in them; 0 where it has none.
    #[cfg(not(haft_loom))]
    who: AtomicU64,
    /// Lookups in mode `SHARED` that are left until the mode is `PLAIN` again; the claimer's.
    patience: AtomicU32,
    /// For each guard cell the handle whose slot counts its reader.
    debts: [AtomicU64; GUARD_CELLS],
    /// Where `patience` begins after the next revocation.
    next_patience: AtomicU32,
    /// Whether some thread uses the record now.
    claim: Claim,
    /// For threads that only look up; such a record never owns a page.
    pooled: bool,
    /// The order of creation.
    index: u32,
    /// The places in the table that this record's pages take.
    pub(super) places: Mutex<Places>,
}

impl Record {
    pub(super) fn new(index: u32, claim: Claim, pooled: bool) -> Self {
        Self {
            guards: std::array::from_fn(|_| AtomicU64::new(0)),
            transit: AtomicU64::new(0),
            mode: AtomicU64::new(if barrier::is_available() { PLAIN } else { SHARED }),
            reader_bit: reader_bit(index % READER_GROUPS),
            spread: AtomicU64::new(0),
            #[cfg(not(haft_loom))]
            who: AtomicU64::new(0),
            patience: AtomicU32::new(0),
            debts: std::array::from_fn(|_| AtomicU64::new(0)),
            next_patience: AtomicU32::new(PATIENCE.0),
            claim,
            pooled,
            index,
            places: Mutex::new(Places::default()),
        }
    }

    /// The group whose bit in a live state word stands for this record.
    #[inline]
    pub(crate) fn group(&self) -> u32 {
        self.index % READER_GROUPS
    }

    /// The bit of its group in a live state word.
    #[inline(always)]
    pub(crate) fn reader_bit(&self) -> u64 {
        self.reader_bit
    }

    /// What goes into marks for the claimer. Relaxed: only the claimer asks, and claims are handed over (E8).
    #[cfg(not(haft_loom))]
    #[inline(always)]
    pub(crate) fn who(&self) -> u64 {
        self.who.load(Ordering::Relaxed)
    }

    /// Says who the claimer is; it calls this when it has claimed the record.
    #[cfg(not(haft_loom))]
    pub(crate) fn set_who(&self, who: u64) {
        self.who.store(who, Ordering::Relaxed);
    }

    /// Whether any thread may claim it that only looks up.
    pub(crate) fn is_pooled(&self) -> bool {
        self.pooled
    }

    // ---- the claim ----

    /// Takes the record for one thread: whether that has it now (E8, E14).
    pub(crate) fn claim(&self) -> bool {
        self.claim.take()
    }

    /// Gives the record up (E8). Guards that are left in it are noted, and nothing of it is of any account to those who look at cells (I5).
    pub(crate) fn disclaim(&self) {
        debug_assert!(self.left_behind().next().is_none());
        debug_assert_eq!(self.transit.load(Ordering::Relaxed), 0);
        self.claim.give_up();
    }

    /// The cells whose guards are neither gone nor noted. The caller has claimed the record.
    pub(crate) fn left_behind(&self) -> impl Iterator<Item = (usize, u64)> {
        let handles = self.guards.iter().map(|cell| cell.load(Ordering::Relaxed)).enumerate();
        handles.filter(|(_, handle)| bits::is_well_formed(*handle))
    }

    /// Notes in a cell that the slot counts its reader. The caller has claimed the record and the slot counts it: `true` where it counts it twice, because a
    /// remover did as well.
    ///
    /// SeqCst (E4): the cell, then the look for a debt. Release (E5): the count comes before whoever finds the cell otherwise.
    pub(crate) fn note(&self, index: usize, handle: u64) -> bool {
        self.guards[index].swap(handle & !1, Ordering::SeqCst);
        fence(Ordering::SeqCst);
        self.take_debt(index, handle)
    }

    // ---- the reader's side ----

    /// A free guard cell. The caller has claimed the record.
    pub(crate) fn free_cell(&'static self) -> Option<Cell> {
        let cell = (0..GUARD_CELLS).map(|index| Cell::new(self, index)).find(|cell| cell.is_free())?;
        if cell.index() > 0 {
            self.spread.store(1, Ordering::Relaxed);
        }
        Some(cell)
    }

    /// Whether any guard cell may be in use. Relaxed: for the claimer, who sees its own stores.
    #[inline(always)]
    pub(crate) fn may_have_guards(&self) -> bool {
        self.guards[0].load(Ordering::Relaxed) | self.spread.load(Ordering::Relaxed) != 0
    }

    /// Writes a handle in a free cell, where others look for it, before everything that follows (E3, E12). The caller has
    /// claimed the record, so the cell is its own to take (I5).
    ///
    /// Release (E5): whoever sees this handle in the cell sees that the guard before it is done.
    #[inline(always)]
    pub(super) fn publish(&self, cell: &AtomicU64, handle: u64) {
        if !self.publish_plainly(cell, handle) {
            self.publish_shared(cell, handle);
        }
    }

    /// As [`Record::publish`], where the mode is plain: whether it is. Otherwise the handle is in the cell all the same, and has to be published again.
    #[inline(always)]
    pub(super) fn publish_plainly(&self, cell: &AtomicU64, handle: u64) -> bool {
        debug_assert!(bits::is_well_formed(handle));
        cell.store(handle, Ordering::Release);
        // E12: the store, then the mode, then what follows.
        light_fence();
        self.mode.load(Ordering::Relaxed) == PLAIN
    }

    /// The barrier that a plain store lacks.
    ///
    /// SeqCst (E3): before the load of the state; pairs with the close of a remover, which then sees the cell.
    #[inline(never)]
    fn publish_shared(&self, cell: &AtomicU64, handle: u64) {
        cell.swap(handle, Ordering::SeqCst);
        #[cfg(haft_loom)]
        fence(Ordering::SeqCst);
    }

    /// Takes the debt of a cell that this handle has left, if there is one. The caller has passed a fence since (E4). Acquire (E4): the hold is visible before it is given
    /// back.
    fn take_debt(&self, index: usize, handle: u64) -> bool {
        let debt = &self.debts[index % GUARD_CELLS];
        // Relaxed: the fence orders it, and the exchange decides.
        debt.load(Ordering::Relaxed) == handle
            && debt.compare_exchange(handle, 0, Ordering::AcqRel, Ordering::Relaxed).is_ok()
    }

    /// Lets go where the mode is not plain, or a lookup failed: whether the slot counted this reader. The cell is free; the claimer is in the middle of this, so it is not used again
    /// yet.
    #[inline(never)]
    fn settle(&self, index: usize, handle: u64) -> bool {
        // SeqCst (E4): the store to the cell, then the debt.
        fence(Ordering::SeqCst);
        let owed = self.take_debt(index, handle);
        let left = self.patience.load(Ordering::Relaxed);
        if left > 0 {
            self.patience.store(left - 1, Ordering::Relaxed);
        } else if self.mode.load(Ordering::Relaxed) != PLAIN {
            self.become_plain();
        }
        owed
    }

    /// Goes back to plain stores. The caller has claimed the record.
    ///
    /// No cell is in use then, but for those that are noted: whoever gets a cell after this publishes it plainly, and whoever finds a handle there looks at the
    /// mode again.
    #[cold]
    fn become_plain(&self) {
        if self.left_behind().next().is_some() || !barrier::is_available() {
            return;
        }
        // SeqCst (E12): whoever still reads `SHARED` after closing a slot has closed it before this, and later lookups see that.
        let _ = self.mode.compare_exchange(SHARED, PLAIN, Ordering::SeqCst, Ordering::Relaxed);
        #[cfg(haft_loom)]
        fence(Ordering::SeqCst);
    }

    /// Keeps whatever page is at the handle's place from now on (E9), for a short stay. The caller has claimed the record and
    /// has no other stay open.
    #[inline]
    pub(crate) fn begin_stay(&self, handle: u64) {
        debug_assert_eq!(self.transit.load(Ordering::Relaxed), 0);
        self.publish(&self.transit, handle | 1);
    }

    /// Ends the stay, or the intent. Release (E9, E13): the page was used, and the state was stored, before.
    #[inline]
    pub(crate) fn end_stay(&self) {
        self.transit.store(0, Ordering::Release);
    }

    /// Says that the claimer will remove this handle, a live one of its own, before everything that follows (E13). It may be in a stay at
    /// the handle's place, which the intent takes over.
    #[inline]
    pub(super) fn begin_intent(&self, handle: u64) {
        debug_assert!(bits::is_well_formed(handle));
        // Relaxed: it publishes nothing but the handle. What the stay used is published by the end of the intent (E9).
        self.transit.store(handle - 1, Ordering::Relaxed);
        // E13: the intent, then the look at the bias; whoever revokes that makes all threads pass a barrier.
        light_fence();
    }

    /// The handle that the claimer is about to remove. `SeqCst` (E13): comes after the revocation and a barrier. Acquire: where the intent has ended, the state that
    /// it was about is visible.
    pub(super) fn intent(&self) -> Option<u64> {
        let transit = self.transit.load(Ordering::SeqCst);
        (transit != 0 && !bits::is_well_formed(transit)).then_some(transit | 1)
    }

    // ---- the side of those who look ----

    /// Ends the mode `PLAIN`, on account of the remover of `handle`: `true` where that one must make all threads pass a barrier before
    /// it looks, and then say so.
    ///
    /// `SeqCst` (E12): the load comes after the close.
    pub(crate) fn revoke(&self, handle: u64) -> bool {
        match self.mode.load(Ordering::SeqCst) {
            SHARED => false,
            PLAIN => {
                // Whoever is first ends it; the others wait for a barrier of their own. Relaxed (E12): the barrier that the caller makes orders it.
                if self.mode.compare_exchange(PLAIN, handle, Ordering::Relaxed, Ordering::Relaxed).is_ok() {
                    let patience = self.next_patience.load(Ordering::Relaxed);
                    self.patience.store(patience, Ordering::Relaxed);
                    self.next_patience.store(PATIENCE.1.min(patience * 2), Ordering::Relaxed);
                }
                true
            }
            _ => true,
        }
    }

    /// Says that the remover of `handle` made all threads pass a barrier after it revoked the mode, if it was the one.
    ///
    /// Release (E12): after the barrier.
    pub(crate) fn revoked(&self, handle: u64) {
        // It is called for many that it has not revoked, and their lines are left alone.
        if self.mode.load(Ordering::Relaxed) != handle {
            return;
        }
        let _ = self.mode.compare_exchange(handle, SHARED, Ordering::AcqRel, Ordering::Relaxed);
    }

    /// Whether its reader publishes without a barrier. Relaxed (E12): the caller has passed a fence after what the reader's later lookups have to see.
    pub(crate) fn is_plain(&self) -> bool {
        self.mode.load(Ordering::Relaxed) != SHARED
    }

    /// Whether a guard of the claimer, who asks, holds the handle. Relaxed: it sees its own stores.
    pub(crate) fn holds(&self, handle: u64) -> bool {
        let (mut any, mut found) = (0, false);
        for cell in &self.guards {
            let held = cell.load(Ordering::Relaxed);
            any |= held;
            found |= held == handle;
        }
        if any == 0 {
            self.spread.store(0, Ordering::Relaxed);
        }
        found
    }

    /// The first guard cell that holds the handle. The caller has closed the slot, and revoked the mode or claimed the record.
    ///
    /// `SeqCst` (E3): these loads come after the close. Acquire (E5): a cell found otherwise was let go before.
    #[inline]
    pub(crate) fn find(&self, handle: u64) -> Option<usize> {
        self.guards.iter().position(|cell| cell.load(Ordering::SeqCst) == handle)
    }

    /// Makes the slot count the readers of this record that use the handle. The caller is the remover: it has closed `slot`, has a hold on it, and
    /// revoked the mode or claimed the record. Holds of others that it comes across are noted in `orphans`.
    #[cold]
    pub(crate) fn convert(&self, handle: u64, slot: &Slot, orphans: &mut Orphans) {
        'cells: for (cell, debt) in self.guards.iter().zip(&self.debts) {
            if cell.load(Ordering::SeqCst) != handle {
                continue;
            }
            slot.hold_for_reader();
            // Release (E4): the hold comes before the debt that tells of it. SeqCst (E4): the debt comes before the second look at the cell.
            // Acquire (E4): the cell that is looked at next is not an older one than whoever left the other debt has seen.
            while let Err(other) = debt.compare_exchange(0, handle, Ordering::SeqCst, Ordering::Acquire) {
                // The reader has gone on, and the debt may be that of what it uses now. Acquire (E5): its use comes before.
                if cell.load(Ordering::SeqCst) != handle {
                    slot.unhold_for_reader();
                    continue 'cells;
                }
                // Of a reader that has gone, and a remover that has not taken it back yet: this one was faster. (More than there is room for
                // are left to their removers, who are between two instructions.)
                if orphans.has_room()
                    && debt.compare_exchange(other, 0, Ordering::AcqRel, Ordering::Relaxed).is_ok()
                {
                    orphans.push(other);
                }
            }
            #[cfg(haft_loom)]
            fence(Ordering::SeqCst);
            // The reader has gone, or it finds the debt when it lets go. A guard does where the mode is not plain; and where it is plain again, which it is
            // not before the cells are free, this is a lookup that came after the close, so it fails, and looks for a debt whatever the mode.
            // SeqCst (E4): after the debt. Acquire (E5): the reader's use comes before.
            let stays = cell.load(Ordering::SeqCst) == handle;
            if !stays && debt.compare_exchange(handle, 0, Ordering::AcqRel, Ordering::Acquire).is_ok() {
                slot.unhold_for_reader();
            }
        }
    }

    /// As [`Record::convert`], by the thread that has claimed the record and uses the handle itself.
    #[cold]
    pub(crate) fn convert_own(&self, handle: u64, slot: &Slot) {
        // All its guards that are not noted are this thread's, and nobody else writes their cells or debts: the handle has one remover.
        for cell in self.guards.iter().filter(|cell| cell.load(Ordering::Relaxed) == handle) {
            slot.hold_for_reader();
            // Release (E5): as in `publish`.
            cell.store(handle & !1, Ordering::Release);
        }
    }

    /// Whether any cell keeps the page at `place`. `SeqCst` (E9): comes after the page left the table and a barrier.
    pub(crate) fn keeps(&self, place: u32) -> bool {
        self.guards.iter().chain([&self.transit]).any(|cell| {
            let handle = cell.load(Ordering::SeqCst);
            handle != 0 && bits::place(handle) == place
        })
    }
}

/// A guard cell of some record: its address within the record, with the provenance of the whole record.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cell(NonNull<AtomicU64>);

impl Cell {
    #[inline]
    pub(super) fn new(record: &'static Record, index: usize) -> Self {
        debug_assert!(index < GUARD_CELLS);
        let first = NonNull::from(record).cast::<AtomicU64>();
        // SAFETY(I5): the guard cells are the record's first field, and `index` is one of them.
        Self(unsafe { first.add(index) })
    }

    /// A record's first one.
    #[inline(always)]
    pub(super) fn first(record: &'static Record) -> Self {
        let first = NonNull::from(record).cast::<AtomicU64>();
        // SAFETY(I5): a record's address is a multiple of its alignment. (The compiler forgets that, and would look.)
        unsafe { std::hint::assert_unchecked(first.addr().get() % align_of::<Record>() == 0) };
        Self(first)
    }

    /// Whether its record's claimer may take it. Relaxed: the guard that was here before was this thread's own or, where the thread before left it behind, is
    /// counted by its slot (E6), and whoever removes that handle finds it noted or gone.
    #[inline(always)]
    pub(super) fn is_free(self) -> bool {
        self.cell().load(Ordering::Relaxed) == 0
    }

    /// From a token's pointer.
    ///
    /// # Safety
    ///
    /// The pointer comes from [`Cell::as_ptr`].
    #[cfg(target_pointer_width = "64")]
    #[inline]
    pub(super) unsafe fn from_ptr(cell: NonNull<AtomicU64>) -> Self {
        Self(cell)
    }

    #[cfg(target_pointer_width = "64")]
    #[inline]
    pub(super) fn as_ptr(self) -> NonNull<AtomicU64> {
        self.0
    }

    #[inline]
    pub(super) fn cell(self) -> &'static AtomicU64 {
        // SAFETY(I5): records are never freed.
        unsafe { self.0.as_ref() }
    }

    #[inline]
    fn record(self) -> &'static Record {
        let start = self.0.as_ptr().map_addr(|address| address & !(align_of::<Record>() - 1));
        // SAFETY(I5): records are aligned to more than their cells' extent, and never freed; the pointer has the provenance of the record.
        unsafe { &*start.cast::<Record>() }
    }

    /// The handle in a cell that the caller owns.
    #[inline]
    pub(crate) fn handle(self) -> u64 {
        self.cell().load(Ordering::Relaxed) | 1
    }

    /// Lets go. The handle of a hold that the caller now must give back, because the slot counted this reader.
    ///
    /// Release (E5): the reader's use comes before the drop by a remover that finds the cell otherwise.
    #[inline(always)]
    pub(crate) fn release(self) -> Option<u64> {
        let cell = self.cell();
        let handle = cell.load(Ordering::Relaxed);
        cell.store(0, Ordering::Release);
        if !bits::is_well_formed(handle) {
            // Noted by this very thread.
            return Some(handle | 1);
        }
        // E12: the store, then the mode. Where that is plain, every remover sees the cell free, and leaves no debt.
        light_fence();
        let record = self.record();
        if record.mode.load(Ordering::Relaxed) == PLAIN {
            return None;
        }
        record.settle(self.index(), handle).then_some(handle)
    }

    /// As [`Cell::release`], after a lookup that found nothing. It looks for a debt in any case: the mode may have become plain while the
    /// handle's remover, which has seen it shared, was about to leave one.
    pub(crate) fn release_failed(self) -> Option<u64> {
        let handle = self.handle();
        // Release (E9): the page was looked at before.
        self.cell().store(0, Ordering::Release);
        self.record().settle(self.index(), handle).then_some(handle)
    }

    #[inline]
    fn index(self) -> usize {
        (self.0.as_ptr().addr() & (align_of::<Record>() - 1)) / size_of::<AtomicU64>()
    }
}

/// Handles whose debts a remover has cleared on behalf of others, and for which it now owes a hold each.
#[derive(Debug, Default)]
pub(crate) struct Orphans {
    handles: [u64; 4],
    count: usize,
}

impl Orphans {
    fn has_room(&self) -> bool {
        self.count < self.handles.len()
    }

    fn push(&mut self, handle: u64) {
        self.handles[self.count] = handle;
        self.count += 1;
    }

    /// What was noted.
    pub(crate) fn take(&mut self) -> impl Iterator<Item = u64> + use<> {
        std::mem::take(self).handles.into_iter().filter(|handle| *handle != 0)
    }
}

#[cfg(all(test, not(haft_loom)))]
mod tests;
