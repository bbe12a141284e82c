//! A slot: the state word, and (after it, in the page) the value.
//!
//! # The state word
//!
//! ```text
//! 63         54 53              32 31 30 29            0
//! +-------------+------------------+--+--+--------------+
//! |        0    |      next 14     | 0| 0|generation 30 |  VACANT
//! |  reader 10  |     holds 22     | 1| 0|generation 30 |  LIVE
//! | 1 |          holds 31          | 0| 0|generation 30 |  CLOSED
//! | 0 | 1 |           0            | 0| 0|generation 30 |  RESERVED
//! +-------------+------------------+--+--+--------------+
//! ```
//!
//! One comparison of 32 bits says whether a slot is live with a generation. Bit 30 is bit 63 of the
//! handle, which is zero.
//!
//! | phase | value | generation | a lookup | who may change the word |
//! |---|---|---|---|---|
//! | `VACANT` | none | the last issued; 0 in fresh memory | fails | the owner of the free list that it is in |
//! | `RESERVED` | none yet | being issued | fails | the creator |
//! | `LIVE` | there | issued | succeeds | readers announce themselves, holders count, one remover closes |
//! | `CLOSED` | there until the last hold is back | issued | fails | whoever gives a hold back; the last one frees |
//!
//! A lookup succeeds only on `LIVE` with its own generation, so a vacant slot rejects every
//! generation, also the next one (I7). `next` is the [`Link`] to the next free slot, zero at the
//! end. A slot whose generation is the last one is vacant and in no list: it is retired.
//!
//! # Who has looked
//!
//! A thread *announces* itself in the word before it publishes a live handle in one of its cells, so a
//! remover knows whose cells to look at. The creator does so when it opens the slot, or later.
//!
//! | reader | means | whose cells a remover looks at |
//! |---|---|---|
//! | 0 | nobody has looked the handle up | nobody's |
//! | 1 to 1,022 | the thread with the record of this number, less one | that record's |
//! | 1,023 | several threads have | those of all records in use |

use super::bits;
use super::link::Link;
use crate::sync::{AtomicU64, Ordering, Track, close};

const LIVE: u64 = 1 << 31;
const CLOSED: u64 = 1 << 63;
const RESERVED: u64 = 1 << 62;
/// What the upper half counts in: a hold, or an index.
const UPPER_SHIFT: u32 = 32;
const ONE: u64 = 1 << UPPER_SHIFT;
const READER_SHIFT: u32 = 54;
const LIVE_HOLDS: u64 = (1 << (READER_SHIFT - UPPER_SHIFT)) - 1;
const CLOSED_HOLDS: u64 = (1 << 31) - 1;

/// Who has looked a live handle up: a live word but for its generation and its holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Reader(u64);

impl Reader {
    /// Nobody.
    pub(crate) const NOBODY: Self = Self(LIVE);
    /// More than one thread, or one whose record has a number too high to be named.
    pub(crate) const SEVERAL: Self = Self(u64::MAX << READER_SHIFT | LIVE);

    /// The thread that uses the record with this number.
    pub(crate) const fn of(record: u32) -> Self {
        if record as u64 + 1 < Self::SEVERAL.0 >> READER_SHIFT {
            Self((record as u64 + 1) << READER_SHIFT | LIVE)
        } else {
            Self::SEVERAL
        }
    }

    /// As it stands in the state word.
    #[inline(always)]
    pub(super) const fn bits(self) -> u64 {
        self.0
    }

    /// What [`Reader::bits`] gave.
    #[inline(always)]
    pub(super) const fn from_bits(bits: u64) -> Self {
        Self(bits)
    }

    /// The number of the record, if it is exactly one that can be named.
    pub(crate) fn record(self) -> Option<u32> {
        let number = (self.0 >> READER_SHIFT) as u32;
        (self != Self::NOBODY && self != Self::SEVERAL).then(|| number - 1)
    }

    /// The word of a slot that is live with this handle, without counted holds, if this reader alone is
    /// announced. Its lower half is that of every word that is live with the handle.
    #[inline(always)]
    pub(crate) const fn live(self, handle: u64) -> Live {
        debug_assert!(handle & 1 == 1);
        Live(bits::generation_and_sign(handle) | self.0)
    }
}

/// What [`Reader::live`] makes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Live(u64);

const _: () = assert!(bits::GENERATION_BITS == 30);

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
        let phase = match phase {
            Phase::Vacant => 0,
            Phase::Live => LIVE,
            Phase::Closed => CLOSED,
            Phase::Reserved => RESERVED,
        };
        Self(generation as u64 | phase | upper << UPPER_SHIFT)
    }

    /// The generation that was issued last, or is issued now.
    #[inline]
    pub(crate) const fn generation(self) -> u32 {
        self.0 as u32 & bits::MAX_GENERATION
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

    /// Vacant, and this generation was the last one, if there was any.
    #[inline]
    pub(crate) const fn is_vacant_after(self, generation: u32) -> bool {
        matches!(self.phase(), Phase::Vacant) && self.generation() == generation
    }

    /// Of the same handle, and live if that is.
    #[inline]
    pub(super) const fn is_like(self, other: Self) -> bool {
        self.0 as u32 == other.0 as u32
    }

    /// Live, as the handle of that word is.
    #[inline(always)]
    pub(crate) const fn is_live_as(self, live: Live) -> bool {
        self.0 as u32 == live.0 as u32
    }

    /// Live, without counted holds, and with the reader of that word alone.
    #[inline(always)]
    pub(crate) const fn is(self, live: Live) -> bool {
        self.0 == live.0
    }

    /// Who has looked the handle up; meaningful when live.
    #[inline(always)]
    pub(crate) const fn reader(self) -> Reader {
        Reader(self.0 & Reader::SEVERAL.0)
    }

    /// Returns `true` if this reader is announced in a live word: its remover will look at the
    /// reader's cells.
    #[inline(always)]
    pub(crate) fn knows(self, reader: Reader) -> bool {
        let announced = self.reader();
        announced == reader || announced == Reader::SEVERAL
    }

    /// Live with the handle, without counted holds, and looked up by nobody but `me`.
    #[inline(always)]
    pub(crate) fn is_unshared(self, handle: u64, me: Reader) -> bool {
        // Performance: without its generation, a live word that has no counted holds is its reader.
        let reader = Reader(self.0 ^ bits::generation_and_sign(handle));
        reader == me || reader == Reader::NOBODY
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

    /// Closed, with one hold.
    const fn is_last_hold(self) -> bool {
        self.0 >> UPPER_SHIFT == (CLOSED | ONE) >> UPPER_SHIFT && self.0 & LIVE == 0
    }

    /// Whether a live word has all the holds that it can have.
    pub(crate) const fn is_full(self) -> bool {
        self.holds() == LIVE_HOLDS
    }
}

/// The fixed part of a slot, 8 bytes; the value follows at the type's offset.
#[repr(C)]
#[derive(Debug)]
pub(crate) struct Slot {
    state: AtomicU64,
    /// Stands for the value in models.
    pub(crate) value: Track,
}

#[cfg(not(haft_loom))]
const _: () = assert!(size_of::<Slot>() == 8);

impl Slot {
    /// A slot that was never used.
    #[cfg(any(test, haft_loom))]
    pub(crate) fn new() -> Self {
        Self { state: AtomicU64::new(0), value: Track::new() }
    }

    /// The state now. Acquire (E1, E6): what the state says about the value is visible after it.
    #[inline]
    pub(crate) fn state(&self) -> State {
        State(self.state.load(Ordering::Acquire))
    }

    // ---- the owner of the free list that the slot is in, or its creator ----

    /// Makes a slot of fresh memory a free one whose next generation is `first`.
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
        // A vacant word has nothing beside the two.
        (state.0 as u32 + 1, Link::from_bits(state.0 >> UPPER_SHIFT))
    }

    /// Marks a popped slot as being issued: lookups fail until [`Slot::open`].
    pub(crate) fn reserve(&self, generation: u32) {
        self.state.store(State::new(generation, Phase::Reserved, 0).0, Ordering::Relaxed);
    }

    /// Opens the slot to lookups; the value is in place. The creator calls it, once.
    ///
    /// The creator may announce itself, so that its own first lookup need not.
    ///
    /// Release (E1): publishes the value; pairs with the loads in [`Slot::state`] and [`Slot::hold`].
    #[inline]
    pub(crate) fn open(&self, generation: u32, creator: Reader) {
        self.state.store(u64::from(generation) | creator.0, Ordering::Release);
    }

    /// Makes a popped or exclusively held slot vacant, linked to `next`.
    ///
    /// Release: the end of the value's life comes before whatever is told by the new state.
    #[inline]
    pub(crate) fn vacate(&self, generation: u32, next: Link) {
        self.state.store(State::new(generation, Phase::Vacant, next.bits()).0, Ordering::Release);
    }

    // ---- lookups ----

    /// Looks at the slot again after a cell was published. Returns `true` if it is live as before.
    ///
    /// `SeqCst` (E3): ordered after the publication; pairs with the close of a remover, which then
    /// sees the cell. Acquire (E1) is part of it.
    #[inline]
    pub(crate) fn look(&self, live: Live) -> bool {
        State(self.state.load(Ordering::SeqCst)).is_live_as(live)
    }

    /// As [`Slot::announce`], if nobody is announced in the live word `seen`, and it has not changed.
    #[inline(always)]
    pub(crate) fn announce_first(&self, seen: State, reader: Reader) -> bool {
        seen.reader() == Reader::NOBODY && close(&self.state, seen.0, seen.0 | reader.0).is_ok()
    }

    /// Announces a reader in a live word, so that a remover looks at its cells. Returns `false` if the
    /// handle is not live any more; nothing is written then.
    ///
    /// `SeqCst` (E3): it comes before the close, which therefore sees it.
    #[cold]
    #[inline(never)]
    pub(crate) fn announce(&self, handle: u64, reader: Reader) -> bool {
        let live = reader.live(handle);
        // Relaxed: the exchange decides.
        let mut state = State(self.state.load(Ordering::Relaxed));
        while state.is_live_as(live) {
            if state.knows(reader) {
                return true;
            }
            let first = state.reader() == Reader::NOBODY;
            let announced = state.0 | if first { reader } else { Reader::SEVERAL }.0;
            match close(&self.state, state.0, announced) {
                Ok(_) => return true,
                Err(now) => state = State(now),
            }
        }
        false
    }

    /// Takes a counted hold on a live handle.
    ///
    /// `None` where it is not live, `Some(false)` where all 4,194,303 holds are taken: the count never
    /// runs over into its neighbour. Acquire (E1): the value is visible to the holder.
    pub(crate) fn hold(&self, handle: u64) -> Option<bool> {
        let live = Reader::NOBODY.live(handle);
        // Relaxed: the exchange decides, and it alone makes a holder.
        let mut state = State(self.state.load(Ordering::Relaxed));
        while state.is_live_as(live) {
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
        before.is_last_hold()
    }

    // ---- removal ----

    /// Closes the slot: of all callers for one handle exactly one gets the last live state (S4).
    ///
    /// The winner owns one hold, so that nobody else can be the last one while it looks at the cells.
    #[inline]
    pub(crate) fn close(&self, handle: u64) -> Option<State> {
        let live = Reader::NOBODY.live(handle);
        // Relaxed: the exchange decides.
        let mut state = State(self.state.load(Ordering::Relaxed));
        while state.is_live_as(live) {
            let closed = State::new(state.generation(), Phase::Closed, state.holds() + 1);
            match close(&self.state, state.0, closed.0) {
                Ok(_) => return Some(state),
                Err(now) => state = State(now),
            }
        }
        None
    }

    /// Closes a slot in one step from the live word `seen`, whose value the caller alone can have: the
    /// slot is the caller's then. Returns `false` if the word has changed.
    ///
    /// `SeqCst` (E3): whoever announces itself later does so on a word that is closed, and fails.
    #[inline(always)]
    pub(crate) fn close_unshared(&self, seen: State) -> bool {
        let closed = State::new(seen.generation(), Phase::Closed, 1);
        close(&self.state, seen.0, closed.0).is_ok()
    }

    /// As [`Slot::close_unshared`] of a handle whose value needs no drop: the slot is vacant at once, linked
    /// to `next`, and still the caller's until it is in a list.
    #[inline(always)]
    pub(crate) fn vacate_unshared(&self, seen: State, handle: u64, next: Link) -> bool {
        // (Bit 63 of a handle that is live is zero.)
        let vacant = bits::generation_and_sign(handle) | next.bits() << UPPER_SHIFT;
        close(&self.state, seen.0, vacant).is_ok()
    }

    /// Whether the caller's hold is the only one left on a closed slot.
    ///
    /// Acquire (E6): the holds that were given back are seen with everything before them.
    #[inline]
    pub(crate) fn is_alone(&self) -> bool {
        let state = State(self.state.load(Ordering::Acquire));
        debug_assert_eq!(state.phase(), Phase::Closed);
        state.is_last_hold()
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

    /// Whoever has looked it up.
    fn live(generation: u32) -> Live {
        Reader::of(7).live(handle(generation))
    }

    #[test]
    fn i7_a_vacant_slot_rejects_every_generation_also_the_next() {
        let slot = slot();
        slot.prime(7, Link::END);
        for generation in 0..16 {
            assert!(!slot.look(live(generation)));
            assert!(slot.hold(handle(generation)).is_none());
            assert!(slot.close(handle(generation)).is_none());
            assert!(!slot.announce(handle(generation), Reader::of(3)));
        }
        slot.reserve(7);
        assert!(!slot.look(live(7)));
        slot.open(7, Reader::NOBODY);
        assert!(slot.look(live(7)));
        assert!(!slot.look(live(6)) && !slot.look(live(8)));
        assert!(slot.state().is_live_as(live(7)) && !slot.state().is_live_as(live(6)));
    }

    #[test]
    fn s3_a_negative_integer_is_no_live_handle_whatever_is_tried() {
        let slot = slot();
        slot.prime(7, Link::END);
        slot.open(7, Reader::NOBODY);
        let negative = handle(7) | 1 << 63;
        let live = Reader::NOBODY.live(negative);
        assert!(!slot.state().is_live_as(live) && !slot.state().is(live) && !slot.look(live));
        assert!(!slot.state().is_unshared(negative, Reader::NOBODY));
        assert!(slot.hold(negative).is_none() && slot.close(negative).is_none());
        assert!(!slot.announce(negative, Reader::of(3)));
        assert!(slot.state().is(Reader::NOBODY.live(handle(7))));
    }

    #[test]
    fn i4_holds_stop_at_their_limit_and_never_run_over() {
        let slot = slot();
        slot.prime(1, Link::END);
        slot.open(1, Reader::NOBODY);
        let almost = State::new(1, Phase::Live, LIVE_HOLDS - 1);
        slot.state.store(almost.0, Ordering::Relaxed);
        assert_eq!(slot.hold(handle(1)), Some(true));
        assert_eq!(slot.hold(handle(1)), Some(false));
        assert!(!slot.hold_again());
        let state = slot.state();
        assert_eq!((state.generation(), state.phase(), state.reader()), (1, Phase::Live, Reader::NOBODY));
        // Closing gives the holds nine more bits, so converting cells cannot run over either.
        let before = slot.close(handle(1)).unwrap();
        assert_eq!(before.holds(), LIVE_HOLDS);
        assert_eq!(slot.state().holds(), LIVE_HOLDS + 1);
        assert!(slot.hold_again());
    }

    #[test]
    fn i4_a_hold_of_a_live_word_is_never_the_last_whoever_is_announced() {
        for record in 0..1024 {
            let slot = slot();
            slot.prime(1, Link::END);
            slot.open(1, Reader::of(record));
            assert_eq!(slot.hold(handle(1)), Some(true));
            assert!(!slot.give_back(), "the value would be dropped while it is live");
        }
    }

    #[test]
    fn i4_holds_of_a_closed_word_stop_also_where_a_remover_has_gone_past_their_limit() {
        let slot = slot();
        slot.prime(1, Link::END);
        slot.open(1, Reader::NOBODY);
        assert!(slot.close(handle(1)).is_some());
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
        slot.open(3, Reader::NOBODY);
        assert_eq!(slot.hold(handle(3)), Some(true));
        assert!(slot.announce(handle(3), Reader::of(5)));
        let before = slot.close(handle(3)).unwrap();
        assert_eq!((before.reader().record(), before.holds()), (Some(5), 1));
        assert!(slot.close(handle(3)).is_none());
        assert!(!slot.is_alone());
        assert!(!slot.give_back());
        assert!(slot.is_alone());
        assert!(slot.give_back());
    }

    #[test]
    fn e3_the_first_reader_is_named_and_the_second_makes_it_several() {
        let slot = slot();
        slot.prime(3, Link::END);
        slot.open(3, Reader::NOBODY);
        let (one, two) = (Reader::of(0), Reader::of(1021));
        assert_ne!(one, two);
        assert!(slot.state().is_unshared(handle(3), one) && !slot.state().knows(one));
        assert!(!slot.state().is_unshared(handle(4), one));
        assert!(slot.announce(handle(3), two));
        assert!(slot.state().knows(two) && !slot.state().knows(one));
        assert!(slot.state().is_unshared(handle(3), two) && !slot.state().is_unshared(handle(3), one));
        assert!(slot.announce(handle(3), one));
        assert!(slot.state().knows(one) && slot.state().knows(two) && slot.state().knows(Reader::of(9)));
        assert!(!slot.state().is_unshared(handle(3), one));
        assert_eq!((slot.state().reader(), slot.state().reader().record()), (Reader::SEVERAL, None));
        assert_eq!((Reader::of(1022), two.record()), (Reader::SEVERAL, Some(1021)));
    }
}
