//! Where generations begin.

/// Generations among which the slots of one page begin.
const SPREAD: u32 = 1 << 12;

/// Returns the highest first generation of the slots of one page, in fresh memory. Pages begin at random in
/// the lower half of all generations, so a slot has at least half of them, and a handle of another process
/// is hardly ever one of this process.
pub(crate) fn highest_first(seed: u64, last_generation: u32) -> u32 {
    1 + (mix(seed) % u64::from((last_generation >> 1).max(1))) as u32
}

/// Returns the first generation of a slot in fresh memory. The slots of a page begin close together, so that
/// little is lost where the whole page goes on above the highest one of them.
pub(crate) fn first_generation(seed: u64, slot: u32, highest_first: u32) -> u32 {
    let below = mix(seed ^ u64::from(slot) << 32 | 1) % u64::from(SPREAD);
    highest_first.saturating_sub(below as u32).max(1)
}

/// A permutation of 64-bit integers that looks random (the finaliser of splitmix64, Steele et al. 2014).
pub(crate) fn mix(mut value: u64) -> u64 {
    value = value.wrapping_add(0x9E37_79B9_7F4A_7C15);
    value = (value ^ value >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    value = (value ^ value >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
    value ^ value >> 31
}
