//! Records: how a thread says "I am using this" without writing to what it uses.
//!
//! A [`Record`] belongs to one thread at a time and has a few *cells* on one cache line. A lookup writes
//! the handle into a free cell, then looks at the slot. A remover closes the slot, then looks at the
//! cells. At least one of them sees the other (E3). A remover that finds the handle in a cell adds a hold
//! to the slot for that reader, and notes it as the cell's *debt*. The reader finds the debt when it lets
//! go (E4), and gives the hold back.
//!
//! Between a reader's store and its load there must be a full barrier, and that is most of a lookup's
//! cost. So there are two modes:
//!
//! | mode | a reader between store and load | a remover that wants to see the cells |
//! |---|---|---|
//! | `PLAIN` | nothing but the compiler's order | ends the mode, then makes all threads pass a barrier, once |
//! | the handle of a remover, which is odd | a barrier | makes all threads pass a barrier |
//! | `SHARED` | a barrier | just looks |
//!
//! A reader looks at the mode *after* its store. If it still reads `PLAIN`, its store came before the
//! barrier of the remover that ends the mode, and is seen (E12). A record becomes `PLAIN` again when its
//! thread has let go of some thousand guards and none of its cells is in use. The thread that has claimed
//! a record sees its own cells without any of this.
//!
//! | cell | debt | means |
//! |---|---|---|
//! | 0 | 0 | free: the thread that claimed the record may write a handle (I5) |
//! | a handle | 0 | in use by the guard that owns the cell |
//! | a handle | the same | in use, and the slot counts this reader: the guard gives the hold back when it goes |
//! | a handle but for bit 0 | any | as the one before, *noted* in the cell itself, by the reader's own thread |
//! | 0 or another | a handle | its reader has gone: the remover that left the debt takes it back at once |
//!
//! A guard owns its cell until it lets go, whatever becomes of the thread's claim in the meantime. A thread
//! that gives its record up with guards in it has the slots count them first, and notes that in the cells,
//! so nothing of theirs depends on the record's mode or debts any more.
//!
//! Hazard pointers are Maged Michael's idea (2004), asymmetric barriers for them are Dice, Herlihy and
//! Kogan's (2016). Turning a hazard into a count is what lets the last holder drop the value at once
//! instead of a later scan.

use super::barrier;
use super::bits;
use super::claim::Claim;
use super::slot::{Reader, Slot};
use crate::sync::{AtomicU32, AtomicU64, Mutex, Ordering, fence, light_fence, pause};
use std::ptr::NonNull;

/// Cells, per record.
#[cfg(not(haft_loom))]
pub(crate) const CELLS: usize = 6;
/// Fewer in models: each is one more thing to interleave.
#[cfg(haft_loom)]
pub(crate) const CELLS: usize = 2;

/// Kinds of errors that can be counted, at most.
#[cfg(not(haft_loom))]
pub(crate) const ERROR_KINDS: usize = 8;

const PLAIN: u64 = 0;
const SHARED: u64 = 2;
// Any odd number is the handle whose remover ends the mode `PLAIN`; that remover makes it `SHARED`, or, where it
// can make no barrier, the claimer.

/// What a guard owes that is let go by a thread that was summoned: not a hold, but an answer. No handle.
pub(super) const SUMMONS: u64 = 0;

/// Guards that are let go in mode `SHARED` before a record is `PLAIN` again: that many barriers of its own
/// cost many times what one barrier for all threads costs.
#[cfg(not(any(haft_loom, miri)))]
const PATIENCE: u32 = 1 << 12;
/// Few enough for Miri that records go back and forth.
#[cfg(all(miri, not(haft_loom)))]
const PATIENCE: u32 = 1 << 2;
#[cfg(haft_loom)]
const PATIENCE: u32 = 1;

/// The next places in the table for a record's pages, and how many there are.
#[derive(Debug, Default)]
pub(super) struct Places {
    pub(super) next: u32,
    pub(super) left: u32,
}

/// What a record is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RecordKind {
    /// A thread that creates handles, or the next one with its number.
    Owner,
    /// Any thread that only looks up; such a record never owns a page.
    #[cfg_attr(haft_loom, expect(dead_code, reason = "a model's threads have records of their own"))]
    Pooled,
    /// The pages of threads that have no shard. Nobody claims it.
    Common,
}

/// One thread's cells and claim. Never freed, used again by later threads.
#[repr(C, align(128))]
#[derive(Debug)]
pub(crate) struct Record {
    cells: [AtomicU64; CELLS],
    mode: AtomicU64,
    /// How it is announced in a live state word.
    reader: Reader,
    /// 0 while no cell but the first is in use, 1 if one may be; the claimer's.
    spread: AtomicU64,
    /// How a word says that this record's thread alone is announced: as `reader`, or nobody, if the
    /// record's number is too high to be named, or no thread uses it.
    only: Reader,
    /// The claimer's number for marks, where it stands in them; 0 where it has none.
    #[cfg(not(haft_loom))]
    who: AtomicU64,
    /// For each cell the handle whose slot counts its reader.
    debts: [AtomicU64; CELLS],
    /// Errors that were made while the record was claimed, by kind; the claimer's.
    #[cfg(not(haft_loom))]
    errors: [AtomicU64; ERROR_KINDS],
    /// 1 if removers wait for the claimer's answer.
    summoned: AtomicU32,
    /// Guards that are still to be let go until the mode is `PLAIN` again; the claimer's.
    patience: AtomicU32,
    kind: RecordKind,
    /// Whether some thread uses the record now.
    pub(super) claim: Claim,
    /// The places in the table that this record's pages may take.
    pub(super) places: Mutex<Places>,
}

impl Record {
    pub(super) fn new(index: u32, claim: Claim, kind: RecordKind) -> Self {
        let reader = Reader::of(index);
        Self {
            cells: std::array::from_fn(|_| AtomicU64::new(0)),
            mode: AtomicU64::new(if barrier::is_available() { PLAIN } else { SHARED }),
            reader,
            spread: AtomicU64::new(0),
            only: if reader == Reader::SEVERAL || kind == RecordKind::Common {
                Reader::NOBODY
            } else {
                reader
            },
            #[cfg(not(haft_loom))]
            who: AtomicU64::new(0),
            debts: std::array::from_fn(|_| AtomicU64::new(0)),
            #[cfg(not(haft_loom))]
            errors: [const { AtomicU64::new(0) }; ERROR_KINDS],
            summoned: AtomicU32::new(0),
            patience: AtomicU32::new(PATIENCE),
            kind,
            claim,
            places: Mutex::new(Places::default()),
        }
    }

    /// Counts an error of this kind. The caller has claimed the record, so nobody else counts here.
    #[cfg(not(haft_loom))]
    #[inline]
    pub(crate) fn count_error(&self, kind: usize) {
        let count = &self.errors[kind % ERROR_KINDS];
        count.store(count.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
    }

    /// Errors of this kind that were counted here.
    #[cfg(not(haft_loom))]
    pub(crate) fn errors(&self, kind: usize) -> u64 {
        self.errors[kind % ERROR_KINDS].load(Ordering::Relaxed)
    }

    /// How the claimer announces itself in a state word.
    #[inline(always)]
    pub(crate) fn reader(&self) -> Reader {
        self.reader
    }

    /// What a state word says if the claimer alone is announced in it.
    #[inline(always)]
    pub(crate) fn only(&self) -> Reader {
        self.only
    }

    /// What goes into marks for the claimer. Relaxed: only the claimer asks, and claims are handed over
    /// (E8).
    #[cfg(not(haft_loom))]
    #[inline(always)]
    pub(crate) fn who(&self) -> u64 {
        self.who.load(Ordering::Relaxed)
    }

    /// Says who the claimer is. The claimer calls it after it has claimed the record.
    #[cfg(not(haft_loom))]
    pub(crate) fn set_who(&self, who: u64) {
        self.who.store(who, Ordering::Relaxed);
    }

    /// Returns `true` if any thread may claim it that only looks up.
    pub(crate) fn is_pooled(&self) -> bool {
        self.kind == RecordKind::Pooled
    }

    /// Returns `true` if the mode is plain.
    #[cfg(haft_loom)]
    pub(crate) fn is_plain(&self) -> bool {
        self.mode.load(Ordering::Relaxed) == PLAIN
    }

    // ---- the claim ----

    /// Takes the record for one thread. Returns `true` if that has it now (E8, E14).
    pub(crate) fn claim(&self) -> bool {
        self.claim.take()
    }

    /// Gives the record up (E8). The guards that are left in it are noted, so removers may skip it (I5).
    pub(crate) fn disclaim(&self) {
        debug_assert!(self.left_behind().next().is_none());
        self.claim.give_up();
    }

    /// Returns `true` if some thread has the record now.
    pub(super) fn is_claimed(&self) -> bool {
        self.claim.is_taken()
    }

    /// The cells whose guards are neither gone nor noted. The caller has claimed the record.
    pub(crate) fn left_behind(&self) -> impl Iterator<Item = (usize, u64)> {
        let handles = self.cells.iter().map(|cell| cell.load(Ordering::Relaxed)).enumerate();
        handles.filter(|(_, handle)| bits::is_well_formed(*handle))
    }

    /// Notes in a cell that the slot counts its reader. The caller has claimed the record and counted the
    /// reader. Returns `true` if the slot counts it twice, because a remover has counted it as well.
    ///
    /// SeqCst (E4): the cell, then the look for a debt. Release (E5): the count comes before whoever finds
    /// the cell otherwise.
    pub(crate) fn note(&self, index: usize, handle: u64) -> bool {
        self.cells[index].swap(handle & !1, Ordering::SeqCst);
        fence(Ordering::SeqCst);
        self.take_debt(index, handle)
    }

    /// In the child of a fork, where only the caller goes on: nobody takes back a debt whose reader has gone, and
    /// nobody ends a revocation. (The holds of such debts stay, as those of the others' guards do.)
    #[cfg(not(haft_loom))]
    pub(crate) fn outlive(&self) {
        for (cell, debt) in self.cells.iter().zip(&self.debts) {
            let owed = debt.load(Ordering::Relaxed);
            if cell.load(Ordering::Relaxed) | 1 != owed {
                let _ = debt.compare_exchange(owed, 0, Ordering::Relaxed, Ordering::Relaxed);
            }
        }
        let mode = self.mode.load(Ordering::Relaxed);
        if mode & 1 == 1 {
            let _ = self.mode.compare_exchange(mode, SHARED, Ordering::Relaxed, Ordering::Relaxed);
        }
    }

    // ---- the reader's side ----

    /// Returns a free cell. The caller has claimed the record.
    #[inline]
    pub(crate) fn free_cell(&'static self) -> Option<Cell> {
        self.spread.store(1, Ordering::Relaxed);
        (0..CELLS).map(|index| Cell::new(self, index)).find(|cell| cell.is_free())
    }

    /// Writes a handle in a free cell, where others look for it, before everything that follows (E3,
    /// E12). The caller has claimed the record, so the cell is its own to take (I5).
    ///
    /// Release (E5): a remover that sees this handle in the cell sees that the guard before it is done.
    #[inline(always)]
    pub(super) fn publish(&'static self, cell: Cell, handle: u64) {
        // SAFETY(I5): the cell is one of this record's. (Whoever lets go need not look for the record then.)
        unsafe { std::hint::assert_unchecked(std::ptr::eq(cell.record(), self)) };
        let cell = cell.cell();
        cell.store(handle, Ordering::Release);
        // E12: the store, then the mode, then what follows.
        light_fence();
        if self.mode.load(Ordering::Relaxed) != PLAIN {
            // The barrier that a plain store lacks. SeqCst (E3): before the load of the state; pairs with
            // the close of a remover, which then sees the cell.
            cell.swap(handle, Ordering::SeqCst);
            #[cfg(haft_loom)]
            fence(Ordering::SeqCst);
        }
    }

    /// Takes the debt of a cell that this handle has left, if there is one. The caller has passed a fence
    /// since (E4). Acquire (E4): the hold is visible before it is given back.
    fn take_debt(&self, index: usize, handle: u64) -> bool {
        let debt = &self.debts[index % CELLS];
        // Relaxed: the fence orders it, and the exchange decides.
        debt.load(Ordering::Relaxed) == handle
            && debt.compare_exchange(handle, 0, Ordering::AcqRel, Ordering::Relaxed).is_ok()
    }

    /// Ends a use whose cell is free again, in a mode that is not plain. Returns `true` if the slot
    /// counts this reader. The claimer is in the middle of this, so the cell is not used again yet.
    #[inline(never)]
    fn settle(&self, index: usize, handle: u64) -> bool {
        // SeqCst (E4): the store to the cell, then the debt.
        fence(Ordering::SeqCst);
        let owed = self.take_debt(index, handle);
        let left = self.patience.load(Ordering::Relaxed);
        if left > 0 {
            self.patience.store(left - 1, Ordering::Relaxed);
        } else {
            self.become_plain();
        }
        owed
    }

    /// Goes back to plain stores. The caller has claimed the record.
    ///
    /// No cell is in use then, but for those that are noted. A thread that gets a cell after this publishes
    /// it plainly, and a remover that finds a handle there looks at the mode again.
    #[cold]
    fn become_plain(&self) {
        self.patience.store(PATIENCE, Ordering::Relaxed);
        if self.left_behind().next().is_some() || !barrier::is_available() {
            return;
        }
        // SeqCst (E12): a remover that still reads `SHARED` after closing a slot has closed it before
        // this, and later lookups see that.
        let _ = self.mode.compare_exchange(SHARED, PLAIN, Ordering::SeqCst, Ordering::Relaxed);
        #[cfg(haft_loom)]
        fence(Ordering::SeqCst);
    }

    // ---- the remover's side ----

    /// Ends the mode `PLAIN` on account of the remover of `handle`. Returns `true` if the caller must make
    /// all threads pass a barrier before it looks at the cells, and then call [`Record::revoked`].
    ///
    /// `SeqCst` (E12): the load comes after the close.
    pub(crate) fn revoke(&self, handle: u64) -> bool {
        match self.mode.load(Ordering::SeqCst) {
            SHARED => false,
            PLAIN => {
                // The first one ends it; the others make a barrier of their own. Relaxed (E12): the
                // barrier that the caller makes orders it.
                let _ = self.mode.compare_exchange(PLAIN, handle, Ordering::Relaxed, Ordering::Relaxed);
                true
            }
            _ => true,
        }
    }

    /// Says that all threads have passed a barrier since the remover of `handle` ended the mode `PLAIN`.
    /// If it was another remover, this changes nothing.
    ///
    /// Release (E12): after the barrier.
    pub(crate) fn revoked(&self, handle: u64) {
        if self.mode.load(Ordering::Relaxed) == handle {
            let _ = self.mode.compare_exchange(handle, SHARED, Ordering::AcqRel, Ordering::Relaxed);
        }
    }

    /// Asks the claimer for an answer. See `overdue`.
    ///
    /// SeqCst (E17): before the caller's looks at the claim and the mode.
    pub(super) fn summon(&self) {
        self.summoned.swap(1, Ordering::SeqCst);
        #[cfg(haft_loom)]
        fence(Ordering::SeqCst);
    }

    /// Returns `true` if removers wait for an answer. SeqCst (E17): after what the claimer did to the mode, or
    /// to the claim.
    pub(super) fn is_summoned(&self) -> bool {
        self.summoned.load(Ordering::SeqCst) != 0
    }

    /// The claimer's cells tell all from now on: it publishes with barriers of its own, until the mode is plain
    /// again. See `overdue`.
    ///
    /// SeqCst (E17): the mode, then the caller's look for a summons. Release (E12): as in `dismiss`.
    #[cfg_attr(haft_loom, allow(dead_code, reason = "threads are not modelled"))]
    pub(super) fn tell_all(&self) {
        self.mode.swap(SHARED, Ordering::SeqCst);
        fence(Ordering::SeqCst);
    }

    /// The claimer has answered. Its cells, too, tell all from now on: it publishes with barriers of its own.
    ///
    /// Release (E12): what it published before comes before whoever reads `SHARED`. Relaxed: the caller holds
    /// the lock under which the record is summoned.
    pub(super) fn dismiss(&self) {
        self.summoned.store(0, Ordering::Relaxed);
        let mode = self.mode.load(Ordering::Relaxed);
        if mode & 1 == 1 {
            let _ = self.mode.compare_exchange(mode, SHARED, Ordering::Release, Ordering::Relaxed);
        }
    }

    /// Returns `true` if a guard of the claimer, who asks, holds the handle. Relaxed: it sees its own
    /// stores.
    #[inline(always)]
    pub(crate) fn holds(&self, handle: u64) -> bool {
        let first = self.cells[0].load(Ordering::Relaxed);
        if first | self.spread.load(Ordering::Relaxed) == 0 {
            return false;
        }
        // Performance: without branches, so that guards of other handles cost next to nothing.
        let (mut found, mut others) = (first == handle, 0);
        for cell in &self.cells[1..] {
            let held = cell.load(Ordering::Relaxed);
            found |= held == handle;
            others |= held;
        }
        self.spread.store(u64::from(others != 0), Ordering::Relaxed);
        found
    }

    /// Makes the slot count the readers of this record that use the handle. The caller is the remover: it
    /// has closed `slot`, has a hold on it, and has ended the mode `PLAIN`. It may call this again: a reader
    /// is counted once.
    ///
    /// It waits in one case: another remover has left the debt of a handle that is not in the cell any
    /// more, and is between that and taking it back, which is a fence, a load and an exchange.
    pub(crate) fn convert(&self, handle: u64, slot: &Slot) {
        'cells: for (cell, debt) in self.cells.iter().zip(&self.debts) {
            // SeqCst (E3): after the close. Acquire (E5): a cell found otherwise was let go before.
            if cell.load(Ordering::SeqCst) != handle {
                continue;
            }
            slot.hold_for_reader();
            // Release (E4): the hold comes before the debt that tells of it. SeqCst (E4): the debt comes
            // before the second look at the cell. Acquire (E4): the cell that is looked at next is not an
            // older one than whoever left the other debt has seen.
            while let Err(left) = debt.compare_exchange(0, handle, Ordering::SeqCst, Ordering::Acquire) {
                // A handle has one remover, so it has counted this reader already. Or the reader may have
                // gone on. Acquire (E5): its use comes before.
                if left == handle || cell.load(Ordering::SeqCst) != handle {
                    slot.unhold_for_reader();
                    continue 'cells;
                }
                pause();
            }
            #[cfg(haft_loom)]
            fence(Ordering::SeqCst);
            // The reader has gone, or it finds the debt when it lets go. A guard does so if the mode is not
            // plain. If it is plain again, which it is not before the cells are free, this is a lookup that
            // came after the close, so it fails, and looks for a debt whatever the mode.
            // SeqCst (E4): after the debt. Acquire (E5): the reader's use comes before.
            let stays = cell.load(Ordering::SeqCst) == handle;
            if !stays && debt.compare_exchange(handle, 0, Ordering::AcqRel, Ordering::Acquire).is_ok() {
                slot.unhold_for_reader();
            }
        }
    }

    /// As [`Record::convert`], by the thread that has claimed the record and uses the handle itself.
    pub(crate) fn convert_own(&self, handle: u64, slot: &Slot) {
        // All its guards that are not noted are this thread's, and nobody else writes their cells or
        // debts: the handle has one remover.
        for cell in self.cells.iter().filter(|cell| cell.load(Ordering::Relaxed) == handle) {
            slot.hold_for_reader();
            // Release (E5): as in `publish`.
            cell.store(handle & !1, Ordering::Release);
        }
    }
}

/// A cell of some record: its address within the record, with the provenance of the whole record.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cell(NonNull<AtomicU64>);

impl Cell {
    #[inline]
    pub(super) fn new(record: &'static Record, index: usize) -> Self {
        debug_assert!(index < CELLS);
        let first = NonNull::from(record).cast::<AtomicU64>();
        // SAFETY(I5): the cells are the record's first field, and `index` is one of them.
        Self(unsafe { first.add(index) })
    }

    /// A record's first one.
    #[inline(always)]
    pub(super) fn first(record: &'static Record) -> Self {
        let first = NonNull::from(record).cast::<AtomicU64>();
        // SAFETY(I5): a record's address is a multiple of its alignment. (The compiler forgets that, and
        // would look.)
        unsafe { std::hint::assert_unchecked(first.addr().get() % align_of::<Record>() == 0) };
        Self(first)
    }

    /// Returns `true` if its record's claimer may take it. Relaxed: the guard that was here before was
    /// this thread's own or, where the thread before left it behind, is counted by its slot (E6), and the
    /// remover of that handle finds it noted or gone.
    #[inline(always)]
    pub(super) fn is_free(self) -> bool {
        self.cell().load(Ordering::Relaxed) == 0
    }

    /// Returns `true` if a guard of this handle was left here, and the slot counts it.
    #[cfg_attr(haft_loom, allow(dead_code, reason = "threads are not modelled"))]
    pub(super) fn is_noted(self, handle: u64) -> bool {
        self.cell().load(Ordering::Relaxed) == handle & !1
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
    fn cell(self) -> &'static AtomicU64 {
        // SAFETY(I5): records are never freed.
        unsafe { self.0.as_ref() }
    }

    #[inline]
    fn record(self) -> &'static Record {
        let start = self.0.as_ptr().map_addr(|address| address & !(align_of::<Record>() - 1));
        // SAFETY(I5): records are aligned to more than their cells' extent, and never freed; the pointer
        // has the provenance of the record.
        unsafe { &*start.cast::<Record>() }
    }

    /// The handle in a cell that the caller owns.
    #[inline]
    pub(crate) fn handle(self) -> u64 {
        self.cell().load(Ordering::Relaxed) | 1
    }

    /// Lets go. Returns the handle of a hold that the caller now must give back, because the slot counted
    /// this reader; or [`SUMMONS`], and the caller must answer.
    ///
    /// Release (E5): the reader's use comes before the drop by a remover that finds the cell otherwise.
    #[inline(always)]
    pub(crate) fn release(self) -> Option<u64> {
        let cell = self.cell();
        let handle = cell.load(Ordering::Relaxed);
        cell.store(0, Ordering::Release);
        if handle & 1 == 0 {
            // Noted by this very thread.
            return Some(handle | 1);
        }
        // E12: the store, then the mode. If that is plain, every remover sees the cell free, and leaves no
        // debt.
        light_fence();
        let record = self.record();
        if record.mode.load(Ordering::Relaxed) == PLAIN {
            return None;
        }
        if record.settle(self.index(), handle) {
            return Some(handle);
        }
        record.is_summoned().then_some(SUMMONS)
    }

    /// Ends a lookup whose handle was closed after it was published. Returns `true` if the remover has
    /// counted this reader, which then has the value. It looks for a debt in any case: the mode may have
    /// become plain while the remover, which has seen it shared, was about to leave one.
    pub(crate) fn release_failed(self) -> bool {
        let handle = self.handle();
        // Release (E5): as in `release`.
        self.cell().store(0, Ordering::Release);
        self.record().settle(self.index(), handle)
    }

    #[inline]
    fn index(self) -> usize {
        (self.0.as_ptr().addr() & (align_of::<Record>() - 1)) / size_of::<AtomicU64>()
    }
}

#[cfg(all(test, not(haft_loom)))]
mod tests;
