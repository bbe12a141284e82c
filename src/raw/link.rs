//! Free slots name one another, as a handle names its slot.

use super::bits;

/// The way to a slot: its index plus one, doubled, so that it is never zero, which ends a list. In handles the index stands doubled too: it is
/// used as it stands there and here, and scaled only by an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Link(u64);

impl Link {
    /// To no slot: the end of a list.
    pub(crate) const END: Self = Self(0);

    /// To the slot with this index.
    #[inline]
    pub(crate) const fn to(index: u32) -> Self {
        Self(index as u64 * 2 + 2)
    }

    /// To the slot of a handle.
    #[inline(always)]
    pub(crate) const fn of(handle: u64) -> Self {
        Self(bits::slot_twice(handle) + 2)
    }

    /// From the lowest sixteen bits of a list's word.
    #[inline(always)]
    pub(crate) const fn from_word(word: u64) -> Self {
        Self(word & 0xFFFF)
    }

    /// What [`Link::bits`] gave.
    #[inline(always)]
    pub(super) const fn from_bits(bits: u64) -> Self {
        debug_assert!(bits <= u16::MAX as u64 && bits % 2 == 0);
        Self(bits)
    }

    /// As it stands in a list's word.
    #[inline(always)]
    pub(crate) const fn bits(self) -> u64 {
        self.0
    }

    /// Whether it leads nowhere.
    #[inline(always)]
    pub(crate) const fn is_end(self) -> bool {
        self.0 == 0
    }

    /// The index of the slot, if it leads to one.
    #[inline]
    pub(crate) const fn index(self) -> u32 {
        (self.0 / 2 - 1) as u32
    }

    /// How far the slot is from where slot -1 would be, where slots are so many bytes apart.
    #[inline(always)]
    pub(crate) const fn distance(self, stride: usize) -> usize {
        debug_assert!(stride % 2 == 0);
        self.0 as usize * (stride / 2)
    }
}

const _: () = assert!(Link::to(bits::MAX_SLOTS - 1).0 <= u16::MAX as u64);
