//! What a process has issued, slot by slot: small, however many handles there were.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

const SLOT: u64 = (1 << 33) - 1;

/// Spreads what is numbered already.
#[derive(Default)]
pub struct Spread(u64);

impl Hasher for Spread {
    fn finish(&self) -> u64 {
        self.0
    }
    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.write_u64(u64::from(*byte)));
    }
    fn write_u64(&mut self, number: u64) {
        self.0 = (self.0 ^ number).wrapping_mul(0x9E37_79B9_7F4A_7C15).rotate_left(32);
    }
}

/// A map from numbers.
pub type Numbers<V> = HashMap<u64, V, BuildHasherDefault<Spread>>;

/// The first and the last generation that each slot has issued. All between them were, one by one, but where
/// the memory of a page was given back meanwhile: then its slots go on above the highest one of them, and what
/// was passed over is told as stale.
#[derive(Default)]
pub struct Past {
    slots: Numbers<(u64, u64)>,
    /// The highest generation of each page.
    pages: Numbers<u64>,
}

impl Past {
    /// Notes a new handle. S1: it is above all that its slot has issued.
    pub fn learn(&mut self, bits: u64) {
        assert!(bits & 1 == 1 && bits as i64 > 0, "S2: {bits:#x}");
        let generation = bits >> 33;
        let (_, last) = self.slots.entry(bits & SLOT).or_insert((generation, generation - 1));
        assert!(*last < generation, "S1: {bits:#x} is not above all others of its slot");
        *last = generation;
        let highest = self.pages.entry((bits & SLOT) >> 13).or_default();
        *highest = generation.max(*highest);
    }

    /// Whether a handle was ever issued, or passed over.
    pub fn knows(&self, bits: u64) -> bool {
        let slot = self.slots.get(&(bits & SLOT));
        slot.is_some_and(|(first, last)| (*first..=*last).contains(&(bits >> 33)))
    }
    /// Whether a handle may be told as stale: another slot of its page has had its generation, or a later one.
    pub fn may_be_stale(&self, bits: u64) -> bool {
        self.pages.get(&((bits & SLOT) >> 13)).is_some_and(|highest| bits >> 33 <= *highest)
    }
}
