//! What a thread keeps: its record, and shortcuts to the pages that it fills.
//!
//! A thread *enrols* when it first looks something up: it claims a record of the pool, for its cells. It *binds* when it first creates
//! something: it claims the record that `thread_local` finds under the thread's recycled id, so that the
//! shards it finds under the same id, in every registry, are the ones of that record's pages. When the thread ends, the claim
//! ends, and the next thread with that id adopts record and shards.
//!
//! | state | record | lookups | creation |
//! |---|---|---|---|
//! | new | none | enrol | bind |
//! | enrolled | from the pool | its cells | bind |
//! | bound | under the thread's id | its cells | its shards |
//! | ended | none | cells of a record that is claimed for the one call | the common shard, under its lock |
//!
//! Ids and claims do not end at the same moment: `thread_local` gives an id back in a thread-local destructor, and others may
//! run before and after it. So an id alone never makes an owner (I6): a thread that finds its record still claimed by
//! another, or its own id gone, creates in the common shard.

use super::cells::Record;
use super::clock;
use super::create;
use super::exit;
use super::history::{self, Mark};
use super::layout::{TypeInfo, hash_of};
use super::lookup::{self, Hold, Want};
use super::name;
use super::page::PagePtr;
use super::set::Set;
use super::shard::{Exhausted, Shard};
use super::site::Spot;
use super::space::Space;
use crate::sync::{Mutex, thread_local};
use std::any::TypeId;
use std::cell::Cell;
use std::collections::HashMap;
use std::panic::catch_unwind;
use std::ptr::NonNull;
use thread_local::ThreadLocal;

/// The handle space of this process.
pub(crate) static SPACE: Space = Space::new();

/// The record of each thread that creates, by the ids of `thread_local`, which are used again when threads end.
static BOUND: ThreadLocal<&'static Record> = ThreadLocal::new();

/// The default registries, one per type; never dropped.
static DEFAULTS: Mutex<Option<HashMap<TypeId, &'static Set>>> = Mutex::new(None);

const PAGES: usize = 16;

/// The type of no value: what a shortcut is of that leads nowhere.
enum Nothing {}

/// The thread's own; plain cells without a destructor, so it is there from the first to the last instruction.
struct Local {
    record: Cell<Option<&'static Record>>,
    bound: Cell<bool>,
    ended: Cell<bool>,
    /// Its number where it stands in marks; 0 before it has one, and where none was left.
    who: Cell<u64>,
    /// Current pages by the set's identity. Only valid while bound.
    by_set: [Cell<(u64, PagePtr)>; PAGES],
    /// Current pages of default registries by the type's description; that of [`Nothing`] without a page. Only valid while bound.
    by_type: [Cell<(&'static TypeInfo, PagePtr)>; PAGES],
}

thread_local! {
    static LOCAL: Local = const {
        Local {
            record: Cell::new(None),
            bound: Cell::new(false),
            ended: Cell::new(false),
            who: Cell::new(0),
            by_set: [const { Cell::new((0, PagePtr::NONE)) }; PAGES],
            by_type: [const { Cell::new((TypeInfo::of::<Nothing>(), PagePtr::NONE)) }; PAGES],
        }
    };

    /// Notices that the thread ends. Touched after `thread_local`'s own, it runs before it.
    static SENTINEL: Sentinel = const { Sentinel };
}

struct Sentinel;

impl Drop for Sentinel {
    fn drop(&mut self) {
        end();
    }
}

/// The thread ends: it gives its record up, and has none of its own any more.
fn end() {
    let local = local();
    local.ended.set(true);
    local.bound.set(false);
    local.forget_pages();
    if let Some(record) = local.record.take() {
        lookup::disclaim(&SPACE, record);
    }
}

unsafe extern "C" fn end_of_thread(_: *mut std::ffi::c_void) {
    end();
}

/// Sees to it that [`end`] is called: `false` where it is too late for that.
fn watch() -> bool {
    let watched = SENTINEL.try_with(|_| ()).is_ok();
    if watched {
        exit::watch(end_of_thread);
    }
    watched
}

impl Local {
    fn forget_pages(&self) {
        self.by_set.iter().for_each(|entry| entry.set((0, PagePtr::NONE)));
        self.by_type.iter().for_each(|entry| entry.set((TypeInfo::of::<Nothing>(), PagePtr::NONE)));
    }

    fn remember(&self, set: &Set, page: Option<PagePtr>) {
        self.by_set[set_index(set)].set(page.map_or((0, PagePtr::NONE), |page| (set.id, page)));
    }

    /// Claims a record for this thread's cells. `None` where the thread is ending.
    #[cold]
    fn enrol(&self) -> Option<&'static Record> {
        if self.ended.get() || !watch() {
            return None;
        }
        let record = pooled_record();
        self.introduce(record);
        Some(record)
    }

    /// Claims the record under this thread's id. `None` where that is impossible, now or for good.
    #[cold]
    fn bind(&self) -> Option<&'static Record> {
        if self.ended.get() {
            return None;
        }
        // Where the destructor of `thread_local`'s id has run already, asking for an id panics. A thread that is so far
        // gone has no shard.
        let record = match BOUND.get() {
            Some(record) => *record,
            None => match catch_unwind(|| *BOUND.get_or(|| SPACE.add_record())) {
                Ok(record) => record,
                Err(_) => {
                    self.ended.set(true);
                    return None;
                }
            },
        };
        // After the id's destructor is registered, so that this one runs first.
        if !watch() || !record.claim() {
            return None;
        }
        if let Some(pooled) = self.record.take() {
            lookup::disclaim(&SPACE, pooled);
        }
        self.introduce(record);
        self.bound.set(true);
        Some(record)
    }

    /// Makes a claimed record this thread's own. A thread that has no number yet gets one.
    fn introduce(&self, record: &'static Record) {
        if self.who.get() == 0 {
            self.who.set(history::who(name::number()));
        }
        clock::refresh();
        record.set_who(self.who.get());
        self.record.set(Some(record));
    }

    /// What will be remembered of this thread at a line.
    #[inline(always)]
    fn mark(&self, site: u32) -> Mark {
        u64::from(site) | history::stamp(self.who.get())
    }

    /// This thread's shard of a set, made where there is none yet. `None` where the thread cannot have one.
    #[cold]
    fn shard<'s>(&self, set: &'s Set) -> Option<&'s Shard> {
        let record = if self.bound.get() { self.record.get() } else { self.bind() }?;
        // The id may be gone or somebody else's by now; the claim is not.
        if !BOUND.get().is_some_and(|bound| std::ptr::eq(*bound, record)) {
            return None;
        }
        Some(set.shards.get_or(|| Box::new(Shard::new(NonNull::from(set), record))))
    }
}

/// A claimed record of the pool, a new one where all are in use.
fn pooled_record() -> &'static Record {
    loop {
        if let Some(free) = SPACE.all_records().find(|record| record.is_pooled() && record.claim()) {
            return free;
        }
        let new = SPACE.add_pooled_record();
        // Another thread may have found it already.
        if new.claim() {
            return new;
        }
    }
}

/// A record that is claimed for one call.
struct Borrowed(&'static Record);

impl Drop for Borrowed {
    fn drop(&mut self) {
        lookup::disclaim(&SPACE, self.0);
    }
}

#[cold]
fn with_borrowed<R>(local: &Local, operation: impl FnOnce(&'static Record) -> R) -> R {
    if let Some(record) = local.enrol() {
        return operation(record);
    }
    let borrowed = Borrowed(pooled_record());
    borrowed.0.set_who(local.who.get());
    operation(borrowed.0)
}

/// This thread's own. A function and not a closure, so that the fast paths are inlined as a whole.
#[inline(always)]
fn local<'a>() -> &'a Local {
    // SAFETY(I6): it has no destructor, so it is there as long as its thread runs, and a reference to it cannot leave the thread: it is
    // neither `Sync` nor given away by this module.
    LOCAL.with(|local| unsafe { &*std::ptr::from_ref(local) })
}

/// Runs an operation with the record that this thread has claimed, or claims for the call.
pub(crate) fn with_record<R>(operation: impl FnOnce(&'static Record) -> R) -> R {
    let local = local();
    match local.record.get() {
        Some(record) => operation(record),
        None => with_borrowed(local, operation),
    }
}

/// As [`with_record`], for those who do not know this module.
pub(crate) fn with_any_record(operation: &mut dyn FnMut(&'static Record)) {
    with_record(operation);
}

/// The record that this thread has claimed, if any.
#[inline]
pub(crate) fn me() -> Option<&'static Record> {
    local().record.get()
}

/// Whether what this thread creates goes into shards of its own, from now until it ends.
pub(crate) fn has_shards() -> bool {
    let local = local();
    local.bound.get() || local.bind().is_some()
}

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

/// Removes a handle: `Some(true)` where the value is dropped, `Some(false)` where its last holder will do it.
///
/// What was closed ends in the function that closed it, here and in those below: passed on through memory, it would be written in halves, read as
/// a whole, and wait for its own stores.
///
/// # Safety
///
/// Where `want` names a set, that set is in use and holds values of `T`.
#[inline(always)]
pub(crate) unsafe fn remove<T: 'static>(handle: u64, want: Want, removed: impl Spot) -> Option<bool> {
    // SAFETY(I2): the caller's promise.
    if unsafe { remove_own::<T>(handle, want, removed) } {
        return Some(true);
    }
    // SAFETY(I2): the caller's promise.
    unsafe { remove_slowly::<T>(handle, want, removed) }
}

/// As [`remove`], where it is this thread's own and nobody else has to do with it: whether it was.
///
/// # Safety
///
/// As for [`remove`].
#[inline(always)]
unsafe fn remove_own<T: 'static>(handle: u64, want: Want, removed: impl Spot) -> bool {
    let (Some(me), Some(removed)) = (me(), removed.known()) else {
        return false;
    };
    // SAFETY(I2): the caller's promise.
    unsafe { lookup::remove_own::<T>(&SPACE, me, handle, want, removed) }
}

#[inline(never)]
unsafe fn remove_slowly<T: 'static>(handle: u64, want: Want, removed: impl Spot) -> Option<bool> {
    let removed = removed.number();
    match me() {
        // SAFETY(I2): the caller's promise; the page was checked to hold values of `T`.
        Some(me) => {
            unsafe { lookup::close::<T>(&SPACE, me, handle, want, removed)?.drop_value_as::<T>(Some(me)) }
                .into()
        }
        // SAFETY(I2): the caller's promise.
        None => unsafe { remove_borrowed::<T>(handle, want, removed) },
    }
}

#[cold]
#[inline(never)]
unsafe fn remove_borrowed<T: 'static>(handle: u64, want: Want, removed: u32) -> Option<bool> {
    // SAFETY(I2): the caller's promise.
    let closed =
        with_borrowed(local(), |me| unsafe { lookup::close::<T>(&SPACE, me, handle, want, removed) });
    // SAFETY(I3): the page was checked to hold values of `T`.
    Some(unsafe { closed?.drop_value_as::<T>(me()) })
}

/// Removes a handle and moves its value out, unless somebody holds it.
///
/// # Safety
///
/// As for [`remove`].
#[inline(always)]
pub(crate) unsafe fn take<T: 'static>(handle: u64, want: Want, removed: impl Spot) -> Option<Option<T>> {
    let removed = removed.number();
    match me() {
        // SAFETY(I2): the caller's promise; the page was checked to hold values of `T`.
        Some(me) => {
            unsafe { lookup::close::<T>(&SPACE, me, handle, want, removed)?.take_value::<T>(Some(me)) }.into()
        }
        // SAFETY(I2): the caller's promise.
        None => unsafe { take_borrowed::<T>(handle, want, removed) },
    }
}

#[cold]
#[inline(never)]
unsafe fn take_borrowed<T: 'static>(handle: u64, want: Want, removed: u32) -> Option<Option<T>> {
    // SAFETY(I2): the caller's promise.
    let closed =
        with_borrowed(local(), |me| unsafe { lookup::close::<T>(&SPACE, me, handle, want, removed) });
    // SAFETY(I3): the page was checked to hold values of `T`.
    Some(unsafe { closed?.take_value::<T>(me()) })
}

/// Removes a handle of a `T`, in whatever set, where it is this thread's own and nobody else has to do with it: whether it was.
#[cfg(feature = "capi")]
#[inline(always)]
pub(crate) fn remove_quickly<T: 'static>(handle: u64, removed: impl Spot) -> bool {
    // SAFETY(I2): no set is named.
    unsafe { remove_own::<T>(handle, Want::Type, removed) }
}

/// Removes a handle of any type: as [`remove`].
#[inline]
pub(crate) fn remove_any(handle: u64, removed: impl Spot) -> Option<bool> {
    if let Some(me) = me()
        && let Some(removed) = removed.known()
        && lookup::remove_own_any(&SPACE, me, handle, removed)
    {
        return Some(true);
    }
    remove_any_at(handle, removed.number())
}

#[inline(never)]
fn remove_any_at(handle: u64, removed: u32) -> Option<bool> {
    match me() {
        Some(me) => Some(lookup::close_any(&SPACE, me, handle, removed)?.drop_value(Some(me))),
        None => remove_any_borrowed(handle, removed),
    }
}

#[cold]
#[inline(never)]
fn remove_any_borrowed(handle: u64, removed: u32) -> Option<bool> {
    let closed = with_borrowed(local(), |me| lookup::close_any(&SPACE, me, handle, removed));
    Some(closed?.drop_value(me()))
}

/// Runs an operation with a record for a short stay; nothing of the user's may run in it.
pub(crate) fn with_stay<R>(handle: u64, operation: impl FnOnce() -> R) -> R {
    with_record(|me| {
        let _stay = lookup::Stay::begin(me, handle);
        operation()
    })
}

/// Creates a handle in a set: in this thread's page at once, in most cases.
///
/// # Errors
///
/// The value, and why it found no room.
///
/// # Safety
///
/// The set holds values of `T` and is in use.
#[inline(always)]
pub(crate) unsafe fn insert<T>(set: &Set, value: T, created: impl Spot) -> Result<u64, (T, Exhausted)> {
    let local = local();
    let (id, page) = local.by_set[set_index(set)].get();
    if id == set.id
        && let Some(site) = created.known()
        // SAFETY(I6): the shortcut is of this thread's own shard; the set is in use (I2).
        && let Some(popped) = unsafe { page.pop::<T>() }
    {
        // SAFETY(I3): just popped.
        return Ok(unsafe { create::fill(popped, value, local.mark(site)) });
    }
    // SAFETY(I2): the caller's promise.
    unsafe { insert_slowly(set, value, created) }
}

#[cold]
#[inline(never)]
unsafe fn insert_slowly<T>(set: &Set, value: T, created: impl Spot) -> Result<u64, (T, Exhausted)> {
    let local = local();
    // SAFETY(I2): the caller's promise.
    match unsafe { pop::<T>(local, set, |page| local.remember(set, page)) } {
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
pub(crate) fn insert_default<T: 'static>(value: T, created: impl Spot) -> Result<u64, (T, Exhausted)> {
    let local = local();
    let (info, page) = local.by_type[type_index::<T>()].get();
    if info.is_of::<T>()
        && let Some(site) = created.known()
        // SAFETY(I6): the shortcut is of this thread's own shard; default registries are never dropped (I2).
        && let Some(popped) = unsafe { page.pop::<T>() }
    {
        // SAFETY(I3): just popped.
        return Ok(unsafe { create::fill(popped, value, local.mark(site)) });
    }
    insert_default_slowly(value, created)
}

#[cold]
#[inline(never)]
fn insert_default_slowly<T: 'static>(value: T, created: impl Spot) -> Result<u64, (T, Exhausted)> {
    let local = local();
    let shortcut = &local.by_type[type_index::<T>()];
    // Mostly it is only the other free list's turn.
    let (info, page) = shortcut.get();
    let set = if info.is_of::<T>() {
        // SAFETY(I6): as in `insert_default`.
        if let Some(popped) = unsafe { page.pop_again::<T>() } {
            // SAFETY(I3): just popped.
            return Ok(unsafe { create::fill(popped, value, local.mark(created.number())) });
        }
        // SAFETY(I2): default registries are never dropped, and neither are their shards and pages.
        unsafe { page.header().shard.as_ref().set.as_ref() }
    } else {
        default_set::<T>()
    };
    let remember = |page: Option<PagePtr>| {
        shortcut.set(page.map_or((TypeInfo::of::<Nothing>(), PagePtr::NONE), |page| (set.info, page)))
    };
    // SAFETY(I2): default registries are never dropped.
    match unsafe { pop::<T>(local, set, remember) } {
        // SAFETY(I3): just popped.
        Ok(popped) => Ok(unsafe { create::fill(popped, value, local.mark(created.number())) }),
        Err(why) => Err((value, why)),
    }
}

/// A slot of the set: of this thread's shard, or of the common one. Counted against the limit, if there is one.
///
/// # Safety
///
/// The set holds values of `T` and is in use.
unsafe fn pop<T>(
    local: &Local,
    set: &Set,
    remember: impl FnOnce(Option<PagePtr>),
) -> Result<super::page::Popped, Exhausted> {
    let limited = set.limit != usize::MAX;
    if limited && !set.count_in() {
        #[cfg(feature = "tracing")]
        super::trace::limited(set.info.name(), set.limit);
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
pub(crate) unsafe fn reserve<T>(set: &Set, created: impl Spot) -> Result<create::Reservation<'_>, Exhausted> {
    let local = local();
    // SAFETY(I2): the caller's promise.
    let popped = unsafe { pop::<T>(local, set, |page| local.remember(set, page)) }?;
    // SAFETY(I8): just popped.
    Ok(unsafe { create::Reservation::new(popped, set, me(), local.mark(created.number())) })
}

/// The default registry of `T`.
pub(crate) fn default_set<T: 'static>() -> &'static Set {
    let mut defaults = DEFAULTS.lock();
    defaults
        .get_or_insert_with(HashMap::new)
        .entry(TypeId::of::<T>())
        .or_insert_with(|| Box::leak(Box::new(Set::new::<T>(&SPACE, usize::MAX, true))))
}

#[inline]
fn set_index(set: &Set) -> usize {
    (set.id >> 1) as usize % PAGES
}

#[inline(always)]
fn type_index<T: 'static>() -> usize {
    hash_of::<T>() as usize % PAGES
}

/// Shards given to threads, and records made.
pub(crate) fn spread() -> (usize, usize) {
    (SPACE.used_shards() as usize, SPACE.record_count() as usize)
}
