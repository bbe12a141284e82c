//! Where generations begin.

/// The first generation of a slot in the first page at a place: random, in the lower half, so that every slot has at
/// least 2^30 generations, and a handle of another process is hardly ever one of this process.
pub(super) fn first_generation(seed: u64, slot: u32, last_generation: u32) -> u32 {
    let half = (last_generation >> 1).max(1);
    1 + (mix(seed ^ u64::from(slot)) % u64::from(half)) as u32
}

/// A permutation of 64-bit integers that looks random (the finaliser of splitmix64, Steele et al. 2014).
pub(crate) fn mix(mut value: u64) -> u64 {
    value = value.wrapping_add(0x9E37_79B9_7F4A_7C15);
    value = (value ^ value >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    value = (value ^ value >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
    value ^ value >> 31
}
