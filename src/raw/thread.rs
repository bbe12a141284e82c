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
//! `thread_local` takes the id back under a lock. No fork comes between the end of a bound thread and that, where haft was the
//! first to ask for the id.
//!
//! Ids and claims do not end at the same moment: `thread_local` gives an id back in a thread-local destructor, and others may
//! run before and after it. So an id alone never makes an owner (I6): a thread that finds its record still claimed by
//! another, or its own id gone, creates in the common shard.

use super::barrier;
use super::clock;
use super::exit;
use super::fork;
use super::history::{self, Mark};
use super::hook::Hook;
use super::layout::{TypeInfo, hash_of};
use super::lookup;
use super::name;
use super::page::Page;
use super::pin;
use super::record::{self, Record};
use super::remove;
use super::set::Set;
use super::shard::Shard;
use super::space::Space;
use crate::sync::{forks, thread_local};
use std::cell::Cell;
use std::mem::ManuallyDrop;
use std::panic::catch_unwind;
use std::ptr;
use thread_local::ThreadLocal;

/// The handle space of this process.
pub(crate) static SPACE: Space = Space::new();

/// The record of each thread that creates, by the ids of `thread_local`, which are used again when threads end.
static BOUND: ThreadLocal<&'static Record> = ThreadLocal::new();

const PAGES: usize = 16;

/// Guards in records that a thread has given up, as far as it remembers them.
const LEFT: usize = 8;

/// The type of no value: what a shortcut is of that leads nowhere.
enum Nothing {}

/// The thread's own; plain cells without a destructor, so it is there from the first to the last instruction.
pub(super) struct Local {
    record: Cell<Option<&'static Record>>,
    bound: Cell<bool>,
    ended: Cell<bool>,
    /// Its number where it stands in marks; 0 before it has one, and where none was left.
    who: Cell<u64>,
    /// Cells that it has left with guards in them, and their handles.
    left: [Cell<Option<(record::Cell, u64)>>; LEFT],
    /// Current pages by the registry's identity; 0, which none has, without a page. Only valid while bound.
    by_set: [Cell<(u64, *const Page)>; PAGES],
    /// Current pages of default registries by the type's description; that of [`Nothing`] without a page. Only valid while bound.
    by_type: [Cell<(&'static TypeInfo, *const Page)>; PAGES],
}

thread_local! {
    static LOCAL: Local = const {
        Local {
            record: Cell::new(None),
            bound: Cell::new(false),
            ended: Cell::new(false),
            who: Cell::new(0),
            left: [const { Cell::new(None) }; LEFT],
            by_set: [const { Cell::new((0, ptr::null())) }; PAGES],
            by_type: [const { Cell::new((TypeInfo::of::<Nothing>(), ptr::null())) }; PAGES],
        }
    };

    /// Notices that the thread ends.
    static SENTINEL: Sentinel = const { Sentinel };

    /// Two that are touched before and after `thread_local`'s own, and so run after and before it.
    static AFTER: After = const { After };
    static BEFORE: Before = const { Before };

    /// No fork while `thread_local` takes the thread's id back: a child could never take its lock. `None` before and after that.
    static ENDING: Cell<Option<ManuallyDrop<forks::Held>>> = const { Cell::new(None) };
}

struct Before;

impl Drop for Before {
    fn drop(&mut self) {
        end();
        // Where the other one has gone already, nobody would let go.
        if AFTER.try_with(|_| ()).is_ok() {
            ENDING.set(Some(ManuallyDrop::new(forks::Held::new())));
        }
    }
}

struct After;

impl Drop for After {
    fn drop(&mut self) {
        let _held = ENDING.take().map(ManuallyDrop::into_inner);
    }
}

struct Sentinel;

impl Drop for Sentinel {
    fn drop(&mut self) {
        end();
    }
}

/// What else is done when a thread ends that has used handles. It still has its record then, and no shard.
pub(crate) static AT_END: Hook<()> = Hook::new();

/// The thread ends: it gives its record up, and has none of its own any more.
fn end() {
    let local = local();
    local.ended.set(true);
    local.bound.set(false);
    local.forget_pages();
    if let Some(leave) = AT_END.get() {
        leave(&());
    }
    if let Some(record) = local.record.take() {
        local.leave(record);
    }
}

unsafe extern "C" fn end_of_thread(_: *mut std::ffi::c_void) {
    end();
}

/// After a fork, handles are created in other pages (S19).
fn forget_pages() {
    local().forget_pages();
}

/// In a child, of all threads only this one goes on (S12).
fn outlive_the_others() {
    forget_pages();
    SPACE.all_records().for_each(Record::outlive);
    SPACE.waits().outlive();
}

/// In a child whose handlers have not come to haft's own yet, does what that does.
pub(super) fn notice_fork() {
    if forks::is_new_child() && forks::begin_anew() {
        outlive_the_others();
    }
}

/// Sees to it that [`end`] is called: `false` where it is too late for that.
fn watch() -> bool {
    // Before anything is registered that calls it.
    pin::library();
    fork::watch(forget_pages, outlive_the_others);
    let watched = SENTINEL.try_with(|_| ()).is_ok();
    if watched {
        exit::watch(end_of_thread);
    }
    watched
}

impl Local {
    /// The current page of the default registry of `T`, if it is remembered.
    #[inline(always)]
    pub(super) fn page_of<T: 'static>(&self) -> Option<&'static Page> {
        let (info, page) = self.by_type[type_index::<T>()].get();
        // SAFETY(I2): the description of a type that has values was remembered with a page.
        info.is_of::<T>().then(|| unsafe { &*page })
    }

    /// The current page of the registry with this identity, if it is remembered.
    #[inline(always)]
    pub(super) fn page_in(&self, id: u64) -> Option<&'static Page> {
        debug_assert!(id != 0);
        let (of, page) = self.by_set[set_index(id)].get();
        // SAFETY(I2): the identity of a registry was remembered with a page.
        (of == id).then(|| unsafe { &*page })
    }

    fn forget_pages(&self) {
        self.by_set.iter().for_each(|entry| entry.set((0, ptr::null())));
        self.by_type.iter().for_each(|entry| entry.set((TypeInfo::of::<Nothing>(), ptr::null())));
    }

    pub(super) fn remember(&self, set: &Set, page: Option<&'static Page>) {
        let entry = page.map_or((0, ptr::null()), |page| (set.id(), ptr::from_ref(page)));
        self.by_set[set_index(set.id())].set(entry);
    }

    pub(super) fn remember_default<T: 'static>(&self, set: &Set, page: Option<&'static Page>) {
        let nothing = (TypeInfo::of::<Nothing>(), ptr::null());
        let entry = page.map_or(nothing, |page| (set.info, ptr::from_ref(page)));
        self.by_type[type_index::<T>()].set(entry);
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
        let _ = AFTER.try_with(|_| ());
        // Where the destructor of `thread_local`'s id has run already, asking for an id panics. A thread that is so far
        // gone has no shard.
        let record = match BOUND.get() {
            Some(record) => *record,
            // No fork meanwhile: a child could never take `thread_local`'s own lock.
            None => match catch_unwind(|| (forks::Held::new(), *BOUND.get_or(|| SPACE.add_record())).1) {
                Ok(record) => record,
                Err(_) => {
                    self.ended.set(true);
                    return None;
                }
            },
        };
        // After the id's destructor is registered, so that this one runs first.
        let _ = BEFORE.try_with(|_| ());
        if !watch() || !record.claim() {
            return None;
        }
        if let Some(pooled) = self.record.take() {
            self.leave(pooled);
        }
        self.introduce(record);
        self.bound.set(true);
        Some(record)
    }

    /// Gives a record up. The guards in it stay this thread's, which remembers some of them.
    fn leave(&self, record: &'static Record) {
        for (index, handle) in record.left_behind() {
            let free = self.left.iter().find(|left| left.get().is_none_or(|(cell, of)| !cell.is_noted(of)));
            free.unwrap_or(&self.left[index % LEFT]).set(Some((record::Cell::new(record, index), handle)));
        }
        lookup::disclaim(&SPACE, record);
    }

    /// Returns `true` if a guard of this thread holds the handle, which is live: one in a cell of its own, or
    /// one that it has left in a record. (If another thread has the cell by now, and has left the same handle
    /// there, it is taken for this one's.)
    fn holds(&self, handle: u64) -> bool {
        let is_left = |left: &Cell<Option<(record::Cell, u64)>>| {
            left.get().is_some_and(|(cell, of)| of == handle && cell.is_noted(handle))
        };
        self.record.get().is_some_and(|me| me.holds(handle)) || self.left.iter().any(is_left)
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
    pub(super) fn mark(&self, site: u32) -> Mark {
        u64::from(site) | history::stamp(self.who.get())
    }

    /// This thread's shard of a set, made where there is none yet. `None` where the thread cannot have one.
    #[cold]
    pub(super) fn shard(&self, set: &'static Set) -> Option<&'static Shard> {
        let record = if self.bound.get() { self.record.get() } else { self.bind() }?;
        // The id may be gone or somebody else's by now; the claim is not.
        if !BOUND.get().is_some_and(|bound| ptr::eq(*bound, record)) {
            return None;
        }
        let shard = *set.shards.get_or(|| set.new_shard(record));
        // SAFETY(I6): this thread has claimed the shard's record.
        unsafe { shard.begin_anew_after_fork() };
        Some(shard)
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
        local().leave(self.0);
    }
}

#[cold]
pub(super) fn with_borrowed<R>(local: &Local, operation: impl FnOnce(&'static Record) -> R) -> R {
    if let Some(record) = local.enrol() {
        return operation(record);
    }
    let borrowed = Borrowed(pooled_record());
    borrowed.0.set_who(local.who.get());
    operation(borrowed.0)
}

/// This thread's own. A function and not a closure, so that the fast paths are inlined as a whole.
#[inline(always)]
pub(super) fn local<'a>() -> &'a Local {
    // SAFETY(F3): it has no destructor, so it is there as long as its thread runs. A reference to it cannot
    // leave the thread: it is neither `Sync` nor given away by this module.
    LOCAL.with(|local| unsafe { &*ptr::from_ref(local) })
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

/// Returns `true` if a guard of this thread is known to hold the handle, which is live.
pub(crate) fn holds(handle: u64) -> bool {
    local().holds(handle)
}

/// Before this thread sleeps: removers that can make no barrier need not wait for it.
pub(crate) fn settle_before_sleep() {
    if let Some(me) = me().filter(|_| !barrier::is_available()) {
        me.tell_all();
        if me.is_summoned() {
            remove::answer(&SPACE, Some(me));
        }
    }
}

/// Whether what this thread creates goes into shards of its own, from now until it ends.
pub(crate) fn has_shards() -> bool {
    let local = local();
    local.bound.get() || local.bind().is_some()
}

#[inline]
fn set_index(id: u64) -> usize {
    id as usize % PAGES
}

#[inline(always)]
fn type_index<T: 'static>() -> usize {
    hash_of::<T>() as usize % PAGES
}

/// Counts an error of this kind. Returns `false` if the thread has no record to count it in.
#[inline]
pub(crate) fn count_error(kind: usize) -> bool {
    me().map(|me| me.count_error(kind)).is_some()
}

/// Errors of this kind that were counted by threads.
pub(crate) fn errors(kind: usize) -> u64 {
    SPACE.all_records().map(|record| record.errors(kind)).sum()
}
