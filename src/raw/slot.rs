//! A slot: the state word, and (after it, in the page) the value.
//!
//! # The state word
//!
//! ```text
//! 63  62        55 54               32 31 30            0
//! +---+-----------+-------------------+---+---------------+
//! | 0 |     0            |  next 14   | 0 | generation 31 |  VACANT
//! | 0 | readers 8 |     holds 23      | 1 | generation 31 |  LIVE
//! | 1 |          holds 31             | 0 | generation 31 |  CLOSED
//! | 0 | 1 |         0                 | 0 | generation 31 |  RESERVED
//! +---+-----------+-------------------+---+---------------+
//! ```
//!
//! So one comparison of 32 bits says whether a slot is live with a generation, and one of 64 whether nobody but its creator has to do with it.
//!
//! | phase | value | generation | a lookup | who may change the word |
//! |---|---|---|---|---|
//! | `VACANT` (word 0: never used in this page) | none | the last issued | fails | the owner of the free list that it is in |
//! | `RESERVED` | none yet | being issued | fails | the creator |
//! | `LIVE` | there | issued | succeeds | creators never; holders add and give back holds, readers add their bit, one remover closes |
//! | `CLOSED` | there until the last hold is back | issued | fails | whoever gives a hold back; the last frees |
//!
//! A lookup succeeds only on `LIVE` with its own generation, so a vacant slot rejects every
//! generation, also the next one (I7). `next` is the [`Link`] to the next free slot, zero at the
//! end. A slot whose generation is the last one is vacant and in no list: it is retired.

use super::bits;
use super::link::Link;
use crate::sync::{AtomicU64, Ordering, Track, close};

const LIVE: u64 = 1 << bits::GENERATION_BITS;
const CLOSED: u64 = 1 << 63;
const RESERVED: u64 = 1 << 62;
/// What the upper half counts in: a hold, or an index.
const UPPER_SHIFT: u32 = 32;
const ONE: u64 = 1 << UPPER_SHIFT;
const READER_SHIFT: u32 = UPPER_SHIFT + 23;
const LIVE_HOLDS: u64 = (1 << (READER_SHIFT - UPPER_SHIFT)) - 1;
const CLOSED_HOLDS: u64 = (1 << 31) - 1;

/// Groups into which readers are hashed: one bit each in a live state word.
pub(crate) const READER_GROUPS: u32 = 63 - READER_SHIFT;

/// The bit of a group of readers.
pub(crate) const fn reader_bit(group: u32) -> u64 {
    1 << (READER_SHIFT + group)
}

/// The lower half of a word that is live with this generation.
#[inline(always)]
pub(crate) const fn live_half(generation: u32) -> u32 {
    generation | LIVE as u32
}

const _: () = assert!(READER_GROUPS == 8);
const _: () = assert!(bits::GENERATION_BITS == 31);

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
    /// `upper` is what the phase has above the generation: holds, or the next free slot.
    const fn new(generation: u32, phase: Phase, upper: u64) -> Self {
        // The lower half is put together as such: in one instruction, for a live word.
        let lower = if matches!(phase, Phase::Live) { live_half(generation) } else { generation };
        let phase = match phase {
            Phase::Vacant | Phase::Live => 0,
            Phase::Closed => CLOSED,
            Phase::Reserved => RESERVED,
        };
        Self(lower as u64 | phase | upper << UPPER_SHIFT)
    }

    /// The generation that was issued last, or is issued now.
    #[inline]
    pub(crate) const fn generation(self) -> u32 {
        (self.0 & (LIVE - 1)) as u32
    }

    /// What the slot is doing.
    #[inline]
    pub(crate) const fn phase(self) -> Phase {
        if self.0 & LIVE != 0 {
            Phase::Live
        } else if self.0 & CLOSED != 0 {
            Phase::Closed
        } else if self.0 & RESERVED != 0 {
            Phase::Reserved
        } else {
            Phase::Vacant
        }
    }

    /// Whether the slot was never used in this page.
    pub(crate) const fn is_untouched(self) -> bool {
        self.0 == 0
    }

    /// Live, with this very generation.
    #[inline]
    const fn is_live(self, generation: u32) -> bool {
        self.0 as u32 == generation | LIVE as u32
    }

    /// Live, with the generation of this handle, whose bit 0 is where the live bit is in a word. (So what is no handle would match a word that is not live.)
    #[inline(always)]
    pub(crate) const fn is_live_as(self, handle: u64) -> bool {
        debug_assert!(bits::is_well_formed(handle));
        self.0 as u32 == bits::generation_and_bit(handle)
    }

    /// As [`State::is_live_as`], and quiet.
    #[inline(always)]
    pub(crate) const fn is_quietly_live_as(self, handle: u64) -> bool {
        debug_assert!(bits::is_well_formed(handle));
        self.0 == bits::generation_and_bit(handle) as u64
    }

    /// The groups of readers that have looked this handle up; meaningful when live.
    #[inline]
    pub(crate) const fn readers(self) -> u32 {
        (self.0 >> READER_SHIFT) as u32
    }

    /// Whether a reader of the group with this bit has looked this handle up; meaningful when live.
    #[inline(always)]
    pub(crate) const fn has_reader(self, bit: u64) -> bool {
        self.0 & bit != 0
    }

    /// The counted holds.
    #[inline]
    pub(crate) const fn holds(self) -> u64 {
        match self.phase() {
            Phase::Live => self.0 >> UPPER_SHIFT & LIVE_HOLDS,
            Phase::Closed => self.0 >> UPPER_SHIFT & CLOSED_HOLDS,
            Phase::Vacant | Phase::Reserved => 0,
        }
    }

    /// Whether a live word has all the holds that it can have.
    pub(crate) const fn is_full(self) -> bool {
        self.holds() == LIVE_HOLDS
    }

    /// Nobody counts itself, and no other thread has looked the handle up; meaningful when live.
    #[inline]
    pub(crate) const fn is_quiet(self) -> bool {
        self.0 >> UPPER_SHIFT == 0
    }

    /// Live with this generation, and quiet.
    #[inline]
    pub(crate) const fn quietly_live(generation: u32) -> Self {
        Self::new(generation, Phase::Live, 0)
    }
}

/// The fixed part of a slot, 8 bytes; the value follows at the type's offset.
#[repr(C)]
#[derive(Debug)]
pub(crate) struct Slot {
    state: AtomicU64,
    /// Stands for the value in models.
    pub(crate) value: Track,
    /// Is the value, where that is a word, in models.
    #[cfg(haft_loom)]
    pub(crate) word: AtomicU64,
}

#[cfg(not(haft_loom))]
const _: () = assert!(size_of::<Slot>() == 8);

impl Slot {
    /// A slot that was never used.
    pub(crate) fn new() -> Self {
        Self {
            state: AtomicU64::new(0),
            value: Track::new(),
            #[cfg(haft_loom)]
            word: AtomicU64::new(0),
        }
    }

    /// The state now. Acquire (E1, E6): what the state says about the value is visible after it.
    #[inline]
    pub(crate) fn state(&self) -> State {
        State(self.state.load(Ordering::Acquire))
    }

    // ---- the owner of the free list that the slot is in, or its creator ----

    /// Makes an untouched slot a free one whose next generation is `first`.
    pub(crate) fn prime(&self, first: u32, next: Link) {
        self.state.store(State::new(first - 1, Phase::Vacant, next.bits()).0, Ordering::Relaxed);
    }

    /// Links a free slot to the next one. Relaxed: the list's head publishes it (E7).
    pub(crate) fn relink(&self, next: Link) {
        let state = State(self.state.load(Ordering::Relaxed));
        debug_assert_eq!(state.phase(), Phase::Vacant);
        let vacant = State::new(state.generation(), Phase::Vacant, next.bits());
        self.state.store(vacant.0, Ordering::Relaxed);
    }

    /// The generation to issue next and the link to the free slot after this one. The caller owns the free list.
    #[inline]
    pub(crate) fn peek(&self) -> (u32, Link) {
        let state = State(self.state.load(Ordering::Relaxed));
        debug_assert_eq!(state.phase(), Phase::Vacant);
        debug_assert!(state.generation() < bits::MAX_GENERATION);
        // A vacant word has nothing beside the two.
        (state.0 as u32 + 1, Link::from_bits(state.0 >> UPPER_SHIFT))
    }

    /// Marks a popped slot as being issued: lookups fail until [`Slot::open`].
    pub(crate) fn reserve(&self, generation: u32) {
        self.state.store(State::new(generation, Phase::Reserved, 0).0, Ordering::Relaxed);
    }

    /// Opens the slot to lookups; the value is in place. The creator calls it, once.
    ///
    /// Release (E1): publishes the value; pairs with the loads in [`Slot::look`] and [`Slot::hold`].
    #[inline]
    pub(crate) fn open(&self, generation: u32) {
        self.state.store(State::new(generation, Phase::Live, 0).0, Ordering::Release);
    }

    /// Makes a popped or exclusively held slot vacant, linked to `next`.
    ///
    /// Release: the end of the value's life comes before whatever is told by the new state.
    #[inline]
    pub(crate) fn vacate(&self, generation: u32, next: Link) {
        self.state.store(State::new(generation, Phase::Vacant, next.bits()).0, Ordering::Release);
    }

    /// As [`Slot::vacate`], from the lower half of the live word. The live bit is subtracted, so that all is one address's sum.
    ///
    /// Release: as there.
    #[inline(always)]
    pub(crate) fn vacate_live(&self, live: u32, next: Link) {
        debug_assert!(live & LIVE as u32 != 0);
        let vacant = (u64::from(live) + (next.bits() << UPPER_SHIFT)).wrapping_sub(LIVE);
        self.state.store(vacant, Ordering::Release);
    }

    // ---- lookups ----

    /// Looks at the slot after a cell was published: the state if it is live with the generation of this handle.
    ///
    /// `SeqCst` (E3): ordered after the publication; pairs with the close of a remover, which then
    /// sees the cell. Acquire (E1) is part of it.
    #[inline]
    pub(crate) fn look(&self, handle: u64) -> Option<State> {
        let state = State(self.state.load(Ordering::SeqCst));
        state.is_live_as(handle).then_some(state)
    }

    /// Adds a group of readers to a live word, so that the remover looks at that group's cells.
    ///
    /// `false` where the handle is not live any more. `SeqCst` (E3) as for [`Slot::look`]: a success is
    /// before the close, which therefore sees the bit, and the cell that was published before it.
    #[cold]
    pub(crate) fn join(&self, generation: u32, bit: u64) -> bool {
        // Relaxed: the exchange decides.
        let mut state = State(self.state.load(Ordering::Relaxed));
        while state.is_live(generation) {
            let joined = state.0 | bit;
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
        // Relaxed: the exchange decides, and it alone makes a holder.
        let mut state = State(self.state.load(Ordering::Relaxed));
        while state.is_live(generation) {
            if state.is_full() {
                return Some(false);
            }
            match self.state.compare_exchange_weak(
                state.0,
                state.0 + ONE,
                Ordering::Acquire,
                Ordering::Relaxed,
            ) {
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
                _ => CLOSED_HOLDS / 2,
            };
            // Readers that removers count may have gone past it.
            if state.holds() >= full {
                return false;
            }
            match self.state.compare_exchange_weak(
                state.0,
                state.0 + ONE,
                Ordering::Relaxed,
                Ordering::Relaxed,
            ) {
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
        let before = State(self.state.fetch_sub(ONE, Ordering::AcqRel));
        debug_assert!(before.holds() > 0);
        before.phase() == Phase::Closed && before.holds() == 1
    }

    // ---- copies of words ----

    /// Whether a slot that was live as this handle is so still, after its word was copied. Relaxed: the copy has it ordered (E15).
    #[inline(always)]
    pub(crate) fn is_still_live_as(&self, handle: u64) -> bool {
        State(self.state.load(Ordering::Relaxed)).is_live_as(handle)
    }

    // ---- removal ----

    /// Closes the slot: of all callers for one generation exactly one gets the last live state (S4).
    ///
    /// The winner owns one hold, so that nobody else can be the last one while it looks at the cells.
    #[inline]
    pub(crate) fn close(&self, generation: u32) -> Option<State> {
        // Relaxed: the exchange decides.
        let mut state = State(self.state.load(Ordering::Relaxed));
        while state.is_live(generation) {
            let closed = State::new(generation, Phase::Closed, state.holds() + 1);
            match close(&self.state, state.0, closed.0) {
                Ok(_) => return Some(state),
                Err(now) => state = State(now),
            }
        }
        None
    }

    /// As [`Slot::close`], by the owner of a biased page, who has found the slot quiet and said what it intends (E13).
    ///
    /// Relaxed: the end of the intent, which follows, publishes it (E13).
    #[inline]
    pub(crate) fn close_plainly(&self, generation: u32) {
        self.state.store(State::new(generation, Phase::Closed, 1).0, Ordering::Relaxed);
    }

    /// Whether the caller's hold is the only one left on a closed slot.
    ///
    /// Acquire (E6): the holds that were given back are seen with everything before them.
    #[inline]
    pub(crate) fn is_alone(&self) -> bool {
        let state = State(self.state.load(Ordering::Acquire));
        debug_assert_eq!(state.phase(), Phase::Closed);
        state.holds() == 1
    }

    /// Adds a hold to a closed slot on behalf of a reader whose cell is about to be converted (E4).
    ///
    /// Relaxed: the conversion of the cell releases it. The caller has a hold of its own.
    pub(crate) fn hold_for_reader(&self) {
        self.state.fetch_add(ONE, Ordering::Relaxed);
    }

    /// Takes back what [`Slot::hold_for_reader`] added; the caller's own hold keeps it from being the last.
    pub(crate) fn unhold_for_reader(&self) {
        self.state.fetch_sub(ONE, Ordering::Relaxed);
    }
}

#[cfg(all(test, not(haft_loom)))]
mod tests {
    use super::*;

    fn slot() -> Slot {
        Slot::new()
    }

    /// With this generation.
    fn handle(generation: u32) -> u64 {
        bits::pack(generation, 3, 5)
    }

    #[test]
    fn i7_a_vacant_slot_rejects_every_generation_also_the_next() {
        let slot = slot();
        slot.prime(7, Link::END);
        for generation in 0..16 {
            assert!(slot.look(handle(generation)).is_none());
            assert!(slot.hold(generation).is_none());
            assert!(slot.close(generation).is_none());
            assert!(!slot.join(generation, reader_bit(0)));
        }
        slot.reserve(7);
        assert!(slot.look(handle(7)).is_none());
        slot.open(7);
        assert!(slot.look(handle(7)).is_some());
        assert!(slot.look(handle(6)).is_none() && slot.look(handle(8)).is_none());
        assert!(slot.state().is_quietly_live_as(handle(7)) && !slot.state().is_quietly_live_as(handle(6)));
    }

    #[test]
    fn i4_holds_stop_at_their_limit_and_never_run_over() {
        let slot = slot();
        slot.prime(1, Link::END);
        slot.open(1);
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
    fn i4_holds_of_a_closed_word_stop_also_where_a_remover_has_gone_past_their_limit() {
        let slot = slot();
        slot.prime(1, Link::END);
        slot.open(1);
        assert!(slot.close(1).is_some());
        slot.state.store(State::new(1, Phase::Closed, CLOSED_HOLDS / 2 - 1).0, Ordering::Relaxed);
        assert!(slot.hold_again());
        assert!(!slot.hold_again());
        slot.hold_for_reader();
        assert!(!slot.hold_again(), "beyond the limit nothing would stop it any more");
    }

    #[test]
    fn s4_one_close_wins_and_the_last_hold_is_told() {
        let slot = slot();
        slot.prime(3, Link::END);
        slot.open(3);
        assert_eq!(slot.hold(3), Some(true));
        assert!(slot.join(3, reader_bit(5)));
        let before = slot.close(3).unwrap();
        assert_eq!((before.readers(), before.holds()), (1 << 5, 1));
        assert!(slot.close(3).is_none());
        assert!(!slot.is_alone());
        assert!(!slot.give_back());
        assert!(slot.is_alone());
        assert!(slot.give_back());
    }
}
