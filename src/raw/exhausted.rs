//! Why there is no room for a handle.

/// Why a handle could not be created.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exhausted {
    /// The registry's own limit is reached.
    Limit,
    /// Every place in the table is taken.
    Space,
    /// The allocator had no memory for a page, or for a part of the table.
    Memory,
}
