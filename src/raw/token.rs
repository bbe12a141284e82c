//! What keeps a value: a cell, or a counted hold under the handle's own bits. One word where pointers have 64 bits.
//!
//! A cell's address is even and a handle is odd, so one word tells which it is.

use super::record::Cell;

#[cfg(target_pointer_width = "64")]
mod packed {
    use super::Cell;
    use crate::sync::AtomicU64;
    use std::ptr::{self, NonNull};

    /// See the module.
    #[derive(Debug)]
    pub(crate) struct Token(NonNull<AtomicU64>);

    impl Token {
        /// A cell keeps it.
        #[inline]
        pub(crate) fn cell_of(cell: Cell) -> Self {
            let cell = cell.as_ptr();
            // SAFETY(I1): a cell is aligned. (Whoever lets go need not ask then.)
            unsafe { std::hint::assert_unchecked(cell.addr().get() & 1 == 0) };
            Self(cell)
        }

        /// A counted hold keeps it.
        #[inline]
        pub(crate) fn counted(handle: u64) -> Self {
            let bits = ptr::without_provenance_mut(handle as usize);
            // SAFETY(I1): a handle is never zero.
            Self(unsafe { NonNull::new_unchecked(bits) })
        }

        /// The cell, or the handle of the counted hold.
        #[inline]
        pub(crate) fn cell(&self) -> Result<Cell, u64> {
            let bits = self.0.addr().get() as u64;
            if bits & 1 == 1 {
                return Err(bits);
            }
            // SAFETY(I1): even, so it was made from a cell.
            Ok(unsafe { Cell::from_ptr(self.0) })
        }
    }
}

#[cfg(not(target_pointer_width = "64"))]
mod packed {
    use super::Cell;

    /// See the module.
    #[derive(Debug)]
    pub(crate) struct Token(Result<Cell, u64>);

    impl Token {
        /// A cell keeps it.
        pub(crate) fn cell_of(cell: Cell) -> Self {
            Self(Ok(cell))
        }

        /// A counted hold keeps it.
        pub(crate) fn counted(handle: u64) -> Self {
            Self(Err(handle))
        }

        /// The cell, or the handle of the counted hold.
        pub(crate) fn cell(&self) -> Result<Cell, u64> {
            self.0
        }
    }
}

pub(crate) use packed::Token;
