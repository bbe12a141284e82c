//! What went wrong, in full.

use crate::raw::explain::{Cause, Finding};
use crate::site::Site;
use std::any::type_name;
use std::fmt;

/// Why a handle was refused.
///
/// `Copy`, 64 bytes, no allocation. [`Display`](fmt::Display) tells everything that is known in one line, and what to do.
///
/// ```
/// # use haft::{ErrorKind, Handle};
/// let handle = Handle::new(7_u32);
/// handle.delete();
/// let error = handle.get().unwrap_err();
/// assert_eq!(error.kind(), ErrorKind::Stale);
/// assert!(error.to_string().contains("removed at"));
/// ```
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Error {
    bits: u64,
    cause: Cause,
    expected: Option<&'static str>,
    found: Option<&'static str>,
    created: Option<Site>,
    removed: Option<Site>,
}

/// The kinds of [`Error`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// Zero, which is never a handle.
    Null,
    /// Not of the form of a handle: bit 0 is zero, as in an address.
    Malformed,
    /// No such handle was ever issued in this process (or its value is still being made by `insert_with`).
    Unissued,
    /// The handle was issued and is removed.
    Stale,
    /// The handle is live and belongs to a value of another type.
    WrongType,
    /// The handle is live and belongs to another registry.
    WrongRegistry,
    /// The handle is live, and 8,388,607 counted guards hold it, which is all that can be counted.
    TooManyHolds,
}

impl Error {
    pub(crate) const fn null(expected: Option<&'static str>) -> Self {
        Self { bits: 0, cause: Cause::Malformed, expected, found: None, created: None, removed: None }
    }

    pub(crate) fn new(bits: u64, expected: Option<&'static str>, finding: Finding) -> Self {
        Self {
            bits,
            cause: finding.cause,
            expected,
            found: finding.found.map(|info| info.name()),
            created: Site::of(finding.created),
            removed: Site::of(finding.removed),
        }
    }

    #[cold]
    pub(crate) fn of<T: 'static>(bits: u64, finding: Finding) -> Self {
        Self::new(bits, Some(type_name::<T>()), finding)
    }

    /// The kind of misuse.
    #[must_use]
    pub const fn kind(&self) -> ErrorKind {
        match self.cause {
            Cause::Malformed if self.bits == 0 => ErrorKind::Null,
            Cause::Malformed => ErrorKind::Malformed,
            Cause::Unissued | Cause::Reserved | Cause::Live => ErrorKind::Unissued,
            Cause::Stale | Cause::Gone => ErrorKind::Stale,
            Cause::WrongType => ErrorKind::WrongType,
            Cause::WrongRegistry => ErrorKind::WrongRegistry,
            Cause::TooManyHolds => ErrorKind::TooManyHolds,
        }
    }

    /// The integer that was refused.
    #[must_use]
    pub const fn bits(&self) -> u64 {
        self.bits
    }

    /// The name of the type that was asked for, where one was.
    #[must_use]
    pub const fn expected_type(&self) -> Option<&'static str> {
        self.expected
    }

    /// The name of the type that the handle belongs or belonged to, where that is known.
    #[must_use]
    pub const fn found_type(&self) -> Option<&'static str> {
        self.found
    }

    /// The line that created the handle, where that is known: its slot was not used again.
    #[must_use]
    pub const fn created_at(&self) -> Option<Site> {
        self.created
    }

    /// The line that removed the handle, where that is known: its slot was not used again.
    #[must_use]
    pub const fn removed_at(&self) -> Option<Site> {
        self.removed
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { bits, expected, found, created, removed, .. } = *self;
        write!(f, "handle {bits:#018x}")?;
        if let Some(expected) = expected {
            write!(f, " (wanted: {expected})")?;
        }
        f.write_str(match self.cause {
            Cause::Malformed if bits == 0 => " is zero, which is never a handle",
            Cause::Malformed => {
                " is malformed: every handle is an odd number, so this is an address or damaged"
            }
            Cause::Unissued => " was never issued by this process",
            Cause::Reserved | Cause::Live => " has no value yet: it is still being created",
            Cause::Stale => " is stale: it was removed",
            Cause::Gone => " is stale: it was removed, and its registry was dropped",
            Cause::WrongType => " is of the wrong type",
            Cause::WrongRegistry => " belongs to another registry",
            Cause::TooManyHolds => " is held by as many counted guards as there can be",
        })?;
        if let Some(found) = found {
            match self.cause {
                Cause::WrongType => write!(f, ": it holds a {found}")?,
                _ if expected != Some(found) => write!(f, "; it held a {found}")?,
                _ => {}
            }
        }
        if let Some(created) = created {
            write!(f, "; created at {created}")?;
        }
        if let Some(removed) = removed {
            write!(f, "; removed at {removed}")?;
        }
        f.write_str(match self.cause {
            Cause::Malformed if bits == 0 => ". Check that the handle was stored before it is used.",
            Cause::Malformed => {
                ". Pass the integer from `to_bits` (or the pointer from `to_ptr`), not the address of something."
            }
            Cause::Unissued => {
                ". Check for damaged bits, and that the handle comes from this process and this copy of haft."
            }
            Cause::Reserved | Cause::Live => ". Use it after `insert_with` has returned.",
            Cause::Stale if created.is_none() => {
                " (its slot is in use again or was, so the lines are not known any more). Look for a second removal, \
                 or a copy that was kept too long."
            }
            Cause::Stale | Cause::Gone => {
                ". Look for a second removal, or a copy that was kept too long."
            }
            Cause::WrongType => ". Look it up with its own type, or check for mixed-up arguments.",
            Cause::WrongRegistry => ". Look it up in the registry that issued it.",
            Cause::TooManyHolds => ". Drop some guards; they are likely leaked.",
        })
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Error({:?}: {self})", self.kind())
    }
}

impl std::error::Error for Error {}

/// A registry's limit, the handle space or memory is exhausted; the value comes back.
///
/// ```
/// # use haft::{Full, Registry};
/// let registry = Registry::with_limit(1);
/// registry.insert("first");
/// let Full(value) = registry.try_insert("second").unwrap_err();
/// assert_eq!(value, "second");
/// ```
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Full<T>(pub T);

impl<T> fmt::Display for Full<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "no room for another handle: the registry's limit, the handle space or memory is exhausted",
        )
    }
}

impl<T> fmt::Debug for Full<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Full(..)")
    }
}

impl<T> std::error::Error for Full<T> {}
