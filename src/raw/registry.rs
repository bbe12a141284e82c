//! The machinery as the safe shell uses it: typed, and with nothing left to promise.

use super::copied;
use super::create::Reservation;
use super::entry::is_perpetual;
use super::explain::{Finding, explain};
use super::held::Held;
#[cfg(feature = "capi")]
use super::layout::TypeInfo;
use super::lookup::Want;
use super::set::{Set, Totals};
use super::shard::Exhausted;
use super::site::{NO_SITE, Spot};
use super::survey::{self, Seen};
use super::thread::{self, SPACE};
use super::word::Word;
use crate::sync::{AtomicPtr, Ordering};
use std::any::TypeId;
use std::marker::PhantomData;
use std::num::NonZeroU64;
use std::ptr::{self, NonNull};

/// What a removal did with the value: `true` where it is dropped, `false` where its last holder will drop it.
pub(crate) type WasDropped = bool;

/// A set of values of `T`, made when it is first needed, so that it can begin in a `static`.
#[derive(Debug)]
pub(crate) struct Owner<T> {
    set: AtomicPtr<Set>,
    limit: usize,
    /// Invariant: values go in and come out as the same type, and no lookup asks again.
    _values: PhantomData<fn(T) -> T>,
}

// SAFETY(I3): values are used (`Sync`) and dropped (`Send`) on whatever thread comes; the rest is shared by design.
unsafe impl<T: Send + Sync> Sync for Owner<T> {}
// SAFETY(I3): as above.
unsafe impl<T: Send + Sync> Send for Owner<T> {}

impl<T: 'static> Owner<T> {
    pub(crate) const fn new(limit: usize) -> Self {
        Self { set: AtomicPtr::new(ptr::null_mut()), limit, _values: PhantomData }
    }

    /// A set for ever, of values that go by this name.
    #[cfg(feature = "capi")]
    pub(crate) fn named(name: &'static str) -> Self {
        let info = Box::leak(Box::new(TypeInfo::named::<T>(name)));
        let set = Box::leak(Box::new(Set::of(info, &SPACE, usize::MAX, true)));
        Self { set: AtomicPtr::new(set), limit: usize::MAX, _values: PhantomData }
    }

    #[inline(always)]
    fn existing(&self) -> Option<&Set> {
        // SAFETY(I2): null or from `Box::into_raw` in `make`, and retired only when this is dropped. Acquire: its fields are
        // visible; pairs with the exchange in `make`.
        unsafe { self.set.load(Ordering::Acquire).as_ref() }
    }

    #[inline(always)]
    fn set(&self) -> &Set {
        match self.existing() {
            Some(set) => set,
            None => self.make(),
        }
    }

    #[cold]
    fn make(&self) -> &Set {
        let new = Box::into_raw(Box::new(Set::new::<T>(&SPACE, self.limit, false)));
        // Release: the fields come before the pointer. Acquire: somebody else's, where it was first.
        let result = self.set.compare_exchange(ptr::null_mut(), new, Ordering::AcqRel, Ordering::Acquire);
        let set = match result {
            Ok(_) => new,
            Err(first) => {
                // SAFETY(I2): nobody else has seen it.
                drop(unsafe { Box::from_raw(new) });
                first
            }
        };
        // SAFETY(I2): as in `existing`.
        unsafe { &*set }
    }

    /// Creates a handle.
    #[inline(always)]
    pub(crate) fn insert(&self, value: T, created: impl Spot) -> Result<NonZeroU64, (T, Exhausted)> {
        // SAFETY(I2): the set has values of `T` and is borrowed.
        unsafe { thread::insert(self.set(), value, created) }
    }

    /// Creates a handle whose value comes later.
    pub(crate) fn reserve(&self, created: impl Spot) -> Result<Reserved<'_, T>, Exhausted> {
        // SAFETY(I2): the set has values of `T` and is borrowed.
        let inner = unsafe { thread::reserve::<T>(self.set(), created) }?;
        Ok(Reserved { inner, _value: PhantomData })
    }

    /// What a handle must be to be one of this set's. A set that was never made has none.
    #[inline(always)]
    fn want(&self) -> Want {
        Want::Set(self.existing().map_or(u64::MAX, |set| set.id))
    }

    /// Looks a handle up.
    #[inline]
    pub(crate) fn get(&self, handle: u64) -> Option<Held<T>> {
        self.get_or(handle, Some, || None)
    }

    /// As [`Owner::get`], with what to do then.
    #[inline(always)]
    pub(crate) fn get_or<R>(&self, handle: u64, found: impl Fn(Held<T>) -> R, or: impl FnOnce() -> R) -> R {
        thread::get_or(handle, self.want(), |hold| found(Held::new(hold)), or)
    }

    /// Copies the word behind a handle, if nothing is in the way.
    #[inline(always)]
    pub(crate) fn copied(&self, handle: u64) -> Option<T>
    where
        T: Word,
    {
        // SAFETY(I2): the set is borrowed, and has values of `T`.
        unsafe { copied::get(&SPACE, handle, self.want()) }
    }

    /// Removes a handle.
    #[inline(always)]
    pub(crate) fn remove(&self, handle: u64, removed: impl Spot) -> Option<WasDropped> {
        // SAFETY(I2): the set has values of `T` and is borrowed.
        unsafe { thread::remove::<T>(handle, self.want(), removed) }
    }

    /// Removes a handle and moves its value out, unless somebody holds it.
    #[inline]
    pub(crate) fn take(&self, handle: u64, removed: impl Spot) -> Option<Option<T>> {
        // SAFETY(I2): the set has values of `T` and is borrowed.
        unsafe { thread::take::<T>(handle, self.want(), removed) }
    }

    /// Why a handle is not a live one of this set.
    pub(crate) fn explain(&self, handle: u64) -> Finding {
        explain(handle, Some(TypeId::of::<T>()), self.want())
    }

    /// Removes everything that is live now.
    pub(crate) fn clear(&self, removed: impl Spot) {
        if let Some(set) = self.existing() {
            set.clear(removed.number(), &thread::with_any_record);
        }
    }

    /// What the set holds.
    pub(crate) fn totals(&self) -> Totals {
        self.existing().map(Set::totals).unwrap_or_default()
    }

    /// Calls `each` with the type's name and size and every handle that is live or held.
    pub(crate) fn survey(&self, mut each: impl FnMut(&'static str, usize, Seen)) {
        if let Some(set) = self.existing() {
            survey::of_set(set, |seen| each(set.info.name(), set.info.size, seen));
        }
    }

    /// The most handles that may be live.
    pub(crate) const fn limit(&self) -> usize {
        self.limit
    }
}

impl<T> Drop for Owner<T> {
    fn drop(&mut self) {
        // Acquire: its fields are visible; pairs with the exchange in `make`.
        let set = NonNull::new(self.set.load(Ordering::Acquire));
        // SAFETY(I2): not retired yet.
        if let Some(set) = set.filter(|set| !is_perpetual(unsafe { set.as_ref() }.id)) {
            #[cfg(feature = "tracing")]
            // SAFETY(I2): not retired yet.
            let (name, had) = unsafe { (set.as_ref().info.name(), set.as_ref().totals()) };
            // SAFETY(I2): from `Box::into_raw`, not perpetual, and nobody can use it any more.
            unsafe { Set::retire(set, NO_SITE, &thread::with_any_record) };
            #[cfg(feature = "tracing")]
            super::trace::dropped(name, had.live(), had.deferred, had.created);
        }
    }
}

/// A handle that is disclosed before its value is there.
pub(crate) struct Reserved<'a, T> {
    inner: Reservation<'a>,
    _value: PhantomData<fn(T) -> T>,
}

impl<T: 'static> Reserved<'_, T> {
    /// The handle.
    pub(crate) fn handle(&self) -> u64 {
        self.inner.handle()
    }

    /// Puts the value in.
    pub(crate) fn fill(self, value: T) -> u64 {
        // SAFETY(I3): reserved in a set of `T`.
        unsafe { self.inner.fill(value) }
    }
}

/// Looks a handle up, in whatever registry of `T` it is.
#[inline]
pub(crate) fn get<T: 'static>(handle: u64) -> Option<Held<T>> {
    get_or(handle, Some, || None)
}

/// As [`get`], with what to do then.
#[inline(always)]
pub(crate) fn get_or<T: 'static, R>(handle: u64, found: impl Fn(Held<T>) -> R, or: impl FnOnce() -> R) -> R {
    thread::get_or(handle, Want::Type, |hold| found(Held::new(hold)), or)
}

/// Copies the word behind a handle, if it is in a registry that is never dropped and nothing else is in the way.
#[inline(always)]
pub(crate) fn copied<T: Word>(handle: u64) -> Option<T> {
    // SAFETY(I2): no set is named.
    unsafe { copied::get(&SPACE, handle, Want::Type) }
}

/// Removes a handle, in whatever registry of `T` it is.
#[inline(always)]
pub(crate) fn remove<T: 'static>(handle: u64, removed: impl Spot) -> Option<WasDropped> {
    // SAFETY(I2): no set is named.
    unsafe { thread::remove::<T>(handle, Want::Type, removed) }
}

/// Removes a handle and moves its value out, in whatever registry of `T` it is.
#[inline]
pub(crate) fn take<T: 'static>(handle: u64, removed: impl Spot) -> Option<Option<T>> {
    // SAFETY(I2): no set is named.
    unsafe { thread::take::<T>(handle, Want::Type, removed) }
}
