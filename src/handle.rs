//! [`Handle`]: the integer.

use crate::error::{Error, Full};
use crate::guard::Ref;
use crate::raw::exhausted::Exhausted;
use crate::raw::explain::explain_as;
use crate::raw::{operation, registry};
use crate::report::at_exit::ask_environment;
use crate::site::Site;
use std::any::type_name;
use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::marker::PhantomData;
use std::num::NonZeroU64;
use std::panic::Location;

/// The name of a `T` that lives in a registry: 64 bits that C can hold.
///
/// A handle is `Copy`, as large as a `u64`, never zero, and never equal to any other handle of this
/// process, past or to come. It keeps nothing alive and owns nothing: dropping it does nothing, and
/// a value stays until [`remove`](Self::remove), [`take`](Self::take) or [`delete`](Self::delete).
///
/// ```text
/// 63 62            33 32          13 12         1  0
/// +---+---------------+--------------+------------+---+
/// | 0 | generation 30 |   place 20   |  slot 12   | 1 |
/// +---+---------------+--------------+------------+---+
/// ```
///
/// Bit 63 is zero in every version of haft to come, so a handle fits `int64_t`, Java's `long` or
/// SQLite's `INTEGER`, and is positive there: minus one stays free to mean an error.
///
/// It finds its value in whatever [`Registry`](crate::Registry) of `T` that is; a registry's own
/// methods insist on their own.
///
/// ```
/// use haft::Handle;
///
/// # fn main() -> Result<(), haft::Error> {
/// let handle = Handle::new(String::from("session"));
/// let bits: u64 = handle.to_bits();                       // give this to C
///
/// let back = Handle::<String>::from_bits(bits).unwrap();  // in the callback
/// assert_eq!(back.get()?.len(), 7);
/// back.remove()?;
/// assert!(back.get().is_err());
/// # Ok(())
/// # }
/// ```
#[repr(transparent)]
pub struct Handle<T> {
    bits: NonZeroU64,
    _value: PhantomData<fn() -> T>,
}

/// What a removal did with the value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Removal {
    /// The value was dropped before the call returned.
    Dropped,
    /// Somebody holds the value; the last one who lets go drops it.
    Deferred,
}

impl Removal {
    pub(crate) const fn new(was_dropped: registry::WasDropped) -> Self {
        if was_dropped { Self::Dropped } else { Self::Deferred }
    }
}

impl<T> Handle<T> {
    /// The handle with these bits, `None` for zero only; any other integer is a handle that lookups
    /// will judge.
    ///
    /// ```
    /// # use haft::Handle;
    /// assert!(Handle::<String>::from_bits(0).is_none());
    /// assert!(Handle::<String>::from_bits(0xDEAD_BEEF).unwrap().get().is_err());
    /// ```
    #[inline]
    #[must_use]
    pub const fn from_bits(bits: u64) -> Option<Self> {
        match NonZeroU64::new(bits) {
            Some(bits) => Some(Self { bits, _value: PhantomData }),
            None => None,
        }
    }

    /// The bits, for C: odd, so never zero, and positive in every signed type of 64 bits.
    #[inline]
    #[must_use]
    pub const fn to_bits(self) -> u64 {
        self.bits.get()
    }

    pub(crate) fn from_issued(bits: u64) -> Self {
        match Self::from_bits(bits) {
            Some(handle) => handle,
            None => unreachable!("an issued handle is odd"),
        }
    }

    /// The bits as a signed number, which is positive: for Java's `long` or SQLite's `INTEGER`.
    #[inline]
    #[must_use]
    pub const fn to_i64(self) -> i64 {
        self.bits.get() as i64
    }

    /// The handle with these bits, `None` for zero and for every negative number: no handle is one.
    ///
    /// ```
    /// # use haft::Handle;
    /// let handle = Handle::new('x');
    /// assert_eq!(Handle::from_i64(handle.to_i64()), Some(handle));
    /// assert_eq!([0, -1, i64::MIN].map(Handle::<char>::from_i64), [None; 3]);
    /// # handle.delete();
    /// ```
    #[inline]
    #[must_use]
    pub const fn from_i64(bits: i64) -> Option<Self> {
        if bits > 0 { Self::from_bits(bits as u64) } else { None }
    }

    /// The handle as a `void *` for C's user data. It points to nothing and must not be
    /// dereferenced.
    ///
    /// On targets with 64-bit pointers. The pointer has no provenance.
    #[cfg(target_pointer_width = "64")]
    #[inline]
    #[must_use]
    pub fn to_ptr(self) -> *mut core::ffi::c_void {
        std::ptr::without_provenance_mut(self.bits.get() as usize)
    }

    /// The handle in a `void *` that came back from C; `None` for null only.
    ///
    /// On targets with 64-bit pointers. Only the address is looked at, nothing is read through the
    /// pointer.
    ///
    /// ```
    /// # use haft::Handle;
    /// let handle = Handle::new(1);
    /// assert_eq!(Handle::from_ptr(handle.to_ptr()), Some(handle));
    /// let local = 5;
    /// let address = Handle::<i32>::from_ptr((&raw const local).cast_mut().cast()).unwrap();
    /// assert_eq!(address.get().unwrap_err().kind(), haft::ErrorKind::Malformed);
    /// # handle.delete();
    /// ```
    #[cfg(target_pointer_width = "64")]
    #[inline]
    #[must_use]
    pub fn from_ptr(pointer: *mut core::ffi::c_void) -> Option<Self> {
        Self::from_bits(pointer.addr() as u64)
    }
}

impl<T: Send + Sync + 'static> Handle<T> {
    /// Puts a value into the default registry of `T` and returns its handle.
    ///
    /// The value stays until the handle is removed; a handle that is only forgotten leaks it, and
    /// [`leaks`](crate::leaks) says so, with the line of this call.
    ///
    /// Cost: a few stores to memory of this thread, no atomic read-modify-write; now and then a new
    /// page of up to 128 KiB, or of one value if that is larger. Wait-free, but for that page,
    /// which is made under a lock, and for threads that cannot have a shard of their own: those
    /// that are ending, and those that find all places of the table given out. They share one under
    /// a lock.
    ///
    /// # Panics
    ///
    /// Panics if the handle space is exhausted: some four billion handles alive at once, or all
    /// generations used. If there is no memory,
    /// [`handle_alloc_error`](std::alloc::handle_alloc_error) is called, as by `Box::new`.
    #[inline(always)]
    #[must_use = "a handle that is not removed leaks its value"]
    #[track_caller]
    pub fn new(value: T) -> Self {
        match operation::insert_default(value, Location::caller(), ask_environment) {
            Ok(bits) => bits.into(),
            Err(refused) => drop_refused(refused, 0),
        }
    }

    /// As [`Handle::new`], but gives the value back where there is no room.
    ///
    /// # Errors
    ///
    /// [`Full`] with the value, where the handle space or memory is exhausted. (A thread's first
    /// handle of a type also needs a few small blocks of bookkeeping; where one of these is
    /// refused, [`handle_alloc_error`](std::alloc::handle_alloc_error) is called.)
    #[inline]
    #[track_caller]
    pub fn try_new(value: T) -> Result<Self, Full<T>> {
        match operation::insert_default(value, Location::caller(), ask_environment) {
            Ok(bits) => Ok(bits.into()),
            Err((value, _)) => Err(Full(value)),
        }
    }

    /// As [`Handle::new`], in the name of another place than the line of this call: of a script's line, say, on
    /// behalf of which a binding creates the handle. See [`Site::named`].
    ///
    /// # Panics
    ///
    /// As [`Handle::new`].
    #[must_use = "a handle that is not removed leaks its value"]
    #[track_caller]
    pub fn new_at(value: T, created_at: Site) -> Self {
        match operation::insert_default(value, created_at.spot(), ask_environment) {
            Ok(bits) => bits.into(),
            Err(refused) => drop_refused(refused, 0),
        }
    }

    /// Puts a value that knows its own handle into the default registry of `T`: as
    /// [`Registry::insert_with`](crate::Registry::insert_with).
    ///
    /// # Panics
    ///
    /// As [`Handle::new`], and where the closure does.
    ///
    /// ```
    /// # use haft::Handle;
    /// struct Window { me: Handle<Window> }
    /// let handle = Handle::new_with(|me| Window { me });
    /// assert_eq!(handle.get().unwrap().me, handle);
    /// # handle.delete();
    /// ```
    #[must_use = "a handle that is not removed leaks its value"]
    #[track_caller]
    pub fn new_with(make: impl FnOnce(Self) -> T) -> Self {
        let reserved = match registry::reserve::<T>(Location::caller(), ask_environment) {
            Ok(reserved) => reserved,
            Err(why) => no_room::<T>(why, usize::MAX),
        };
        let value = make(Self::from_issued(reserved.handle()));
        Self::from_issued(reserved.fill(value))
    }

    /// The value, or a panic that says what is wrong with the handle. Go's `Value`.
    ///
    /// Costs and progress as for [`get`](Self::get).
    ///
    /// # Panics
    ///
    /// Where the handle is not a live one of a `T`.
    #[inline]
    #[track_caller]
    pub fn value(self) -> Ref<'static, T> {
        match self.get() {
            Ok(guard) => guard,
            Err(error) => misuse(error),
        }
    }

    /// Removes the handle, or panics and says what is wrong with it. Go's `Delete`.
    ///
    /// Costs and progress as for [`remove`](Self::remove).
    ///
    /// # Panics
    ///
    /// Where the handle is not a live one of a `T`.
    #[inline]
    #[track_caller]
    pub fn delete(self) {
        if let Err(error) = self.remove() {
            misuse(error);
        }
    }

    /// Looks the value up, on any thread.
    ///
    /// Cost: a store to a cache line of this thread, then loads; nothing shared is written, so any
    /// number of threads can look up one handle without getting in each other's way. Lock-free.
    ///
    /// The slow cases: a thread's first lookup of a handle that it did not create is an exchange on
    /// the handle's slot, until several threads have done so. After another thread has removed a
    /// handle that this thread had looked up, some 4,096 lookups have two barriers each, one of
    /// them on letting go.
    ///
    /// A lookup that fails has no effect on anything: it delays no drop, takes no lock and runs
    /// none of your code.
    ///
    /// # Errors
    ///
    /// Every integer that is not a live handle of a `T` gives an [`Error`] that says why.
    #[inline(always)]
    pub fn get(self) -> Result<Ref<'static, T>, Error> {
        registry::get_or(self.to_bits(), |held| Ok(Ref::new(held)), || Err(self.explain()))
    }

    /// Removes the handle, on any thread: of racing calls exactly one succeeds.
    ///
    /// The value is dropped before this returns if nobody holds it, and else when the last guard
    /// lets go, on that thread. A panic of the value's drop comes out of this call; the handle is
    /// removed all the same.
    ///
    /// Cost: on the thread that created it, if no other thread has looked it up, one
    /// compare-exchange on the slot and some plain stores; a limit adds a subtraction. Otherwise
    /// also a look at the cells of the one thread that has looked the handle up, or of all threads
    /// if several have; the slot goes back to its shard by one more exchange; and now and then all
    /// threads are made to pass a barrier (half a microsecond to some twenty).
    ///
    /// Lock-free but for one bounded wait: if another remover is just settling with a reader that
    /// both found, this call waits for it, which is a fence, a load and an exchange away.
    ///
    /// # Errors
    ///
    /// As for [`get`](Self::get); nothing else changes then.
    #[inline(always)]
    #[track_caller]
    pub fn remove(self) -> Result<Removal, Error> {
        match registry::remove::<T>(self.to_bits(), Location::caller()) {
            Some(was_dropped) => Ok(Removal::new(was_dropped)),
            None => Err(self.explain()),
        }
    }

    /// Removes the handle, and returns when its value has been dropped: by this thread or, where
    /// somebody still holds it, by the last holder.
    ///
    /// For what must not go on behind one's back: when this has returned, no other thread is in the
    /// middle of a callback that holds the value, and none will be. It sleeps while it waits. A
    /// guard that is leaked is waited for without end; [`Registry::deferred`](crate::Registry::deferred)
    /// shows who is waited for.
    ///
    /// A thread must not wait for itself: drop your own guards first. If a [`Ref`] of this thread
    /// holds the value, that is an error. Counted guards belong to no thread, so they are waited
    /// for, whoever has them: a [`SharedRef`](crate::SharedRef), and mostly a seventh `Ref` at a
    /// time. Two threads that wait for each other's guards wait without end, and so does the child
    /// of a fork for a thread that it does not have.
    ///
    /// Costs as [`remove`](Self::remove), and a lock and a block of memory. Nobody pays where nobody
    /// waits; where somebody does, the last holders of removed handles take the lock. Where a
    /// sandbox forbids `membarrier` after the start, this also waits for threads that have looked
    /// the handle up before, until they let their next guard go: call [`confine`](crate::confine)
    /// first.
    ///
    /// # Errors
    ///
    /// [`HeldHere`](crate::ErrorKind::HeldHere), or as for [`get`](Self::get). Nothing else changes
    /// then, and it does not wait.
    ///
    /// ```
    /// # use haft::{ErrorKind, Handle};
    /// # use std::thread;
    /// let handle = Handle::new(String::from("callback data"));
    /// let guard = handle.get().unwrap();
    /// assert_eq!(handle.remove_and_wait().unwrap_err().kind(), ErrorKind::HeldHere);
    /// let waits = thread::spawn(move || handle.remove_and_wait());
    /// thread::sleep(std::time::Duration::from_millis(1));
    /// drop(guard);
    /// assert!(waits.join().unwrap().is_ok());
    /// ```
    #[track_caller]
    pub fn remove_and_wait(self) -> Result<(), Error> {
        let waited = registry::remove_and_wait::<T>(self.to_bits(), Location::caller());
        waited.map_err(|finding| Error::of::<T>(self.to_bits(), || finding))
    }

    /// Removes the handle and gives the value back: `None` where somebody holds it, who will drop
    /// it. Never blocks.
    ///
    /// Costs and progress as for [`remove`](Self::remove).
    ///
    /// # Errors
    ///
    /// As for [`get`](Self::get); nothing else changes then.
    ///
    /// ```
    /// # use haft::Handle;
    /// # fn main() -> Result<(), haft::Error> {
    /// let handle = Handle::new(vec![1, 2, 3]);
    /// assert_eq!(handle.take()?, Some(vec![1, 2, 3]));
    ///
    /// let handle = Handle::new(vec![4]);
    /// let guard = handle.get()?;
    /// assert_eq!(handle.take()?, None);   // removed, but held by `guard`
    /// assert_eq!(*guard, [4]);
    /// # Ok(())
    /// # }
    /// ```
    #[inline]
    #[track_caller]
    pub fn take(self) -> Result<Option<T>, Error> {
        match registry::take::<T>(self.to_bits(), Location::caller()) {
            Some(value) => Ok(value),
            None => Err(self.explain()),
        }
    }

    /// Returns `true` if the handle is live now. The next moment it may not be: to use the value,
    /// [`get`](Self::get) it. It has no effect on anything. A few loads; wait-free.
    #[must_use]
    pub fn is_live(self) -> bool {
        registry::is_live::<T>(self.to_bits())
    }

    #[inline(always)]
    fn explain(self) -> Error {
        Error::of::<T>(self.to_bits(), || explain_as::<T>(self.to_bits()))
    }
}

#[cold]
#[inline(never)]
#[track_caller]
pub(crate) fn misuse(error: Error) -> ! {
    panic!("{error}")
}

/// The end of a creation that keeps the value, which is dropped. (A function of its own, so that a
/// large one has no further place on the stack of whoever creates.)
#[cold]
#[inline(never)]
#[track_caller]
pub(crate) fn drop_refused<T>((value, why): (T, Exhausted), limit: usize) -> ! {
    drop(value);
    no_room::<T>(why, limit)
}

/// The end of a creation that has no way to give the value back.
#[cold]
#[track_caller]
pub(crate) fn no_room<T>(why: Exhausted, limit: usize) -> ! {
    match why {
        Exhausted::Limit => panic!(
            "no room for another handle: the registry's limit of {limit} live handles is reached; \
             remove some, raise the limit, or use `try_insert`"
        ),
        Exhausted::Space => panic!(
            "no room for another handle: the handle space of this process is exhausted; remove some handles \
             (`haft::leaks()` tells which there are)"
        ),
        Exhausted::Memory => std::alloc::handle_alloc_error(std::alloc::Layout::new::<T>()),
    }
}

impl<T> Clone for Handle<T> {
    #[inline]
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Handle<T> {}

impl<T> PartialEq for Handle<T> {
    #[inline]
    fn eq(&self, other: &Self) -> bool {
        self.bits == other.bits
    }
}

impl<T> Eq for Handle<T> {}

impl<T> PartialOrd for Handle<T> {
    #[inline]
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<T> Ord for Handle<T> {
    /// By bits; the order means nothing.
    #[inline]
    fn cmp(&self, other: &Self) -> Ordering {
        self.bits.cmp(&other.bits)
    }
}

impl<T> Hash for Handle<T> {
    #[inline]
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.bits.hash(state);
    }
}

impl<T> fmt::Debug for Handle<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Handle<{}>({self:#018x})", type_name::<T>())
    }
}

impl<T> fmt::Display for Handle<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self:#018x}")
    }
}

impl<T> fmt::LowerHex for Handle<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::LowerHex::fmt(&self.bits, f)
    }
}

impl<T> fmt::UpperHex for Handle<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::UpperHex::fmt(&self.bits, f)
    }
}

impl<T> From<Handle<T>> for u64 {
    #[inline]
    fn from(handle: Handle<T>) -> Self {
        handle.to_bits()
    }
}

impl<T> From<Handle<T>> for NonZeroU64 {
    #[inline]
    fn from(handle: Handle<T>) -> Self {
        handle.bits
    }
}

impl<T> From<NonZeroU64> for Handle<T> {
    #[inline]
    fn from(bits: NonZeroU64) -> Self {
        Self { bits, _value: PhantomData }
    }
}

impl<T> TryFrom<u64> for Handle<T> {
    type Error = Error;

    /// As [`Handle::from_bits`], with an [`Error`] of kind [`Null`](crate::ErrorKind::Null) for
    /// zero.
    #[inline]
    fn try_from(bits: u64) -> Result<Self, Error> {
        Self::from_bits(bits).ok_or_else(|| Error::null(Some(type_name::<T>())))
    }
}

#[cfg(target_pointer_width = "64")]
impl<T> From<Handle<T>> for *mut core::ffi::c_void {
    #[inline]
    fn from(handle: Handle<T>) -> Self {
        handle.to_ptr()
    }
}

#[cfg(target_pointer_width = "64")]
impl<T> TryFrom<*mut core::ffi::c_void> for Handle<T> {
    type Error = Error;

    /// As [`Handle::from_ptr`], with an [`Error`] of kind [`Null`](crate::ErrorKind::Null) for a
    /// null pointer.
    #[inline]
    fn try_from(pointer: *mut core::ffi::c_void) -> Result<Self, Error> {
        Self::from_ptr(pointer).ok_or_else(|| Error::null(Some(type_name::<T>())))
    }
}
