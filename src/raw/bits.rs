//! The 64 bits of a handle.
//!
//! ```text
//! 63            33 32         19 18    13 12         1  0
//! +---------------+-------------+--------+------------+---+
//! | generation 31 |  shard 14   | page 6 |  slot 12   | 1 |
//! +---------------+-------------+--------+------------+---+
//!                  `----- place 20 -----'
//! ```
//!
//! Bit 0 is always one (I1): no handle is zero, and none is the address of anything that is aligned
//! to two bytes or more. Shard and page together are the *place*, the index into the one table.

/// Bits of a slot's index within its page.
pub(crate) const SLOT_BITS: u32 = 12;
/// Bits of a page's index within its shard.
pub(crate) const PAGE_BITS: u32 = 6;
/// Bits of a shard's number.
pub(crate) const SHARD_BITS: u32 = 14;
/// Bits of a place: a page anywhere.
pub(crate) const PLACE_BITS: u32 = SHARD_BITS + PAGE_BITS;
/// Bits of a generation.
pub(crate) const GENERATION_BITS: u32 = 31;

const SLOT_SHIFT: u32 = 1;
const PLACE_SHIFT: u32 = SLOT_SHIFT + SLOT_BITS;
const GENERATION_SHIFT: u32 = PLACE_SHIFT + PLACE_BITS;

/// Slots that a page can have at most.
pub(crate) const MAX_SLOTS: u32 = 1 << SLOT_BITS;
/// The last generation that a slot can have; after it the slot is retired (S1).
pub(crate) const MAX_GENERATION: u32 = (1 << GENERATION_BITS) - 1;

const _: () = assert!(GENERATION_SHIFT + GENERATION_BITS == 64);
const _: () = assert!(1 + SLOT_BITS + PAGE_BITS + SHARD_BITS + GENERATION_BITS == 64);

/// Puts a handle's bits together.
#[inline]
pub(crate) const fn pack(generation: u32, place: u32, slot: u32) -> u64 {
    debug_assert!(generation <= MAX_GENERATION && place >> PLACE_BITS == 0 && slot < MAX_SLOTS);
    (generation as u64) << GENERATION_SHIFT | (place as u64) << PLACE_SHIFT | (slot as u64) << SLOT_SHIFT | 1
}

/// The handle with this generation and the slot that the bits of a [`Link`](super::link::Link) lead to, from what it is without the two.
#[inline(always)]
pub(crate) const fn within(base: u64, generation: u32, link: u64) -> u64 {
    let bits = base.wrapping_add((generation as u64) << GENERATION_SHIFT).wrapping_add(link);
    // SAFETY(I1): the last bit is in the base, and everything that is added is even.
    unsafe { std::hint::assert_unchecked(bits & 1 == 1) };
    bits
}

/// Whether the bits can be a handle at all: bit 0 is one.
#[inline]
pub(crate) const fn is_well_formed(bits: u64) -> bool {
    bits & 1 == 1
}

/// The generation of a handle.
#[inline]
pub(crate) const fn generation(bits: u64) -> u32 {
    (bits >> GENERATION_SHIFT) as u32
}

/// The generation of a handle, with bit 0, which is one, above it: one rotation.
#[inline(always)]
pub(crate) const fn generation_and_bit(bits: u64) -> u32 {
    bits.rotate_right(GENERATION_SHIFT) as u32
}

/// The place of a handle: shard and page, the index into the table.
#[inline]
pub(crate) const fn place(bits: u64) -> u32 {
    (bits >> PLACE_SHIFT) as u32 & ((1 << PLACE_BITS) - 1)
}

/// The place of a handle, times a power of two.
#[cfg(not(haft_loom))]
#[inline(always)]
pub(crate) const fn place_times<const FACTOR: usize>(bits: u64) -> usize {
    const { assert!(FACTOR.is_power_of_two() && FACTOR.trailing_zeros() <= PLACE_SHIFT) };
    (bits >> (PLACE_SHIFT - FACTOR.trailing_zeros())) as usize & (((1 << PLACE_BITS) - 1) * FACTOR)
}

/// The index of a handle's slot within its page, doubled: as it stands in the handle.
#[inline(always)]
pub(crate) const fn slot_twice(bits: u64) -> u64 {
    bits & ((MAX_SLOTS as u64 - 1) << SLOT_SHIFT)
}

/// The index of a handle's slot within its page.
#[inline]
pub(crate) const fn slot(bits: u64) -> u32 {
    (slot_twice(bits) >> SLOT_SHIFT) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn i1_fields_round_trip_and_never_overlap() {
        for generation_value in [0, 1, 2, 0x2AAA_AAAA, MAX_GENERATION - 1, MAX_GENERATION] {
            for place_value in [0, 1, 63, 64, 0x5_5555, (1 << PLACE_BITS) - 1] {
                for slot_value in [0, 1, 0x555, MAX_SLOTS - 1] {
                    let bits = pack(generation_value, place_value, slot_value);
                    assert!(is_well_formed(bits));
                    assert_eq!(generation(bits), generation_value);
                    assert_eq!(place(bits), place_value);
                    assert_eq!(slot(bits), slot_value);
                    assert_eq!(slot_twice(bits), 2 * u64::from(slot_value));
                    assert_eq!(
                        within(
                            pack(0, place_value, 0).wrapping_sub(2),
                            generation_value,
                            u64::from(slot_value) * 2 + 2
                        ),
                        bits
                    );
                }
            }
        }
    }

    #[test]
    fn the_debuggers_script_has_the_same_bits() {
        let script = include_str!("../../debug/haft_gdb.py");
        let fields = [
            ("SLOT", SLOT_BITS),
            ("PAGE", PAGE_BITS),
            ("SHARD", SHARD_BITS),
            ("GENERATION", GENERATION_BITS),
        ];
        for (name, bits) in fields {
            assert!(script.contains(&format!("\n{name}_BITS = {bits}\n")), "{name} has {bits} bits");
        }
    }

    #[test]
    fn i1_every_bit_belongs_to_one_field() {
        let base = pack(0, 0, 0);
        for bit in 1..64 {
            let flipped = base ^ (1 << bit);
            let fields = [generation(flipped) != 0, place(flipped) != 0, slot(flipped) != 0];
            assert_eq!(fields.iter().filter(|set| **set).count(), 1, "bit {bit}");
        }
    }
}
