//! The operations of the calling thread, each by its quick way first: one that is inlined, with the record
//! and the page at hand.

use super::at_exit::{FirstUse, first_use};
use super::create;
use super::defaults::default_set;
use super::exhausted::Exhausted;
use super::find::{Erased, Typed, Value, Want};
use super::lookup::{self, Hold};
use super::page::{Page, Popped};
use super::record::Record;
use super::remove;
use super::section::Section;
use super::set::Set;
use super::site::Spot;
use super::thread::{
    Local, SPACE, holds, local, me, notice_fork, settle_before_sleep, with_borrowed, with_record,
};
use std::num::NonZeroU64;

/// See [`lookup::get_or`].
#[inline(always)]
pub(crate) fn get_or<T: 'static, R>(
    handle: u64,
    want: Want,
    found: impl Fn(Hold<T>) -> R,
    or: impl FnOnce() -> R,
) -> R {
    match me() {
        Some(me) => lookup::get_or(&SPACE, me, handle, want, found, or),
        None => get_borrowed(handle, want).map_or_else(or, found),
    }
}

#[cold]
#[inline(never)]
fn get_borrowed<T: 'static>(handle: u64, want: Want) -> Option<Hold<T>> {
    with_borrowed(local(), |me| lookup::get(&SPACE, me, handle, want))
}

/// Closes a handle, and ends its value if that is this thread's: `None` if the handle is not live, as
/// wanted, or another removal wins; `Some(None)` if somebody holds the value, and will drop it.
#[inline(always)]
fn close<V: Value, R>(
    handle: u64,
    want: Want,
    removed: impl Spot,
    end: impl FnOnce(remove::Alone, Option<&'static Record>) -> R,
) -> Option<Option<R>> {
    let closed = with_record(|me| remove::close::<V>(&SPACE, me, handle, want, removed.number()))?;
    // With the record that the thread has now: one that was lent for the call is gone.
    Some(closed.end(|alone| end(alone, me())))
}

/// Removes a handle: `Some(true)` if the value is dropped, `Some(false)` if its last holder will do it.
#[inline(always)]
pub(crate) fn remove<T: 'static>(handle: u64, want: Want, removed: impl Spot) -> Option<bool> {
    // SAFETY(I3): the page was checked to have values of `T`.
    let drop = |alone: remove::Alone, me: Option<&'static Record>| unsafe { alone.drop_value_as::<T>(me) };
    if remove_own::<Typed<T>>(handle, want, removed, drop) {
        return Some(true);
    }
    remove_slowly::<Typed<T>>(handle, want, removed, drop)
}

/// Removes a handle of any type: as [`remove`].
#[inline]
pub(crate) fn remove_any(handle: u64, removed: impl Spot) -> Option<bool> {
    let drop = |alone: remove::Alone, me: Option<&'static Record>| alone.drop_value(me);
    if remove_own::<Erased>(handle, Want::Type, removed, drop) {
        return Some(true);
    }
    remove_slowly::<Erased>(handle, Want::Type, removed, drop)
}

/// The quick way, if the handle is this thread's own and nobody else has to do with it: whether it was.
#[inline(always)]
fn remove_own<V: Value>(
    handle: u64,
    want: Want,
    removed: impl Spot,
    end: impl FnOnce(remove::Alone, Option<&'static Record>),
) -> bool {
    match (me(), removed.known()) {
        (Some(me), Some(removed)) => remove::remove_own::<V>(&SPACE, me, handle, want, removed, |alone| {
            end(alone, Some(me));
        }),
        _ => false,
    }
}

#[inline(never)]
fn remove_slowly<V: Value>(
    handle: u64,
    want: Want,
    removed: impl Spot,
    end: impl FnOnce(remove::Alone, Option<&'static Record>),
) -> Option<bool> {
    close::<V, ()>(handle, want, removed, end).map(|ended| ended.is_some())
}

/// Removes a handle and moves its value out, unless somebody holds it.
#[inline(always)]
pub(crate) fn take<T: 'static>(handle: u64, want: Want, removed: impl Spot) -> Option<Option<T>> {
    // SAFETY(I3): the page was checked to have values of `T`.
    close::<Typed<T>, T>(handle, want, removed, |alone, me| unsafe { alone.take_value::<T>(me) })
}

/// What became of a removal that waits.
pub(crate) enum Waited {
    /// The value is dropped.
    Dropped,
    /// The handle is not live, as wanted, or another removal has won.
    NotLive,
    /// It is live, and a guard of this thread holds the value.
    HeldHere,
}

/// Removes a handle, and returns when its value is dropped, by whoever does that.
pub(crate) fn remove_and_wait<V: Value>(handle: u64, want: Want, removed: impl Spot) -> Waited {
    if holds(handle) && lookup::is_live::<V>(&SPACE, handle, want) {
        return Waited::HeldHere;
    }
    let entered = SPACE.waits().enter(handle);
    match close::<V, ()>(handle, want, removed, remove::Alone::drop_value) {
        None => return Waited::NotLive,
        Some(Some(())) => {}
        // Nothing of this thread is locked or lent.
        Some(None) => {
            settle_before_sleep();
            entered.until_dropped();
        }
    }
    Waited::Dropped
}

/// As [`remove`] of a `T` in whatever registry, if the handle is this thread's own and nobody else has to do
/// with it: whether it was.
#[cfg(feature = "capi")]
#[inline(always)]
pub(crate) fn remove_quickly<T: 'static>(handle: u64, removed: impl Spot) -> bool {
    // SAFETY(I3): the page was checked to have values of `T`.
    remove_own::<Typed<T>>(handle, Want::Type, removed, |alone, me| unsafe { alone.drop_value_as::<T>(me) })
}

/// Creates a handle in the registry with this identity: in this thread's page at once, in most cases.
///
/// # Errors
///
/// The value, and why it found no room.
///
/// # Safety
///
/// The registry is in use and has values of `T`; `set` gives the set that it has.
#[inline(always)]
pub(crate) unsafe fn insert<T: 'static>(
    id: u64,
    set: impl FnOnce() -> &'static Set,
    value: T,
    created: impl Spot,
    first: FirstUse,
) -> Result<NonZeroU64, (T, Exhausted)> {
    let local = local();
    // SAFETY(I6): it is of this thread's own shard, in a registry of `T`.
    match unsafe { pop_quickly::<T>(local.page_in(id), created) } {
        // SAFETY(I3): just popped.
        Some((popped, site)) => Ok(unsafe { create::fill(popped, value, local.mark(site)) }),
        // SAFETY(I2): the caller's promise.
        None => unsafe { insert_slowly(set(), value, created, first) },
    }
}

#[cold]
#[inline(never)]
unsafe fn insert_slowly<T: 'static>(
    set: &'static Set,
    value: T,
    created: impl Spot,
    first: FirstUse,
) -> Result<NonZeroU64, (T, Exhausted)> {
    let local = local();
    // SAFETY(I2): the caller's promise.
    match unsafe { pop::<T>(local, set, first, |page| local.remember(set, page)) } {
        // SAFETY(I3): just popped.
        Ok(popped) => Ok(unsafe { create::fill(popped, value, local.mark(created.number())) }),
        Err(why) => Err((value, why)),
    }
}

/// Creates a handle in the default registry of `T`: as [`insert`].
///
/// # Errors
///
/// The value, and why it found no room.
#[inline(always)]
pub(crate) fn insert_default<T: 'static>(
    value: T,
    created: impl Spot,
    first: FirstUse,
) -> Result<NonZeroU64, (T, Exhausted)> {
    let local = local();
    // SAFETY(I6): it is of this thread's own shard, in a registry of `T`.
    match unsafe { pop_quickly::<T>(local.page_of::<T>(), created) } {
        // SAFETY(I3): just popped.
        Some((popped, site)) => Ok(unsafe { create::fill(popped, value, local.mark(site)) }),
        None => insert_default_slowly(value, created, first),
    }
}

/// A slot of a page that was remembered, and the number of the line, where both are at hand.
///
/// # Safety
///
/// As for [`Page::pop`].
#[inline(always)]
unsafe fn pop_quickly<T>(page: Option<&'static Page>, created: impl Spot) -> Option<(Popped, u32)> {
    let page = page?;
    let site = created.known()?;
    let _section = Section::enter();
    // SAFETY(I6): the caller's promise.
    unsafe { page.pop::<T>() }.map(|popped| (popped, site))
}

#[cold]
#[inline(never)]
fn insert_default_slowly<T: 'static>(
    value: T,
    created: impl Spot,
    first: FirstUse,
) -> Result<NonZeroU64, (T, Exhausted)> {
    let local = local();
    match pop_default::<T>(local, first) {
        // SAFETY(I3): just popped.
        Ok(popped) => Ok(unsafe { create::fill(popped, value, local.mark(created.number())) }),
        Err(why) => Err((value, why)),
    }
}

/// A slot of the default registry of `T`.
fn pop_default<T: 'static>(local: &Local, first: FirstUse) -> Result<Popped, Exhausted> {
    // Mostly it is only the other free list's turn.
    let set = if let Some(page) = local.page_of::<T>() {
        let _section = Section::enter();
        // SAFETY(I6): as in `insert_default`.
        if let Some(popped) = unsafe { page.pop_again::<T>() } {
            return Ok(popped);
        }
        // SAFETY(I2): it is a page of this thread's, so it is installed.
        unsafe { page.shard() }.set
    } else {
        default_set::<T>(&SPACE)
    };
    // SAFETY(I2): default registries are never dropped.
    unsafe { pop::<T>(local, set, first, |page| local.remember_default::<T>(set, page)) }
}

/// A slot of the set: of this thread's shard, or of the common one. Counted against the limit, if there is one.
///
/// # Safety
///
/// The set holds values of `T` and is in use.
unsafe fn pop<T>(
    local: &Local,
    set: &'static Set,
    first: FirstUse,
    remember: impl FnOnce(Option<&'static Page>),
) -> Result<Popped, Exhausted> {
    first_use(first);
    notice_fork();
    let limited = set.is_limited();
    if limited && !set.count_in() {
        #[cfg(feature = "tracing")]
        super::trace::limited(set.info.name(), set.limit());
        return Err(Exhausted::Limit);
    }
    let own = local.shard(set).map(|shard| {
        // SAFETY(I6): this thread has claimed the shard's record, and the set is in use.
        let popped = unsafe { create::pop::<T>(shard) };
        // A limit must be checked each time, so a limited set has no shortcut.
        remember(shard.current().filter(|_| !limited));
        popped
    });
    let popped = match own {
        None | Some(Err(Exhausted::Space)) => {
            let common = set.common();
            match &*common {
                // SAFETY(I6): the lock makes this thread the owner of the common shard.
                Some(shard) => unsafe { create::pop::<T>(shard) },
                None => Err(Exhausted::Space),
            }
        }
        Some(popped) => popped,
    };
    if popped.is_err() && limited {
        set.count_out();
    }
    // Here nothing is locked any more.
    #[cfg(feature = "tracing")]
    super::trace::after_pop(set.info.name(), popped.as_ref().err().copied());
    popped
}

/// Reserves a handle in a set.
///
/// # Errors
///
/// Why there is no room.
///
/// # Safety
///
/// The set holds values of `T` and is in use.
pub(crate) unsafe fn reserve<T>(
    set: &'static Set,
    created: impl Spot,
    first: FirstUse,
) -> Result<create::Reservation<'static>, Exhausted> {
    let local = local();
    // SAFETY(I2): the caller's promise.
    let popped = unsafe { pop::<T>(local, set, first, |page| local.remember(set, page)) }?;
    // SAFETY(I8): just popped.
    Ok(unsafe { create::Reservation::new(popped, set, me(), local.mark(created.number())) })
}

/// Reserves a handle in the default registry of `T`.
///
/// # Errors
///
/// Why there is no room.
pub(crate) fn reserve_default<T: 'static>(
    created: impl Spot,
    first: FirstUse,
) -> Result<create::Reservation<'static>, Exhausted> {
    let local = local();
    let popped = pop_default::<T>(local, first)?;
    // SAFETY(I8): just popped.
    Ok(unsafe {
        create::Reservation::new(popped, default_set::<T>(&SPACE), me(), local.mark(created.number()))
    })
}
