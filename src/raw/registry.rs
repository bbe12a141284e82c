//! The machinery as the safe shell uses it: typed, and with nothing left to promise.

use super::at_exit::FirstUse;
use super::bits::{BITS, last_generation};
use super::create::Reservation;
use super::exhausted::Exhausted;
use super::explain::{Finding, explain, explain_as};
use super::find::{NO_SET, Typed, Want};
use super::held::Held;
use super::history::NOWHERE;
use super::layout::TypeInfo;
use super::lookup;
use super::operation::{self, Waited};
#[cfg(feature = "capi")]
use super::set::UNLIMITED;
use super::set::{Set, Totals};
use super::site::Spot;
use super::survey::{self, Seen};
use super::thread::{self, SPACE};
use crate::sync::{AtomicPtr, AtomicU64, Ordering};
use std::marker::PhantomData;
use std::mem::ManuallyDrop;
use std::num::NonZeroU64;
use std::ptr;

/// What a removal did with the value: `true` where it is dropped, `false` where its last holder will drop it.
pub(crate) type WasDropped = bool;

/// A registry of values of `T`. Its set is found when it is first needed, so it can begin in a `static`.
#[derive(Debug)]
pub(crate) struct Owner<T> {
    /// The identity of the registry; one that no registry has until there is a set.
    id: AtomicU64,
    set: AtomicPtr<Set>,
    limit: usize,
    last_generation: u32,
    /// For ever: nothing is removed when this is dropped.
    perpetual: bool,
    /// Invariant: values go in and come out as the same type, and no lookup asks again.
    _values: PhantomData<fn(T) -> T>,
}

// SAFETY(I3): values are used (`Sync`) and dropped (`Send`) on whatever thread comes; the rest is shared by
// design.
unsafe impl<T: Send + Sync> Sync for Owner<T> {}
// SAFETY(I3): as above.
unsafe impl<T: Send + Sync> Send for Owner<T> {}

impl<T: 'static> Owner<T> {
    pub(crate) const fn new(limit: usize) -> Self {
        Self::narrow(limit, BITS)
    }

    /// As [`Owner::new`], with handles below 2^`bits`.
    pub(crate) const fn narrow(limit: usize, bits: u32) -> Self {
        Self {
            id: AtomicU64::new(NO_SET),
            set: AtomicPtr::new(ptr::null_mut()),
            limit,
            last_generation: last_generation(bits),
            perpetual: false,
            _values: PhantomData,
        }
    }

    /// A registry for ever, of values that go by this name, with handles below 2^`bits`.
    #[cfg(feature = "capi")]
    pub(crate) fn named(name: &'static str, bits: u32) -> Self {
        let info = Box::leak(Box::new(TypeInfo::named::<T>(name)));
        let last_generation = last_generation(bits);
        let set = Set::narrow(info, &SPACE, UNLIMITED, last_generation);
        let id = AtomicU64::new(set.id());
        let set = AtomicPtr::new(ptr::from_ref(set).cast_mut());
        Self { id, set, limit: UNLIMITED, last_generation, perpetual: true, _values: PhantomData }
    }

    #[inline(always)]
    fn existing(&self) -> Option<&'static Set> {
        // SAFETY(I2): null, or from a reference to a set, and sets are never freed. Acquire (E2): its fields
        // are visible; pairs with the exchange in `make`.
        unsafe { self.set.load(Ordering::Acquire).as_ref() }
    }

    /// The set, for a creation.
    #[cold]
    #[inline(never)]
    fn set(&self) -> &'static Set {
        let set = match self.existing() {
            Some(set) => set,
            None => self.make(),
        };
        // Relaxed: who has a handle of this registry has created it after this, or was given it by who has.
        self.id.store(set.id(), Ordering::Relaxed);
        set
    }

    fn make(&self) -> &'static Set {
        let new = Set::narrow(TypeInfo::of::<T>(), &SPACE, self.limit, self.last_generation);
        let pointer = ptr::from_ref(new).cast_mut();
        // Release (E2): the fields come before the pointer. Acquire (E2): somebody else's, if it was first.
        match self.set.compare_exchange(ptr::null_mut(), pointer, Ordering::AcqRel, Ordering::Acquire) {
            Ok(_) => new,
            Err(first) => {
                new.unused();
                // SAFETY(I2): as in `existing`.
                unsafe { &*first }
            }
        }
    }

    /// The identity of the registry.
    #[inline(always)]
    fn id(&self) -> u64 {
        self.id.load(Ordering::Relaxed)
    }

    /// Creates a handle.
    #[inline(always)]
    pub(crate) fn insert(
        &self,
        value: T,
        created: impl Spot,
        first: FirstUse,
    ) -> Result<NonZeroU64, (T, Exhausted)> {
        // SAFETY(I2): the registry has values of `T` and is borrowed.
        unsafe { operation::insert(self.id(), || self.set(), value, created, first) }
    }

    /// Creates a handle whose value comes later.
    pub(crate) fn reserve(&self, created: impl Spot, first: FirstUse) -> Result<Reserved<'_, T>, Exhausted> {
        // SAFETY(I2): the set has values of `T` and is borrowed.
        Ok(Reserved::new(unsafe { operation::reserve::<T>(self.set(), created, first) }?))
    }

    /// What a handle must be to be one of this registry's.
    #[inline(always)]
    fn want(&self) -> Want {
        Want::Set(self.id())
    }

    /// Looks a handle up.
    pub(crate) fn get(&self, handle: u64) -> Option<Held<T>> {
        self.get_or(handle, Some, || None)
    }

    /// Returns `true` if a handle is a live one of this registry.
    #[inline]
    pub(crate) fn contains(&self, handle: u64) -> bool {
        lookup::is_live::<Typed<T>>(&SPACE, handle, self.want())
    }

    /// As [`Owner::get`], with what to do then.
    #[inline(always)]
    pub(crate) fn get_or<R>(&self, handle: u64, found: impl Fn(Held<T>) -> R, or: impl FnOnce() -> R) -> R {
        operation::get_or(handle, self.want(), |hold| found(Held::new(hold)), or)
    }

    /// Removes a handle.
    #[inline(always)]
    pub(crate) fn remove(&self, handle: u64, removed: impl Spot) -> Option<WasDropped> {
        operation::remove::<T>(handle, self.want(), removed)
    }

    /// Removes a handle, and returns when its value is dropped.
    pub(crate) fn remove_and_wait(&self, handle: u64, removed: impl Spot) -> Result<(), Finding> {
        match operation::remove_and_wait::<Typed<T>>(handle, self.want(), removed) {
            Waited::Dropped => Ok(()),
            Waited::NotLive => Err(self.explain(handle)),
            Waited::HeldHere => Err(self.explain(handle).held_here()),
        }
    }

    /// Removes a handle and moves its value out, unless somebody holds it.
    #[inline]
    pub(crate) fn take(&self, handle: u64, removed: impl Spot) -> Option<Option<T>> {
        operation::take::<T>(handle, self.want(), removed)
    }

    /// Why a handle is not a live one of this set.
    pub(crate) fn explain(&self, handle: u64) -> Finding {
        explain(handle, Some(TypeInfo::of::<T>()), self.want())
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
        // Acquire (E2): its fields are visible; pairs with the exchange in `make`.
        // SAFETY(I2): null, or from a reference to a set, and sets are never freed.
        let set = unsafe { self.set.load(Ordering::Acquire).as_ref() };
        if let Some(set) = set.filter(|_| !self.perpetual) {
            #[cfg(feature = "tracing")]
            let (name, had) = (set.info.name(), set.totals());
            set.retire(NOWHERE, &thread::with_any_record);
            #[cfg(feature = "tracing")]
            super::trace::dropped(name, had.live(), had.deferred, had.created);
        }
    }
}

/// A handle that is disclosed before its value is there. It belongs to its thread.
pub(crate) struct Reserved<'a, T> {
    inner: ManuallyDrop<Reservation<'static>>,
    _registry: PhantomData<(&'a Owner<T>, *const ())>,
}

impl<T: 'static> Reserved<'_, T> {
    fn new(inner: Reservation<'static>) -> Self {
        Self { inner: ManuallyDrop::new(inner), _registry: PhantomData }
    }

    /// The handle.
    pub(crate) fn handle(&self) -> u64 {
        self.inner.handle()
    }

    /// Puts the value in.
    pub(crate) fn fill(self, value: T) -> u64 {
        let mut this = ManuallyDrop::new(self);
        // SAFETY(I3): reserved in a set of `T`; `this` is not used or dropped any more.
        unsafe { ManuallyDrop::take(&mut this.inner).fill(value) }
    }
}

impl<T> Drop for Reserved<'_, T> {
    fn drop(&mut self) {
        // The thread may have another record by now, or none, where it is ending.
        self.inner.belongs_to(thread::me());
        // SAFETY(I8): it was not filled, and is dropped once.
        unsafe { ManuallyDrop::drop(&mut self.inner) };
    }
}

/// Creates a handle whose value comes later, in the default registry of `T`.
pub(crate) fn reserve<T: Send + Sync + 'static>(
    created: impl Spot,
    first: FirstUse,
) -> Result<Reserved<'static, T>, Exhausted> {
    Ok(Reserved::new(operation::reserve_default::<T>(created, first)?))
}

/// Looks a handle up, in whatever registry of `T` it is.
#[cfg(test)]
pub(crate) fn get<T: 'static>(handle: u64) -> Option<Held<T>> {
    get_or(handle, Some, || None)
}

/// Returns `true` if a handle is live, in whatever registry of `T` it is.
#[inline]
pub(crate) fn is_live<T: 'static>(handle: u64) -> bool {
    lookup::is_live::<Typed<T>>(&SPACE, handle, Want::Type)
}

/// As [`get`], with what to do then.
#[inline(always)]
pub(crate) fn get_or<T: 'static, R>(handle: u64, found: impl Fn(Held<T>) -> R, or: impl FnOnce() -> R) -> R {
    operation::get_or(handle, Want::Type, |hold| found(Held::new(hold)), or)
}

/// Removes a handle, in whatever registry of `T` it is.
#[inline(always)]
pub(crate) fn remove<T: 'static>(handle: u64, removed: impl Spot) -> Option<WasDropped> {
    operation::remove::<T>(handle, Want::Type, removed)
}

/// Removes a handle, in whatever registry of `T` it is, and returns when its value is dropped.
pub(crate) fn remove_and_wait<T: 'static>(handle: u64, removed: impl Spot) -> Result<(), Finding> {
    match operation::remove_and_wait::<Typed<T>>(handle, Want::Type, removed) {
        Waited::Dropped => Ok(()),
        Waited::NotLive => Err(explain_as::<T>(handle)),
        Waited::HeldHere => Err(explain_as::<T>(handle).held_here()),
    }
}

/// Removes a handle and moves its value out, in whatever registry of `T` it is.
#[inline]
pub(crate) fn take<T: 'static>(handle: u64, removed: impl Spot) -> Option<Option<T>> {
    operation::take::<T>(handle, Want::Type, removed)
}
