//! The 64 bits of a handle.
//!
//! ```text
//! 63 62           33 32          13 12         1  0
//! +---+--------------+--------------+------------+---+
//! | 0 | generation 30|   place 20   |  slot 12   | 1 |
//! +---+--------------+--------------+------------+---+
//! ```
//!
//! Bit 0 is always one (I1): no handle is zero, and none is the address of anything that is aligned
//! to two bytes or more. Bit 63 is always zero: a handle is positive in every signed type of 64 bits
//! (S2). The *place* is the index into the one table of pages.

/// Bits of a slot's index within its page.
pub(crate) const SLOT_BITS: u32 = 12;
/// Bits of a place: which page it is.
pub(crate) const PLACE_BITS: u32 = 20;
/// Bits of a generation.
pub(crate) const GENERATION_BITS: u32 = 30;

const SLOT_SHIFT: u32 = 1;
const PLACE_SHIFT: u32 = SLOT_SHIFT + SLOT_BITS;
const GENERATION_SHIFT: u32 = PLACE_SHIFT + PLACE_BITS;

/// Slots that a page can have at most.
pub(crate) const MAX_SLOTS: u32 = 1 << SLOT_BITS;
/// The last generation that a slot can have; after it the slot is retired (S1).
pub(crate) const MAX_GENERATION: u32 = (1 << GENERATION_BITS) - 1;

/// Bits that a handle uses: all but the sign.
pub(crate) const BITS: u32 = GENERATION_SHIFT + GENERATION_BITS;
/// Bits that narrow handles have at least.
pub(crate) const NARROWEST: u32 = 47;

/// The last generation of a slot whose handles are below 2^`bits`.
pub(crate) const fn last_generation(bits: u32) -> u32 {
    assert!(bits >= NARROWEST && bits <= BITS, "handles have from 47 to 63 bits");
    ((1_u64 << (bits - GENERATION_SHIFT)) - 1) as u32
}

/// What every handle has in bit 0, and in bit 63.
const FIXED: u64 = 1 << 63 | 1;

const _: () = assert!(GENERATION_SHIFT + GENERATION_BITS == 63);
const _: () = assert!(1 + SLOT_BITS + PLACE_BITS + GENERATION_BITS == 63);

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

/// Returns `true` if the bits can be a handle at all: bit 0 is one, and bit 63 is zero.
#[inline]
pub(crate) const fn is_well_formed(bits: u64) -> bool {
    bits & FIXED == 1
}

/// The generation of a handle.
#[inline]
pub(crate) const fn generation(bits: u64) -> u32 {
    (bits >> GENERATION_SHIFT) as u32 & MAX_GENERATION
}

/// The generation of a handle, with bit 63 above it: one shift.
#[inline(always)]
pub(crate) const fn generation_and_sign(bits: u64) -> u64 {
    bits >> GENERATION_SHIFT
}

/// The place of a handle: the index into the table of pages.
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

/// The index of a handle's slot within its page; for an even integer, more than any page has.
#[inline(always)]
pub(crate) const fn slot_if_odd(bits: u64) -> u32 {
    // Performance: bit 0 becomes the highest one, so it need not be asked for by itself.
    const { assert!(SLOT_SHIFT == 1) };
    (bits as u32).wrapping_sub(1).rotate_right(SLOT_SHIFT) & (1 << 31 | (MAX_SLOTS - 1))
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
                    assert_eq!(slot_if_odd(bits), slot_value);
                    assert!(slot_if_odd(bits - 1) >= MAX_SLOTS && slot_if_odd(bits + 1) >= MAX_SLOTS);
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
    fn s2_a_handle_is_positive_as_a_signed_integer() {
        assert!(pack(MAX_GENERATION, (1 << PLACE_BITS) - 1, MAX_SLOTS - 1) as i64 > 0);
        assert!(!is_well_formed(pack(7, 1, 2) | 1 << 63) && !is_well_formed(pack(7, 1, 2) - 1));
    }

    #[test]
    fn the_debuggers_script_has_the_same_bits() {
        let script = include_str!("../../debug/haft_gdb.py");
        let fields = [("SLOT", SLOT_BITS), ("PLACE", PLACE_BITS), ("GENERATION", GENERATION_BITS)];
        for (name, bits) in fields {
            assert!(script.contains(&format!("\n{name}_BITS = {bits}\n")), "{name} has {bits} bits");
        }
    }

    #[test]
    fn i1_every_bit_belongs_to_one_field() {
        let base = pack(0, 0, 0);
        for bit in 1..63 {
            let flipped = base ^ (1 << bit);
            let fields = [generation(flipped) != 0, place(flipped) != 0, slot(flipped) != 0];
            assert_eq!(fields.iter().filter(|set| **set).count(), 1, "bit {bit}");
        }
    }
}
