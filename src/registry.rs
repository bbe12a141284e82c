//! [`Registry`]: a set of handles with one owner.

use crate::error::{Error, Full};
use crate::guard::{Ref, SharedRef};
use crate::handle::{Handle, Removal, drop_refused, no_room};
use crate::raw::registry::Owner;
use crate::raw::survey::Seen;
use crate::report::at_exit::ask_environment;
use crate::report::{self, LeakReport};
use crate::site::Site;
use crate::stats::Stats;
use crate::thread_name::ThreadName;
use std::fmt;
use std::panic::Location;
use std::time::Duration;

/// A set of values of one type, reached by handle, with one owner: what is left is dropped with it.
///
/// It can begin in a `static`, before anything runs:
///
/// ```
/// use haft::Registry;
///
/// static SESSIONS: Registry<String> = Registry::new();
///
/// # fn main() -> Result<(), haft::Error> {
/// let handle = SESSIONS.insert("alice".to_string());
/// assert_eq!(SESSIONS.len(), 1);
/// assert_eq!(*SESSIONS.get(handle)?, "alice");
/// SESSIONS.remove(handle)?;
/// # Ok(())
/// # }
/// ```
///
/// All methods take `&self` and work on any thread. Handles are unique in the whole process, so a
/// handle of another registry is [`WrongRegistry`](crate::ErrorKind::WrongRegistry) here, and
/// [`Handle::get`] finds the values of every registry.
///
/// Dropping a registry removes all its handles. A value that somebody holds (a [`Ref`] from
/// [`Handle::get`] outlives the registry) is dropped by its last holder. The memory has gone back
/// to the system when the drop returns, without what such values keep and without small pages,
/// under 32 KiB. The next registry of the type goes on with what is left, above the generations
/// that were issued, so no old handle comes to life.
///
/// Memory also comes back while a registry lives, without a call: that of a page when the last of
/// its handles is gone. What stays are small pages and, for each thread that creates handles here,
/// the page in use and one that is kept warm. (On systems other than Unix it stays for later
/// handles.)
pub struct Registry<T: Send + Sync + 'static> {
    pub(crate) owner: Owner<T>,
}

impl<T: Send + Sync + 'static> Registry<T> {
    /// An empty registry. Allocates nothing.
    #[must_use]
    pub const fn new() -> Self {
        Self { owner: Owner::new(usize::MAX) }
    }

    /// An empty registry with at most `limit` live handles, exactly.
    ///
    /// Counting costs a compare-exchange when a handle is created and a subtraction when it is
    /// removed, both on one shared counter; so threads that create and remove in one limited
    /// registry do get in each other's way, and creation is lock-free, not wait-free.
    #[must_use]
    pub const fn with_limit(limit: usize) -> Self {
        Self { owner: Owner::new(limit) }
    }

    /// An empty registry whose handles are below 2^`bits`: for what does not hold 63 bits.
    ///
    /// | `bits` | for | generations of a slot |
    /// |---|---|---|
    /// | 63 | all that holds a `u64` or an `int64_t` | 2^30 |
    /// | 53 | a JavaScript number, a double, JSON, SQL's `REAL`: exact there | 2^20 |
    /// | 47 | a tagged pointer, LuaJIT's light userdata | 2^14 |
    ///
    /// No handle is ever issued twice, as everywhere. A slot that has had all its generations is not used any
    /// more: with 47 bits after 8,192 to 16,383 handles. So of some four billion slots that a process has, each
    /// serves fewer handles, and memory of used-up pages does not come back. Lookups cost the same.
    ///
    /// # Panics
    ///
    /// Where `bits` is not from 47 to 63: in a `static`, when it is compiled.
    ///
    /// ```
    /// # use haft::Registry;
    /// static WINDOWS: Registry<String> = Registry::narrow(53);
    /// let handle = WINDOWS.insert("main".to_owned());
    /// let number = handle.to_bits() as f64;
    /// assert_eq!(number as u64, handle.to_bits());
    /// ```
    #[must_use]
    pub const fn narrow(bits: u32) -> Self {
        Self { owner: Owner::narrow(usize::MAX, bits) }
    }

    /// Puts a value in and returns its handle. Costs and progress as for [`Handle::new`].
    ///
    /// # Panics
    ///
    /// Where the limit is reached or the handle space is exhausted; see
    /// [`try_insert`](Self::try_insert).
    #[inline(always)]
    #[must_use = "a handle that is lost keeps its value until the registry is dropped"]
    #[track_caller]
    pub fn insert(&self, value: T) -> Handle<T> {
        match self.owner.insert(value, Location::caller(), ask_environment) {
            Ok(bits) => bits.into(),
            Err(refused) => drop_refused(refused, self.owner.limit()),
        }
    }

    /// As [`insert`](Self::insert), in the name of another place than the line of this call; see [`Site::named`].
    ///
    /// # Panics
    ///
    /// As [`insert`](Self::insert).
    #[must_use = "a handle that is lost keeps its value until the registry is dropped"]
    #[track_caller]
    pub fn insert_at(&self, value: T, created_at: Site) -> Handle<T> {
        match self.owner.insert(value, created_at.spot(), ask_environment) {
            Ok(bits) => bits.into(),
            Err(refused) => drop_refused(refused, self.owner.limit()),
        }
    }

    /// Puts a value in, if there is room. Costs and progress as for [`Handle::new`].
    ///
    /// # Errors
    ///
    /// [`Full`] with the value, where the limit is reached, the handle space or memory exhausted.
    /// Nothing else changes. (As for [`Handle::try_new`], the blocks of bookkeeping for a thread's
    /// first handle here are the exception.)
    #[inline]
    #[track_caller]
    pub fn try_insert(&self, value: T) -> Result<Handle<T>, Full<T>> {
        match self.owner.insert(value, Location::caller(), ask_environment) {
            Ok(bits) => Ok(bits.into()),
            Err((value, _)) => Err(Full(value)),
        }
    }

    /// Puts in a value that knows its own handle.
    ///
    /// While the closure runs the handle is disclosed and not live: lookups give
    /// [`Unissued`](crate::ErrorKind::Unissued). The closure may do anything, also create handles
    /// here. If it panics, the handle is never issued again.
    ///
    /// # Panics
    ///
    /// As [`insert`](Self::insert), and where the closure does.
    ///
    /// ```
    /// # use haft::{Handle, Registry};
    /// struct Node { me: Handle<Node> }
    /// let nodes = Registry::new();
    /// let handle = nodes.insert_with(|me| Node { me });
    /// assert_eq!(nodes.get(handle).unwrap().me, handle);
    /// ```
    #[must_use = "a handle that is lost keeps its value until the registry is dropped"]
    #[track_caller]
    pub fn insert_with(&self, make: impl FnOnce(Handle<T>) -> T) -> Handle<T> {
        let reserved = match self.owner.reserve(Location::caller(), ask_environment) {
            Ok(reserved) => reserved,
            Err(why) => no_room::<T>(why, self.owner.limit()),
        };
        let value = make(Handle::from_issued(reserved.handle()));
        Handle::from_issued(reserved.fill(value))
    }

    /// Looks a value up. Costs and progress as for [`Handle::get`].
    ///
    /// # Errors
    ///
    /// Every integer that is not a live handle of this registry gives an [`Error`] that says why.
    #[inline(always)]
    pub fn get(&self, handle: Handle<T>) -> Result<Ref<'_, T>, Error> {
        self.owner.get_or(handle.to_bits(), |held| Ok(Ref::new(held)), || Err(self.explain(handle)))
    }

    /// Looks a value up, for a guard that goes to other threads or lives long, also longer than the registry.
    ///
    /// A lookup and one exchange on the value's slot; lock-free.
    ///
    /// # Errors
    ///
    /// As for [`get`](Self::get); also where 4,194,303 counted guards hold the handle.
    ///
    /// ```
    /// # use haft::Registry;
    /// let registry = Registry::new();
    /// let handle = registry.insert(42);
    /// let shared = registry.get_shared(handle).unwrap();
    /// drop(registry);
    /// std::thread::spawn(move || assert_eq!(*shared, 42)).join().unwrap();
    /// ```
    pub fn get_shared(&self, handle: Handle<T>) -> Result<SharedRef<'static, T>, Error> {
        match self.owner.get(handle.to_bits()).and_then(|held| held.into_counted().ok()) {
            Some(counted) => Ok(SharedRef::new(counted)),
            None => Err(self.explain(handle)),
        }
    }

    /// Removes a handle: of racing calls exactly one succeeds. Costs and progress as for
    /// [`Handle::remove`].
    ///
    /// # Errors
    ///
    /// As for [`get`](Self::get); nothing else changes then.
    #[inline(always)]
    #[track_caller]
    pub fn remove(&self, handle: Handle<T>) -> Result<Removal, Error> {
        match self.owner.remove(handle.to_bits(), Location::caller()) {
            Some(was_dropped) => Ok(Removal::new(was_dropped)),
            None => Err(self.explain(handle)),
        }
    }

    /// Removes a handle, and returns when its value has been dropped, by whoever is the last holder.
    /// As [`Handle::remove_and_wait`].
    ///
    /// # Errors
    ///
    /// [`HeldHere`](crate::ErrorKind::HeldHere), where this thread holds the value itself, or as for
    /// [`get`](Self::get). Nothing else changes then, and it does not wait.
    #[track_caller]
    pub fn remove_and_wait(&self, handle: Handle<T>) -> Result<(), Error> {
        let waited = self.owner.remove_and_wait(handle.to_bits(), Location::caller());
        waited.map_err(|finding| Error::of::<T>(handle.to_bits(), || finding))
    }

    /// Removes a handle and gives the value back: `None` where somebody holds it, who will drop it.
    /// Never blocks; as [`Handle::take`].
    ///
    /// # Errors
    ///
    /// As for [`get`](Self::get); nothing else changes then.
    #[inline]
    #[track_caller]
    pub fn take(&self, handle: Handle<T>) -> Result<Option<T>, Error> {
        match self.owner.take(handle.to_bits(), Location::caller()) {
            Some(value) => Ok(value),
            None => Err(self.explain(handle)),
        }
    }

    /// Returns `true` if the handle is a live one of this registry now. To use the value,
    /// [`get`](Self::get) it. It has no effect on anything. A few loads; wait-free.
    #[must_use]
    pub fn contains(&self, handle: Handle<T>) -> bool {
        self.owner.contains(handle.to_bits())
    }

    /// The number of live handles. Adds up the registry's pages under their lock; exact where
    /// nobody creates or removes meanwhile.
    #[must_use]
    pub fn len(&self) -> usize {
        self.owner.totals().live()
    }

    /// Whether there is no live handle; as exact as [`len`](Self::len).
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Removes every handle that is live when the call begins. Values that somebody holds are
    /// dropped by their last holder. If drops panic, the others are dropped all the same, and the
    /// first panic is passed on. Progress as for [`Handle::remove`], apart from a lock under which
    /// the next page is found.
    #[track_caller]
    pub fn clear(&self) {
        self.owner.clear(Location::caller());
    }

    /// The live handles, as they were when the call came by, in no particular order.
    ///
    /// One that is live all the time is there exactly once. Makes a list of them, with 40 bytes for
    /// each where pointers have 64 bits; [`leaks`](Self::leaks) adds them up instead.
    ///
    /// ```
    /// # use haft::Registry;
    /// let registry = Registry::new();
    /// let handle = registry.insert('x');
    /// let live = registry.live().next().unwrap();
    /// assert_eq!(live.handle, handle);
    /// assert_eq!(live.created_at.unwrap().file(), file!());
    /// ```
    pub fn live(&self) -> impl ExactSizeIterator<Item = Live<T>> + use<T> {
        let mut found = Vec::with_capacity(self.len());
        self.survey(|_, _, seen| {
            if !seen.held {
                found.push(Live {
                    handle: Handle::from_issued(seen.handle),
                    created_at: Site::of(seen.created),
                    thread: seen.thread.map(ThreadName::new),
                    age: seen.age,
                });
            }
        });
        found.into_iter()
    }

    /// The handles that are removed and whose value somebody still holds: what a guard keeps that
    /// is never let go. As [`live`](Self::live) otherwise, with 56 bytes for each.
    ///
    /// ```
    /// # use haft::Registry;
    /// let registry = Registry::new();
    /// let handle = registry.insert('x');
    /// let guard = registry.get(handle).unwrap();
    /// registry.remove(handle).unwrap();
    /// let held = registry.deferred().next().unwrap();
    /// assert_eq!((held.handle, held.holders), (handle, 1));
    /// assert_eq!(held.removed_at.unwrap().line(), line!() - 3);
    /// drop(guard);
    /// assert_eq!(registry.deferred().len(), 0);
    /// ```
    pub fn deferred(&self) -> impl ExactSizeIterator<Item = Deferred<T>> + use<T> {
        let mut found = Vec::with_capacity(self.owner.totals().deferred);
        self.survey(|_, _, seen| {
            if seen.held {
                found.push(Deferred {
                    handle: Handle::from_issued(seen.handle),
                    created_at: Site::of(seen.created),
                    removed_at: Site::of(seen.removed),
                    thread: seen.thread.map(ThreadName::new),
                    removed_for: seen.age,
                    holders: seen.holders,
                });
            }
        });
        found.into_iter()
    }

    /// What is alive here, by creating line: [`haft::leaks`](crate::leaks()) for one registry.
    ///
    /// Lock-free, apart from taking the list of pages. Memory by the number of lines, not of
    /// handles.
    ///
    /// ```
    /// # use haft::Registry;
    /// let registry = Registry::new();
    /// let handles = [1, 2, 3].map(|number| registry.insert(number));
    /// let report = registry.leaks();
    /// assert_eq!(report.iter().next().unwrap().count, 3);
    /// println!("{report}");
    /// ```
    #[must_use = "the report does nothing but say what is alive"]
    pub fn leaks(&self) -> LeakReport {
        report::of_registry(self)
    }

    /// Counters of this registry. Costs and exactness as [`len`](Self::len).
    #[must_use]
    pub fn stats(&self) -> Stats {
        Stats::of(self.owner.totals())
    }

    /// Calls `each` with the type's name and size and every handle that is live or held.
    pub(crate) fn survey(&self, each: impl FnMut(&'static str, usize, Seen)) {
        self.owner.survey(each);
    }

    #[inline(always)]
    fn explain(&self, handle: Handle<T>) -> Error {
        Error::of::<T>(handle.to_bits(), || self.owner.explain(handle.to_bits()))
    }
}

impl<T: Send + Sync + 'static> Default for Registry<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T: Send + Sync + 'static> fmt::Debug for Registry<T> {
    /// The type and the limit; it takes no lock.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut registry = f.debug_struct("Registry");
        registry.field("type", &std::any::type_name::<T>());
        if self.owner.limit() != usize::MAX {
            registry.field("limit", &self.owner.limit());
        }
        registry.finish_non_exhaustive()
    }
}

/// A live handle, from [`Registry::live`].
#[derive(Debug)]
#[non_exhaustive]
pub struct Live<T> {
    /// The handle.
    pub handle: Handle<T>,
    /// The line that created it; `None` where that is being recorded this very moment, or was not,
    /// since 65,535 other lines had used haft before.
    pub created_at: Option<Site>,
    /// The thread that created it, where that is known: see [`ThreadName`].
    pub thread: Option<ThreadName>,
    /// How long ago it was created, at most; `None` where that is being recorded this very moment.
    /// In whole seconds, noted for twelve days: see [`Leak`](crate::Leak).
    pub age: Option<Duration>,
}

impl<T> Clone for Live<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Live<T> {}

/// A handle that is removed and whose value is still held, from [`Registry::deferred`].
#[derive(Debug)]
#[non_exhaustive]
pub struct Deferred<T> {
    /// The handle, which is stale.
    pub handle: Handle<T>,
    /// The line that created it; `None` as for [`Live::created_at`].
    pub created_at: Option<Site>,
    /// The line that removed it; `None` as for [`Live::created_at`]. The next two are not known
    /// then.
    pub removed_at: Option<Site>,
    /// The thread that removed it, where that is known: see [`ThreadName`].
    pub thread: Option<ThreadName>,
    /// How long ago it was removed, at most. In whole seconds, noted for twelve days: see
    /// [`Leak`](crate::Leak).
    pub removed_for: Option<Duration>,
    /// The guards that still hold the value; the last one drops it. While the removal goes on it
    /// counts as one.
    pub holders: u64,
}

impl<T> Clone for Deferred<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Deferred<T> {}
