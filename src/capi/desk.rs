//! The references that C holds.
//!
//! C may copy a `haft_ref`, release it twice, on another thread, or never. So it does not have the guard itself: the guard stays here, on its
//! thread's *desk*, under a number that is never used again, and C has the number. References that must not stay on a thread, and those for which the desk
//! has no place, or whose thread has ended, are values of a set of their own, and their number is a handle: haft's own promises make each of them good for one release.

use super::ffi::{self, Fault};
use super::handles::haft_handle;
use super::kind::Object;
use crate::raw::bits::BITS;
use crate::raw::explain::Cause;
use crate::raw::held::{CountedKept, Held, Kept, Owed};
use crate::raw::registry::Owner;
use crate::raw::site::Line;
use crate::raw::thread::AT_END;
use crate::report::at_exit::ask_environment;
use crate::sync::{Mutex, thread_local, unique_number};
use std::cell::Cell;
use std::collections::HashMap;
use std::ffi::{CStr, c_void};
use std::mem::ManuallyDrop;
use std::ptr::{self, NonNull};

/// A reference to an object, which stays as long as the reference is held. `object` and `handle` are for you to read.
///
/// It belongs to the thread that got it, until it is shared. A copy of it is the same reference: releasing one releases both.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct haft_ref {
    /// The object.
    pub object: *mut c_void,
    /// The handle that was looked up.
    pub handle: haft_handle,
    /// Private: where haft has it.
    keeper: u64,
    /// Private: its number there; 0 for a reference that is not held.
    number: u64,
}

impl haft_ref {
    /// What a released reference looks like, as `{0}` in C.
    pub const NOT_HELD: Self = Self { object: ptr::null_mut(), handle: 0, keeper: 0, number: 0 };

    /// Whether any thread may release it.
    pub(super) const fn is_shared(&self) -> bool {
        self.keeper == SHARED
    }
}

/// References that a thread can hold at a time on its desk: as many as it has cells.
const PLACES: usize = 6;

/// The number of a place that is not used any more: odd, so it is not free, and of no reference.
const CLOSED: u64 = u64::MAX;

/// In the place of a place: the number is a handle among the shared ones.
const SHARED: u64 = 7;
const PLACE_BITS: u32 = 3;

/// No destructor, so that it is there from the first to the last instruction of its thread.
struct Desk {
    /// Unique in the process; 0 until the first reference.
    thread: Cell<u64>,
    places: [Place; PLACES],
    /// The references that may be released on any thread, where this one has had to do with some.
    shared: Cell<Option<&'static Owner<CountedKept>>>,
}

struct Place {
    /// Of the reference that is here, odd; even where the place is free. It grows by one each time, so none comes twice.
    number: Cell<u64>,
    kept: Cell<Option<ManuallyDrop<Kept>>>,
}

impl Place {
    #[inline]
    fn is_free(&self) -> bool {
        self.number.get() % 2 == 0
    }
}

thread_local! {
    static DESK: Desk = const {
        Desk {
            thread: Cell::new(0),
            places: [const { Place { number: Cell::new(0), kept: Cell::new(None) } }; PLACES],
            shared: Cell::new(None),
        }
    };
}

/// Puts a guard on this thread's desk, and gives C its number.
///
/// # Errors
///
/// Where a reference must be counted and no more can be; the guard is gone then.
///
/// # Safety
///
/// `out` can be written.
#[inline(always)]
pub(super) unsafe fn keep(held: Held<Object>, out: NonNull<haft_ref>) -> Result<(), Fault> {
    let (object, handle) = (held.pointer, held.handle());
    let (kept, desk) = (held.into_kept(), desk());
    // The first one is mostly free.
    let free = match desk.places[0].is_free() {
        true => Some(0),
        false => desk.places.iter().position(Place::is_free),
    };
    let Some(index) = free else {
        let shared = share(kept, object, handle)?;
        // SAFETY(F1): the caller's promise.
        unsafe { out.write(shared) };
        return Ok(());
    };
    let (thread, place) = (desk.thread(), &desk.places[index]);
    let number = place.number.get() + 1;
    place.number.set(number);
    place.kept.set(Some(ManuallyDrop::new(kept)));
    // SAFETY(F1): the caller's promise.
    unsafe { out.write(haft_ref { object, handle, keeper: thread << PLACE_BITS | index as u64, number }) };
    Ok(())
}

/// This thread's own. A function and not a closure, so that what uses it is inlined as a whole.
#[inline(always)]
fn desk<'a>() -> &'a Desk {
    // SAFETY(F3): it has no destructor, so it is there as long as its thread runs, and a reference to it cannot leave the thread: it is neither `Sync`
    // nor given away by this module.
    DESK.with(|desk| unsafe { &*ptr::from_ref(desk) })
}

impl Desk {
    #[inline]
    fn thread(&self) -> u64 {
        match self.thread.get() {
            0 => self.enter(),
            thread => thread,
        }
    }

    #[cold]
    #[inline(never)]
    fn enter(&self) -> u64 {
        AT_END.replace(leave);
        self.thread.set(unique_number());
        self.thread.get()
    }
}

/// The references that their threads left behind, by keeper and number, and among the shared ones the handle of each.
static LEFT: Mutex<Option<HashMap<(u64, u64), u64>>> = Mutex::new(None);

/// The thread ends: what is left on its desk goes to the shared ones, and so does what it gets from now on.
fn leave(_: &()) {
    let desk = desk();
    for (index, place) in desk.places.iter().enumerate() {
        let number = place.number.replace(CLOSED);
        let Some(kept) = place.kept.take() else {
            continue;
        };
        // (Where no more can be counted, it stays held for good.)
        if let Ok(shared) = add_shared(ManuallyDrop::into_inner(kept), c"(its thread has ended)") {
            let keeper = desk.thread.get() << PLACE_BITS | index as u64;
            LEFT.lock().get_or_insert_default().insert((keeper, number), shared);
        }
    }
}

/// What a reference stands for whose thread has left it behind.
#[cold]
#[inline(never)]
fn take_left(reference: &haft_ref) -> Option<Taken> {
    let number = LEFT.lock().as_mut()?.remove(&(reference.keeper, reference.number))?;
    take_shared(&haft_ref { keeper: SHARED, number, ..*reference }).ok()
}

/// Takes back from the desk, or from among the shared ones, what a reference stands for. Each can be taken once.
///
/// # Errors
///
/// It is not held (any more), or on the desk of another thread; nothing changes then.
#[inline(always)]
pub(super) fn take(reference: &haft_ref) -> Result<Taken, Fault> {
    if reference.is_shared() {
        return take_shared(reference);
    }
    let (desk, index) = (desk(), reference.keeper & ((1 << PLACE_BITS) - 1));
    let mine = desk.thread.get() != 0 && reference.keeper >> PLACE_BITS == desk.thread.get();
    let place = desk.places.get(index as usize).filter(|place| place.number.get() == reference.number);
    let Some(place) = place.filter(|place| mine && !place.is_free()) else {
        return take_left(reference).ok_or_else(|| not_here(reference, mine));
    };
    place.number.set(reference.number + 1);
    match place.kept.take() {
        Some(kept) => Ok(Taken::Here(ManuallyDrop::into_inner(kept))),
        None => Err(not_here(reference, mine)),
    }
}

/// What a reference stood for.
#[derive(Debug)]
pub(super) enum Taken {
    /// A guard of this thread.
    Here(Kept),
    /// One that any thread may drop.
    Shared(CountedKept),
}

impl Taken {
    /// Lets go: where the hold was counted, it must still be given back.
    #[inline(always)]
    pub(super) fn let_go(self) -> Option<Owed> {
        match self {
            Self::Here(kept) => kept.let_go(),
            Self::Shared(counted) => Some(counted.let_go()),
        }
    }
}

/// References that may be released on any thread.
fn shared() -> &'static Owner<CountedKept> {
    static ALL: Mutex<Option<&'static Owner<CountedKept>>> = Mutex::new(None);
    let known = &desk().shared;
    if known.get().is_none() {
        known
            .set(Some(ALL.lock().get_or_insert_with(|| Box::leak(Box::new(Owner::named("haft_ref", BITS))))));
    }
    known.get().expect("it was just set")
}

/// Makes a reference that any thread may release.
///
/// # Errors
///
/// No more can be counted, or there is no memory: the guard is gone then.
#[cold]
#[inline(never)]
pub(super) fn share(kept: Kept, object: *mut c_void, handle: u64) -> Result<haft_ref, Fault> {
    let number = add_shared(kept, c"(haft_share)")?;
    Ok(haft_ref { object, handle, keeper: SHARED, number })
}

/// Puts a guard among the shared ones. Returns its handle there.
fn add_shared(kept: Kept, why: &'static CStr) -> Result<u64, Fault> {
    let too_many = |_| Fault::new(ffi::HAFT_TOO_MANY_HOLDS, "too many references are held; release some");
    let created = Line { file: why, line: 0 };
    match shared().insert(kept.into_counted().map_err(too_many)?, created, ask_environment) {
        Ok(number) => Ok(number.get()),
        Err((counted, _)) => {
            drop(counted);
            Err(Fault::new(ffi::HAFT_FULL, "no room for another shared reference"))
        }
    }
}

#[cold]
#[inline(never)]
fn take_shared(reference: &haft_ref) -> Result<Taken, Fault> {
    let removed = Line { file: c"(haft_release)", line: 0 };
    // (Nobody looks them up, so nobody but the taker holds one.)
    match shared().take(reference.number, removed) {
        Some(Some(counted)) => Ok(Taken::Shared(counted)),
        _ => Err(not_here(reference, true)),
    }
}

/// Fails where a shared reference was released already, without holding it: whoever releases it must be alone.
#[cold]
#[inline(never)]
pub(super) fn is_held(reference: &haft_ref) -> Result<(), Fault> {
    match shared().explain(reference.number).cause {
        Cause::Reserved => Ok(()),
        _ => Err(not_here(reference, true)),
    }
}

#[cold]
#[inline(never)]
fn not_here(reference: &haft_ref, mine: bool) -> Fault {
    if mine || reference.number == 0 || reference.keeper >> PLACE_BITS == 0 {
        return Fault::new(
            ffi::HAFT_NOT_HELD,
            "the reference is not held: it was released already, or never got. Release each reference once, and \
             do not copy it for a second owner.",
        );
    }
    Fault::new(
        ffi::HAFT_WRONG_THREAD,
        "the reference was got on another thread, and it is still held there or was released already. Release it once, on the thread that got \
         it, or share it there first (haft_share), or get it as a shared one (haft_get_shared).",
    )
}
