//! A slot: the state word, the two sites, and (after them, in the page) the value.
//!
//! # The state word
//!
//! ```text
//! 63            33 32 31 30          23 22                     0
//! +---------------+-----+--------------+-----------------------+
//! | generation 31 | 00  |         0          |    next 13      |  VACANT
//! | generation 31 | 01  |  readers 8   |      holds 23         |  LIVE
//! | generation 31 | 10  |             holds 31                 |  CLOSED
//! | generation 31 | 11  |                0                     |  RESERVED
//! +---------------+-----+--------------------------------------+
//! ```
//!
//! | phase | value | generation | a lookup | who may change the word |
//! |---|---|---|---|---|
//! | `VACANT` (word 0: never used in this page) | none | the last issued | fails | the owner of the free list that it is in |
//! | `RESERVED` | none yet | being issued | fails | the creator |
//! | `LIVE` | there | issued | succeeds | creators never; holders add and give back holds, readers add their bit, one remover closes |
//! | `CLOSED` | there until the last hold is back | issued | fails | whoever gives a hold back; the last frees |
//!
//! A lookup succeeds only on `LIVE` with its own generation, so a vacant slot rejects every
//! generation, also the next one (I7). `next` is the index of the next free slot plus one, zero at the
//! end. A slot whose generation is the last one is vacant and in no list: it is retired.

use super::bits;
use crate::sync::{AtomicU64, Ordering, Track, close};

const PHASE_SHIFT: u32 = bits::GENERATION_BITS;
const GENERATION_SHIFT: u32 = PHASE_SHIFT + 2;
const READER_SHIFT: u32 = 23;
const LIVE_HOLDS: u64 = (1 << READER_SHIFT) - 1;
const LOW: u64 = (1 << PHASE_SHIFT) - 1;
const NEXT: u64 = (1 << (bits::SLOT_BITS + 1)) - 1;

/// Groups into which readers are hashed: one bit each in a live state word.
pub(crate) const READER_GROUPS: u32 = PHASE_SHIFT - READER_SHIFT;

const _: () = assert!(READER_GROUPS == 8);
const _: () = assert!(GENERATION_SHIFT + bits::GENERATION_BITS == 64);

/// What a slot is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Free, retired, or never used.
    Vacant,
    /// Holds a value that lookups find.
    Live,
    /// Removed; the value waits for its last holder.
    Closed,
    /// Its handle is disclosed to the closure that makes the value.
    Reserved,
}

/// A state word, read once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct State(u64);

impl State {
    const fn new(generation: u32, phase: Phase, low: u64) -> Self {
        Self((generation as u64) << GENERATION_SHIFT | (phase as u64) << PHASE_SHIFT | low)
    }

    /// The generation that was issued last, or is issued now.
    #[inline]
    pub(crate) const fn generation(self) -> u32 {
        (self.0 >> GENERATION_SHIFT) as u32
    }

    /// What the slot is doing.
    #[inline]
    pub(crate) const fn phase(self) -> Phase {
        match (self.0 >> PHASE_SHIFT) & 3 {
            0 => Phase::Vacant,
            1 => Phase::Live,
            2 => Phase::Closed,
            _ => Phase::Reserved,
        }
    }

    /// Whether the slot was never used in this page.
    pub(crate) const fn is_untouched(self) -> bool {
        self.0 == 0
    }

    /// Live, with this very generation.
    #[inline]
    const fn is_live(self, generation: u32) -> bool {
        self.0 >> PHASE_SHIFT == (generation as u64) << 2 | Phase::Live as u64
    }

    /// The groups of readers that have looked this handle up; meaningful when live.
    #[inline]
    pub(crate) const fn readers(self) -> u32 {
        ((self.0 & LOW) >> READER_SHIFT) as u32
    }

    /// Whether a reader of this group has looked this handle up; meaningful when live.
    #[inline]
    pub(crate) const fn has_reader(self, group: u32) -> bool {
        self.0 >> READER_SHIFT >> group & 1 == 1
    }

    /// The counted holds.
    #[inline]
    pub(crate) const fn holds(self) -> u64 {
        match self.phase() {
            Phase::Live => self.0 & LIVE_HOLDS,
            Phase::Closed => self.0 & LOW,
            Phase::Vacant | Phase::Reserved => 0,
        }
    }

    /// Whether a live word has all the holds that it can have.
    pub(crate) const fn is_full(self) -> bool {
        self.holds() == LIVE_HOLDS
    }

    /// The next free slot's index plus one; meaningful when vacant.
    #[inline]
    const fn next(self) -> u32 {
        (self.0 & NEXT) as u32
    }
}

/// The fixed part of a slot, 16 bytes; the value follows at the type's offset.
#[repr(C)]
#[derive(Debug)]
pub(crate) struct Slot {
    state: AtomicU64,
    /// Where the last handle was created (low half) and removed (high half), as site numbers.
    sites: AtomicU64,
    /// Stands for the value in models.
    pub(crate) value: Track,
}

#[cfg(not(haft_loom))]
const _: () = assert!(size_of::<Slot>() == 16);

/// Two site numbers as they were stored together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Sites {
    /// Where the handle was created; 0 where that is not known (yet).
    pub(crate) created: u32,
    /// Where it was removed; 0 while it is live.
    pub(crate) removed: u32,
}

impl Slot {
    /// A slot that was never used.
    pub(crate) fn new() -> Self {
        Self { state: AtomicU64::new(0), sites: AtomicU64::new(0), value: Track::new() }
    }

    /// The state now. Acquire (E1, E6): what the state says about the value is visible after it.
    #[inline]
    pub(crate) fn state(&self) -> State {
        State(self.state.load(Ordering::Acquire))
    }

    // ---- the owner of the free list that the slot is in, or its creator ----

    /// Makes an untouched slot a free one whose next generation is `first`.
    pub(crate) fn prime(&self, first: u32, next: u32) {
        self.state.store(State::new(first - 1, Phase::Vacant, u64::from(next)).0, Ordering::Relaxed);
    }

    /// Links a free slot to the next one. Relaxed: the list's head publishes it (E7).
    pub(crate) fn relink(&self, next: u32) {
        let state = State(self.state.load(Ordering::Relaxed));
        debug_assert_eq!(state.phase(), Phase::Vacant);
        let vacant = State::new(state.generation(), Phase::Vacant, u64::from(next));
        self.state.store(vacant.0, Ordering::Relaxed);
    }

    /// The generation to issue next and the free slot after this one. The caller owns the free list.
    #[inline]
    pub(crate) fn peek(&self) -> (u32, u32) {
        let state = State(self.state.load(Ordering::Relaxed));
        debug_assert_eq!(state.phase(), Phase::Vacant);
        debug_assert!(state.generation() < bits::MAX_GENERATION);
        (state.generation() + 1, state.next())
    }

    /// Marks a popped slot as being issued: lookups fail until [`Slot::open`].
    pub(crate) fn reserve(&self, generation: u32) {
        self.state.store(State::new(generation, Phase::Reserved, 0).0, Ordering::Relaxed);
    }

    /// Opens the slot to lookups; the value is in place. The creator calls it, once.
    ///
    /// Release (E1): publishes the value; pairs with the loads in [`Slot::look`] and [`Slot::hold`].
    /// The site is stored after the state, so that whoever still sees the old state after reading
    /// the sites has read the old sites (E11).
    #[inline]
    pub(crate) fn open(&self, generation: u32, created: u32) {
        self.state.store(State::new(generation, Phase::Live, 0).0, Ordering::Release);
        // Release (E11): pairs with the Acquire in `sites`.
        self.sites.store(u64::from(created), Ordering::Release);
    }

    /// Makes a popped or exclusively held slot vacant, linked to `next`.
    ///
    /// Release: the end of the value's life comes before whatever is told by the new state.
    #[inline]
    pub(crate) fn vacate(&self, generation: u32, next: u32) {
        self.state.store(State::new(generation, Phase::Vacant, u64::from(next)).0, Ordering::Release);
    }

    // ---- lookups ----

    /// Looks at the slot after a cell was published: the state if it is live with this generation.
    ///
    /// `SeqCst` (E3): ordered after the publication; pairs with the close of a remover, which then
    /// sees the cell. Acquire (E1) is part of it.
    #[inline]
    pub(crate) fn look(&self, generation: u32) -> Option<State> {
        let state = State(self.state.load(Ordering::SeqCst));
        state.is_live(generation).then_some(state)
    }

    /// Adds a group of readers to a live word, so that the remover looks at that group's cells.
    ///
    /// `false` where the handle is not live any more. `SeqCst` (E3) as for [`Slot::look`]: a success is
    /// before the close, which therefore sees the bit, and the cell that was published before it.
    #[cold]
    pub(crate) fn join(&self, generation: u32, group: u32) -> bool {
        let mut state = State(self.state.load(Ordering::SeqCst));
        while state.is_live(generation) {
            let joined = state.0 | 1 << (READER_SHIFT + group);
            match close(&self.state, state.0, joined) {
                Ok(_) => return true,
                Err(now) => state = State(now),
            }
        }
        false
    }

    /// Takes a counted hold on a live handle.
    ///
    /// `None` where it is not live, `Some(false)` where all 8,388,607 holds are taken: the count never
    /// runs over into its neighbour. Acquire (E1): the value is visible to the holder.
    pub(crate) fn hold(&self, generation: u32) -> Option<bool> {
        let mut state = State(self.state.load(Ordering::Acquire));
        while state.is_live(generation) {
            if state.is_full() {
                return Some(false);
            }
            match self.state.compare_exchange_weak(state.0, state.0 + 1, Ordering::Acquire, Ordering::Acquire)
            {
                Ok(_) => return Some(true),
                Err(now) => state = State(now),
            }
        }
        None
    }

    /// Takes a further hold; the caller is a holder, so the value is there, live or closed.
    ///
    /// `false` where all holds of a live word are taken. Relaxed: the caller's own hold orders it, and
    /// whoever finds that hold gone has acquired its release, which comes after this (E5, E6).
    pub(crate) fn hold_again(&self) -> bool {
        let mut state = State(self.state.load(Ordering::Relaxed));
        loop {
            let full = match state.phase() {
                Phase::Live => LIVE_HOLDS,
                // The other half is for the readers that removers count.
                _ => LOW / 2,
            };
            if state.holds() == full {
                return false;
            }
            match self.state.compare_exchange_weak(state.0, state.0 + 1, Ordering::Relaxed, Ordering::Relaxed)
            {
                Ok(_) => return true,
                Err(now) => state = State(now),
            }
        }
    }

    /// Gives a hold back: `true` where it was the last of a closed slot, which is then the caller's.
    ///
    /// Release (E6): the holder's use of the value comes before its drop; Acquire (E6): the last one sees
    /// every other holder's use.
    pub(crate) fn give_back(&self) -> bool {
        let before = State(self.state.fetch_sub(1, Ordering::AcqRel));
        debug_assert!(before.holds() > 0);
        before.phase() == Phase::Closed && before.holds() == 1
    }

    // ---- removal ----

    /// Closes the slot: of all callers for one generation exactly one gets the last live state (S4).
    ///
    /// The winner owns one hold, so that nobody else can be the last one while it looks at the cells.
    #[inline]
    pub(crate) fn close(&self, generation: u32) -> Option<State> {
        let mut state = State(self.state.load(Ordering::Acquire));
        while state.is_live(generation) {
            let closed = State::new(generation, Phase::Closed, state.holds() + 1);
            match close(&self.state, state.0, closed.0) {
                Ok(_) => return Some(state),
                Err(now) => state = State(now),
            }
        }
        None
    }

    /// Whether the caller's hold is the only one left on a closed slot.
    ///
    /// Acquire (E6): the holds that were given back are seen with everything before them.
    #[inline]
    pub(crate) fn is_alone(&self) -> bool {
        let state = State(self.state.load(Ordering::Acquire));
        debug_assert_eq!(state.phase(), Phase::Closed);
        state.0 & LOW == 1
    }

    /// Adds a hold to a closed slot on behalf of a reader whose cell is about to be converted (E4).
    ///
    /// Relaxed: the conversion of the cell releases it. The caller has a hold of its own.
    pub(crate) fn hold_for_reader(&self) {
        self.state.fetch_add(1, Ordering::Relaxed);
    }

    /// Takes back what [`Slot::hold_for_reader`] added; the caller's own hold keeps it from being the last.
    pub(crate) fn unhold_for_reader(&self) {
        self.state.fetch_sub(1, Ordering::Relaxed);
    }

    /// Records where the handle was removed; the winner of [`Slot::close`] calls it.
    #[inline]
    pub(crate) fn set_removed(&self, removed: u32) {
        let created = self.sites.load(Ordering::Relaxed) as u32;
        // Release (E11): after the state, as in `open`.
        self.sites.store(u64::from(created) | u64::from(removed) << 32, Ordering::Release);
    }

    /// Records the line of a reservation that was given up, as both; its owner calls it before the slot is vacant again.
    pub(crate) fn set_given_up(&self, site: u32) {
        // Release (E11): after the state.
        self.sites.store(u64::from(site) | u64::from(site) << 32, Ordering::Release);
    }

    /// Both sites, as they were stored together.
    ///
    /// Acquire (E11): a state that is read after this is not older than the sites are.
    pub(crate) fn sites(&self) -> Sites {
        let sites = self.sites.load(Ordering::Acquire);
        Sites { created: sites as u32, removed: (sites >> 32) as u32 }
    }
}

#[cfg(all(test, not(haft_loom)))]
mod tests {
    use super::*;

    fn slot() -> Slot {
        Slot::new()
    }

    #[test]
    fn i7_a_vacant_slot_rejects_every_generation_also_the_next() {
        let slot = slot();
        slot.prime(7, 0);
        for generation in 0..16 {
            assert!(slot.look(generation).is_none());
            assert!(slot.hold(generation).is_none());
            assert!(slot.close(generation).is_none());
            assert!(!slot.join(generation, 0));
        }
        slot.reserve(7);
        assert!(slot.look(7).is_none());
        slot.open(7, 1);
        assert!(slot.look(7).is_some());
        assert!(slot.look(6).is_none() && slot.look(8).is_none());
    }

    #[test]
    fn i4_holds_stop_at_their_limit_and_never_run_over() {
        let slot = slot();
        slot.prime(1, 0);
        slot.open(1, 1);
        let almost = State::new(1, Phase::Live, LIVE_HOLDS - 1);
        slot.state.store(almost.0, Ordering::Relaxed);
        assert_eq!(slot.hold(1), Some(true));
        assert_eq!(slot.hold(1), Some(false));
        assert!(!slot.hold_again());
        let state = slot.state();
        assert_eq!((state.generation(), state.phase(), state.readers()), (1, Phase::Live, 0));
        // Closing gives the holds eight more bits, so converting cells cannot run over either.
        let before = slot.close(1).unwrap();
        assert_eq!(before.holds(), LIVE_HOLDS);
        assert_eq!(slot.state().holds(), LIVE_HOLDS + 1);
        assert!(slot.hold_again());
    }

    #[test]
    fn s4_one_close_wins_and_the_last_hold_is_told() {
        let slot = slot();
        slot.prime(3, 0);
        slot.open(3, 1);
        assert_eq!(slot.hold(3), Some(true));
        assert!(slot.join(3, 5));
        let before = slot.close(3).unwrap();
        assert_eq!((before.readers(), before.holds()), (1 << 5, 1));
        assert!(slot.close(3).is_none());
        assert!(!slot.is_alone());
        assert!(!slot.give_back());
        assert!(slot.is_alone());
        assert!(slot.give_back());
    }
}
