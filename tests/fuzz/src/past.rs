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

/// The first and the last generation that each slot has issued: all between them were, one by one.
#[derive(Default)]
pub struct Past(Numbers<(u64, u64)>);

impl Past {
    /// Notes a new handle. S1: it is above all that its slot has issued.
    pub fn learn(&mut self, bits: u64) {
        assert_eq!(bits & 1, 1, "S2: {bits:#x}");
        let generation = bits >> 33;
        let (_, last) = self.0.entry(bits & SLOT).or_insert((generation, generation - 1));
        assert_eq!(*last + 1, generation, "S1: {bits:#x} is not the next of its slot");
        *last = generation;
    }

    /// Whether a handle was ever issued.
    pub fn knows(&self, bits: u64) -> bool {
        let slot = self.0.get(&(bits & SLOT));
        slot.is_some_and(|(first, last)| (*first..=*last).contains(&(bits >> 33)))
    }
}
