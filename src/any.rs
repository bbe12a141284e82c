//! [`AnyHandle`]: a handle whose type is not known where it is used.

use crate::error::Error;
use crate::handle::{Handle, Removal};
use crate::raw::explain::{explain, explain_as, type_of};
use crate::raw::find::{Erased, Want};
use crate::raw::operation::{self, Waited};
use crate::raw::site::Spot;
use std::any::TypeId;
use std::fmt;
use std::num::NonZeroU64;
use std::panic::Location;

/// A handle of any type, for a C `destroy(handle)` that serves every kind.
///
/// ```
/// use haft::{AnyHandle, Handle, Removal};
///
/// # fn main() -> Result<(), haft::Error> {
/// let bits = Handle::new(3.5_f32).to_bits();
/// let any = AnyHandle::from_bits(bits).unwrap();
/// assert_eq!(any.type_name()?, "f32");
/// assert!(any.downcast::<String>().is_err());
/// assert_eq!(any.remove()?, Removal::Dropped);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(transparent)]
pub struct AnyHandle(NonZeroU64);

impl AnyHandle {
    /// The handle with these bits, `None` for zero only.
    #[inline]
    #[must_use]
    pub const fn from_bits(bits: u64) -> Option<Self> {
        match NonZeroU64::new(bits) {
            Some(bits) => Some(Self(bits)),
            None => None,
        }
    }

    /// The bits, for C.
    #[inline]
    #[must_use]
    pub const fn to_bits(self) -> u64 {
        self.0.get()
    }

    /// As [`Handle::to_i64`].
    #[inline]
    #[must_use]
    pub const fn to_i64(self) -> i64 {
        self.0.get() as i64
    }

    /// As [`Handle::from_i64`].
    #[inline]
    #[must_use]
    pub const fn from_i64(bits: i64) -> Option<Self> {
        if bits > 0 { Self::from_bits(bits as u64) } else { None }
    }

    /// As [`Handle::to_ptr`].
    #[cfg(target_pointer_width = "64")]
    #[inline]
    #[must_use]
    pub fn to_ptr(self) -> *mut core::ffi::c_void {
        std::ptr::without_provenance_mut(self.0.get() as usize)
    }

    /// As [`Handle::from_ptr`].
    #[cfg(target_pointer_width = "64")]
    #[inline]
    #[must_use]
    pub fn from_ptr(pointer: *mut core::ffi::c_void) -> Option<Self> {
        Self::from_bits(pointer.addr() as u64)
    }

    /// Removes the handle, whatever it is, from whatever registry. Costs and progress as for
    /// [`Handle::remove`].
    ///
    /// # Errors
    ///
    /// Every integer that is not a live handle gives an [`Error`] that says why.
    #[track_caller]
    pub fn remove(self) -> Result<Removal, Error> {
        self.remove_at(Location::caller())
    }

    pub(crate) fn remove_at(self, removed: impl Spot) -> Result<Removal, Error> {
        match operation::remove_any(self.to_bits(), removed) {
            Some(was_dropped) => Ok(Removal::new(was_dropped)),
            None => Err(self.explain()),
        }
    }

    /// Removes the handle, and returns when its value has been dropped, by whoever is the last
    /// holder. As [`Handle::remove_and_wait`].
    ///
    /// # Errors
    ///
    /// [`HeldHere`](crate::ErrorKind::HeldHere), where this thread holds the value itself, or as for
    /// [`remove`](Self::remove). Nothing else changes then, and it does not wait.
    #[track_caller]
    pub fn remove_and_wait(self) -> Result<(), Error> {
        self.remove_and_wait_at(Location::caller())
    }

    pub(crate) fn remove_and_wait_at(self, removed: impl Spot) -> Result<(), Error> {
        let explain = || explain(self.to_bits(), None, Want::Type);
        let finding = match operation::remove_and_wait::<Erased>(self.to_bits(), Want::Type, removed) {
            Waited::Dropped => return Ok(()),
            Waited::NotLive => explain(),
            Waited::HeldHere => explain().held_here(),
        };
        Err(Error::new(self.to_bits(), None, finding))
    }

    /// Returns the name of the value's type. It looks, and writes nothing; wait-free.
    ///
    /// # Errors
    ///
    /// As for [`remove`](Self::remove).
    pub fn type_name(self) -> Result<&'static str, Error> {
        type_of(self.to_bits()).map(|info| info.name()).ok_or_else(|| self.explain())
    }

    /// The handle with its type, where it is live and has that type now. Costs as
    /// [`type_name`](Self::type_name).
    ///
    /// # Errors
    ///
    /// [`WrongType`](crate::ErrorKind::WrongType) with both names, or as for
    /// [`remove`](Self::remove).
    pub fn downcast<T: Send + Sync + 'static>(self) -> Result<Handle<T>, Error> {
        match type_of(self.to_bits()) {
            Some(info) if info.id() == TypeId::of::<T>() => Ok(Handle::from_issued(self.to_bits())),
            _ => Err(Error::of::<T>(self.to_bits(), || explain_as::<T>(self.to_bits()))),
        }
    }

    /// Whether the handle is live now. The next moment it may not be.
    #[must_use]
    pub fn is_live(self) -> bool {
        type_of(self.to_bits()).is_some()
    }

    #[cold]
    fn explain(self) -> Error {
        Error::new(self.to_bits(), None, explain(self.to_bits(), None, Want::Type))
    }
}

impl<T> From<Handle<T>> for AnyHandle {
    #[inline]
    fn from(handle: Handle<T>) -> Self {
        Self(handle.into())
    }
}

impl From<AnyHandle> for u64 {
    #[inline]
    fn from(handle: AnyHandle) -> Self {
        handle.to_bits()
    }
}

impl TryFrom<u64> for AnyHandle {
    type Error = Error;

    /// As [`AnyHandle::from_bits`], with an [`Error`] of kind [`Null`](crate::ErrorKind::Null) for
    /// zero.
    fn try_from(bits: u64) -> Result<Self, Error> {
        Self::from_bits(bits).ok_or_else(|| Error::null(None))
    }
}

impl fmt::Debug for AnyHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AnyHandle({self:#018x})")
    }
}

impl fmt::Display for AnyHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self:#018x}")
    }
}

impl fmt::LowerHex for AnyHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::LowerHex::fmt(&self.0, f)
    }
}

impl fmt::UpperHex for AnyHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::UpperHex::fmt(&self.0, f)
    }
}
