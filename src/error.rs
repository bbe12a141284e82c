//! What went wrong, in full.

use crate::misuse::noted;
use crate::raw::explain::{Cause, Finding};
use crate::raw::name::Thread;
use crate::site::Site;
use crate::thread_name::ThreadName;
use std::any::type_name;
use std::fmt;

/// Why a handle was refused.
///
/// `Copy`, 64 bytes, no allocation. [`Display`](fmt::Display) tells everything that is known in one line, and what to do;
/// [`docs::errors`](crate::docs::errors) shows every text.
///
/// The text is made when it is read. For an integer that was never a handle it looks around for what that may be: a truncated or damaged live
/// handle, an address. That takes microseconds, mostly, and at most some milliseconds where a process has a million slots and
/// the integer may be the upper half of a handle. On Linux it may read `/proc/self/maps`. Making the error itself does none of that.
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
    thread: Option<Thread>,
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

impl ErrorKind {
    /// Every kind, in the order of their numbers.
    pub(crate) const ALL: [Self; 7] = [
        Self::Null,
        Self::Malformed,
        Self::Unissued,
        Self::Stale,
        Self::WrongType,
        Self::WrongRegistry,
        Self::TooManyHolds,
    ];

    /// The place in [`ErrorKind::ALL`].
    pub(crate) const fn index(self) -> usize {
        self as usize
    }
}

impl Error {
    #[cold]
    pub(crate) fn null(expected: Option<&'static str>) -> Self {
        noted(Self {
            bits: 0,
            cause: Cause::Malformed,
            expected,
            found: None,
            created: None,
            removed: None,
            thread: None,
        })
    }

    pub(crate) fn new(bits: u64, expected: Option<&'static str>, finding: Finding) -> Self {
        noted(Self {
            bits,
            cause: finding.cause,
            expected,
            found: finding.found.map(|info| info.name()),
            created: Site::of(finding.created),
            removed: Site::of(finding.removed),
            thread: finding.thread,
        })
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

    /// The thread that removed the handle or, where it is live, created it; where that is known.
    #[must_use]
    pub fn thread(&self) -> Option<ThreadName> {
        self.thread.map(ThreadName::new)
    }

    pub(crate) const fn cause(&self) -> Cause {
        self.cause
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
