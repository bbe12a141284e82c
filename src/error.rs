//! What went wrong, in full.

use crate::misuse::noted;
use crate::raw::explain::{Cause, Finding, found};
use crate::site::Site;
use crate::thread_name::ThreadName;
use std::any::type_name;
use std::fmt;

/// Why a handle was refused.
///
/// `Copy`, 40 bytes, no allocation. [`Display`](fmt::Display) tells everything that is known in one line, and what to do;
/// [`docs::errors`](crate::docs::errors) shows every text.
///
/// The text is made when it is read. For an integer that was never a handle it looks around for what that may be: a truncated or damaged live
/// handle, an address. That takes microseconds, mostly, and at most some milliseconds where a process has a million slots and
/// the integer may be the upper half of a handle. On Linux it may read `/proc/self/maps`, and on Windows ask the system. Making the error itself does none of that.
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
    expected: Option<&'static str>,
    finding: Finding,
}

/// The kinds of [`Error`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// Zero, which is never a handle.
    Null,
    /// Not of the form of a handle: bit 0 is zero, as in an address, or it is negative as a signed number.
    Malformed,
    /// No such handle was ever issued in this process (or its value is still being made by `insert_with`).
    Unissued,
    /// The handle was issued and is removed.
    Stale,
    /// The handle is live and belongs to a value of another type.
    WrongType,
    /// The handle is live and belongs to another registry.
    WrongRegistry,
    /// The handle is live, and 4,194,303 counted guards hold it, which is all that can be counted.
    TooManyHolds,
    /// The handle is live, and the thread that wants to wait until nobody holds it, holds it itself.
    HeldHere,
}

impl ErrorKind {
    /// Every kind, in the order of their numbers.
    pub(crate) const ALL: [Self; 8] = [
        Self::Null,
        Self::Malformed,
        Self::Unissued,
        Self::Stale,
        Self::WrongType,
        Self::WrongRegistry,
        Self::TooManyHolds,
        Self::HeldHere,
    ];

    /// The place in [`ErrorKind::ALL`].
    pub(crate) const fn index(self) -> usize {
        self as usize
    }
}

impl Error {
    #[cold]
    pub(crate) fn null(expected: Option<&'static str>) -> Self {
        Self::new(0, expected, Finding::only(Cause::Malformed))
    }

    #[inline]
    pub(crate) fn new(bits: u64, expected: Option<&'static str>, finding: Finding) -> Self {
        let error = Self { bits, expected, finding };
        noted(error.kind(), || error);
        error
    }

    /// The error for a `T` that was not found. `explain` says why, and is called once.
    ///
    /// Performance: it is put together where it is returned. So a lookup that succeeds, and whose result is
    /// used at once, has no place in memory.
    #[inline(always)]
    pub(crate) fn of<T: 'static>(bits: u64, explain: impl FnOnce() -> Finding) -> Self {
        Self { bits, expected: Some(type_name::<T>()), finding: Self::finding::<T>(bits, explain) }
    }

    #[cold]
    #[inline(never)]
    fn finding<T: 'static>(bits: u64, explain: impl FnOnce() -> Finding) -> Finding {
        Self::new(bits, Some(type_name::<T>()), explain()).finding
    }

    /// The kind of misuse.
    #[must_use]
    #[inline]
    pub const fn kind(&self) -> ErrorKind {
        match self.finding.cause {
            Cause::Malformed if self.bits == 0 => ErrorKind::Null,
            Cause::Malformed => ErrorKind::Malformed,
            Cause::Unissued | Cause::Reserved | Cause::Live => ErrorKind::Unissued,
            Cause::Stale => ErrorKind::Stale,
            Cause::WrongType => ErrorKind::WrongType,
            Cause::WrongRegistry => ErrorKind::WrongRegistry,
            Cause::TooManyHolds => ErrorKind::TooManyHolds,
            Cause::HeldHere => ErrorKind::HeldHere,
        }
    }

    /// The thread that removed the handle or, where it is live, created it; where that is known.
    #[must_use]
    pub fn thread(&self) -> Option<ThreadName> {
        self.finding.thread().map(ThreadName::new)
    }

    pub(crate) const fn cause(&self) -> Cause {
        self.finding.cause
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
    pub fn found_type(&self) -> Option<&'static str> {
        found(self.bits, self.finding.cause).map(|info| info.name())
    }

    /// The line that created the handle, where that is known: its slot was not used again.
    #[must_use]
    pub fn created_at(&self) -> Option<Site> {
        Site::of(self.finding.created())
    }

    /// The line that removed the handle, where that is known: its slot was not used again.
    #[must_use]
    pub fn removed_at(&self) -> Option<Site> {
        Site::of(self.finding.removed())
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
