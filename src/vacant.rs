//! [`Vacant`]: a handle that is known before its value is there.

use crate::error::Full;
use crate::handle::Handle;
use crate::raw::registry::Reserved;
use crate::registry::Registry;
use crate::report::at_exit::ask_environment;
use std::fmt;
use std::panic::Location;

/// A handle that is reserved: it may be told to others, and its value comes later.
///
/// Until it is filled it is not live: lookups give [`Unissued`](crate::ErrorKind::Unissued). Dropped, it gives
/// its slot up, and the handle is never issued again. It belongs to the thread that made the reservation.
///
/// ```
/// # use haft::Registry;
/// let registry = Registry::new();
/// let vacant = registry.reserve().unwrap();
/// let handle = vacant.handle();                   // for a callback that needs it before
/// assert!(registry.get(handle).is_err());
/// assert_eq!(vacant.fill("value"), handle);
/// assert_eq!(*registry.get(handle).unwrap(), "value");
/// ```
#[must_use = "a reservation that is dropped gives its handle up"]
pub struct Vacant<'r, T: Send + Sync + 'static> {
    reserved: Reserved<'r, T>,
}

impl<T: Send + Sync + 'static> Vacant<'_, T> {
    /// The handle that is to be. No memory that others write; wait-free.
    #[must_use]
    pub fn handle(&self) -> Handle<T> {
        Handle::from_issued(self.reserved.handle())
    }

    /// Puts the value in: from now on the handle is live. A few stores; wait-free.
    pub fn fill(self, value: T) -> Handle<T> {
        Handle::from_issued(self.reserved.fill(value))
    }
}

impl<T: Send + Sync + 'static> fmt::Debug for Vacant<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Vacant").field(&self.handle()).finish()
    }
}

impl<T: Send + Sync + 'static> Registry<T> {
    /// Reserves a handle, if there is room, which counts against a limit. Costs and progress as for
    /// [`Handle::new`].
    ///
    /// # Errors
    ///
    /// [`Full`] as for [`try_insert`](Self::try_insert).
    #[track_caller]
    pub fn reserve(&self) -> Result<Vacant<'_, T>, Full<()>> {
        match self.owner.reserve(Location::caller(), ask_environment) {
            Ok(reserved) => Ok(Vacant { reserved }),
            Err(_) => Err(Full(())),
        }
    }

    /// Puts in a value that knows its own handle, if there is room and it can be made.
    ///
    /// # Errors
    ///
    /// What the closure gives, or [`Full`]. Then the handle is never issued again, and nothing else changes.
    ///
    /// ```
    /// # use haft::{Full, Registry};
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let registry = Registry::new();
    /// let parse = |text: &str| {
    ///     registry.try_insert_with(|_| -> Result<i32, Box<dyn std::error::Error>> { Ok(text.parse()?) })
    /// };
    /// assert_eq!(*registry.get(parse("12")?)?, 12);
    /// assert!(parse("twelve").is_err());
    /// assert_eq!(registry.len(), 1);
    /// # Ok(())
    /// # }
    /// ```
    #[track_caller]
    pub fn try_insert_with<E: From<Full<()>>>(
        &self,
        make: impl FnOnce(Handle<T>) -> Result<T, E>,
    ) -> Result<Handle<T>, E> {
        let vacant = self.reserve()?;
        let value = make(vacant.handle())?;
        Ok(vacant.fill(value))
    }
}
