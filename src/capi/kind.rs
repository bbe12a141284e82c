//! Kinds of C's objects: one set of handles for each type descriptor.
//!
//! A descriptor is constant and C's, so nothing can be kept in it. Its address leads to the *kind*: a copy of the name, and a set that is never
//! dropped. So type checks, errors and reports see C's kinds as they see Rust's types.

use super::ffi::Fault;
use super::pointers::present;
use super::status::HAFT_WRONG_WIDTH;
use crate::raw::bits::{BITS, NARROWEST};
use crate::raw::registry::Owner;
use crate::sync::{AtomicBool, Mutex, Ordering, thread_local};
use std::cell::Cell;
use std::collections::HashMap;
use std::ffi::{CStr, c_char, c_void};

/// What all objects of one kind have in common. Make it `static const`: haft knows a kind by its address, and reads it whenever it is given.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct haft_type {
    /// What the kind is called in errors and reports: it is copied. Null is allowed, and says nothing.
    pub name: *const c_char,
    /// Destroys an object when its handle is removed and nobody holds it any more, on the thread where that happens. It may call haft.
    /// Null where there is nothing to do. haft *keeps* it until the last object of the kind is destroyed: so long must the library stay that has it.
    pub destroy: Option<unsafe extern "C" fn(object: *mut c_void)>,
}

/// One of C's objects, as a value.
#[derive(Debug)]
pub(super) struct Object {
    pub(super) pointer: *mut c_void,
    destroy: Option<unsafe extern "C" fn(*mut c_void)>,
}

// SAFETY(F2): whoever makes a handle of an object promises that any thread may use and destroy it.
unsafe impl Send for Object {}
// SAFETY(F2): as above.
unsafe impl Sync for Object {}

impl Drop for Object {
    fn drop(&mut self) {
        if let Some(destroy) = self.destroy {
            // SAFETY(F2): the descriptor's promise: it destroys objects of its kind, of which this is one, once.
            unsafe { destroy(self.pointer) }
        }
    }
}

impl Object {
    /// The object is C's again.
    pub(super) fn into_pointer(mut self) -> *mut c_void {
        self.destroy = None;
        self.pointer
    }
}

/// A kind, for ever.
#[derive(Debug)]
pub(super) struct Kind {
    /// The descriptor that it was made from, as it was.
    name_at: *const c_char,
    /// Whether another kind came in its place.
    is_replaced: AtomicBool,
    destroy: Option<unsafe extern "C" fn(*mut c_void)>,
    /// The name as it was; `name` says the same in UTF-8.
    text: &'static CStr,
    pub(super) name: &'static str,
    /// Its handles are below 2 to the power of this.
    bits: u32,
    pub(super) objects: Owner<Object>,
}

// SAFETY(F2): the name's address is only compared.
unsafe impl Send for Kind {}
// SAFETY(F2): as above.
unsafe impl Sync for Kind {}

impl Kind {
    /// An object of this kind.
    #[inline]
    pub(super) fn object(&self, pointer: *mut c_void) -> Object {
        Object { pointer, destroy: self.destroy }
    }

    /// Whether the descriptor says what the one did that the kind was made from: a library may have gone, and another come in its place; or
    /// somebody may have written another name there.
    ///
    /// # Safety
    ///
    /// The descriptor is a valid one.
    #[inline(always)]
    unsafe fn says_the_same(&self, descriptor: &haft_type) -> bool {
        // SAFETY(F1): the caller's promise.
        self.is(descriptor) && unsafe { self.has_name_of(descriptor) }
    }

    /// As above, also of a kind that was replaced.
    ///
    /// # Safety
    ///
    /// As above.
    unsafe fn said_the_same(&self, descriptor: &haft_type) -> bool {
        // SAFETY(F1): the caller's promise.
        self.was(descriptor) && unsafe { self.has_name_of(descriptor) }
    }

    /// # Safety
    ///
    /// As above.
    #[inline(always)]
    unsafe fn has_name_of(&self, descriptor: &haft_type) -> bool {
        // SAFETY(F1): a descriptor's name is null or a C string, and so is the kind's own.
        descriptor.name.is_null() || unsafe { are_equal(descriptor.name, self.text) }
    }

    /// Whether the kind is still that of its address, and the descriptor has the same name at the same place, and destroys in the same way.
    #[inline(always)]
    fn is(&self, descriptor: &haft_type) -> bool {
        // Relaxed: who got a handle of the kind that came in this one's place knows of that.
        self.was(descriptor) && !self.is_replaced.load(Ordering::Relaxed)
    }

    #[inline(always)]
    fn was(&self, descriptor: &haft_type) -> bool {
        let destroy = |destroy: Option<unsafe extern "C" fn(*mut c_void)>| {
            destroy.map_or(0, |destroy| destroy as usize)
        };
        self.name_at == descriptor.name && destroy(self.destroy) == destroy(descriptor.destroy)
    }
}

/// Whether C's text is this one.
///
/// # Safety
///
/// It is a C string.
#[cfg(not(miri))]
#[inline(always)]
unsafe fn are_equal(text: *const c_char, other: &CStr) -> bool {
    unsafe extern "C" {
        /// C's own, which the program that calls this has. Performance: half as many instructions as what Rust has.
        fn strcmp(one: *const c_char, other: *const c_char) -> std::ffi::c_int;
    }
    // SAFETY(F1): the caller's promise.
    unsafe { strcmp(text, other.as_ptr()) == 0 }
}

/// As above, for Miri, which has no such function.
///
/// # Safety
///
/// As above.
#[cfg(miri)]
unsafe fn are_equal(text: *const c_char, other: &CStr) -> bool {
    // SAFETY(F1): the caller's promise.
    unsafe { CStr::from_ptr(text) == other }
}

const RECENT: usize = 16;

thread_local! {
    /// The kinds that this thread used last, by the descriptor's address.
    static KNOWN: [Cell<(usize, Option<&'static Kind>)>; RECENT] = const { [const { Cell::new((0, None)) }; RECENT] };
}

/// By the descriptor's address: all that were there, one of which is there now.
static KINDS: Mutex<Option<HashMap<usize, Vec<&'static Kind>>>> = Mutex::new(None);

/// The kind of a descriptor, made where it is new: for lookups. Where another one came in its place unseen, nothing of that was created yet, and
/// nothing of the one before is left.
///
/// # Safety
///
/// Where it is not null, the descriptor is a valid one and stays during the call.
#[inline]
pub(super) unsafe fn of(descriptor: *const haft_type) -> Result<&'static Kind, Fault> {
    // SAFETY(F1): not null, and the rest is the caller's promise.
    let descriptor = unsafe { present(descriptor.cast_mut(), "type")?.as_ref() };
    // SAFETY(F1): as above.
    match known(descriptor) {
        Some(kind) => Ok(kind),
        None => Ok(unsafe { find(descriptor, BITS) }),
    }
}

/// The kind of a descriptor, whose handles are below 2^`bits`.
///
/// # Safety
///
/// As for [`of`].
pub(super) unsafe fn narrow(descriptor: *const haft_type, bits: u32) -> Result<(), Fault> {
    // SAFETY(F1): not null, and the rest is the caller's promise.
    let descriptor = unsafe { present(descriptor.cast_mut(), "type")?.as_ref() };
    if !(NARROWEST..=BITS).contains(&bits) {
        return Err(Fault::new(
            HAFT_WRONG_WIDTH,
            "handles have a width of 47 to 63 bits; ask for one of these",
        ));
    }
    // SAFETY(F1): as above.
    if unsafe { find(descriptor, bits) }.bits != bits {
        let text = "handles of another width may be out there: the kind was used before it was made narrow; call haft_narrow first";
        return Err(Fault::new(HAFT_WRONG_WIDTH, text));
    }
    Ok(())
}

/// As [`of`], with a look at the name's text: for creations, and for errors.
///
/// # Safety
///
/// As for [`of`].
#[inline]
pub(super) unsafe fn of_now(descriptor: *const haft_type) -> Result<&'static Kind, Fault> {
    // SAFETY(F1): not null, and the rest is the caller's promise.
    let descriptor = unsafe { present(descriptor.cast_mut(), "type")?.as_ref() };
    // SAFETY(F1): as above.
    match known(descriptor).filter(|kind| unsafe { kind.says_the_same(descriptor) }) {
        Some(kind) => Ok(kind),
        None => Ok(unsafe { find(descriptor, BITS) }),
    }
}

/// The kind that this thread knows at the descriptor's address.
#[inline(always)]
fn known(descriptor: &haft_type) -> Option<&'static Kind> {
    let address = std::ptr::from_ref(descriptor).addr();
    match KNOWN.with(|known| known[index(address)].get()) {
        (at, Some(kind)) if at == address && kind.is(descriptor) => Some(kind),
        _ => None,
    }
}

#[inline]
const fn index(address: usize) -> usize {
    (address >> 4) % RECENT
}

/// The kind of a descriptor; where it is new its handles have so many bits.
///
/// # Safety
///
/// As for [`of`].
#[cold]
#[inline(never)]
unsafe fn find(descriptor: &haft_type, bits: u32) -> &'static Kind {
    let address = std::ptr::from_ref(descriptor).addr();
    let mut kinds = KINDS.lock();
    let here = kinds.get_or_insert_with(HashMap::new).entry(address).or_default();
    // SAFETY(F1): as above.
    let same = here.iter().position(|kind| unsafe { kind.said_the_same(descriptor) });
    let index_of_same = same.unwrap_or_else(|| {
        // SAFETY(F1): as above.
        here.push(unsafe { make(descriptor, bits) });
        here.len() - 1
    });
    // Relaxed: the lock orders it for those who come here.
    for (index, kind) in here.iter().enumerate() {
        kind.is_replaced.store(index != index_of_same, Ordering::Relaxed);
    }
    let kind = here[index_of_same];
    KNOWN.with(|known| known[index(address)].set((address, Some(kind))));
    kind
}

/// # Safety
///
/// As for [`of`].
unsafe fn make(descriptor: &haft_type, bits: u32) -> &'static Kind {
    let text: &'static CStr = match descriptor.name.is_null() {
        true => c"",
        // SAFETY(F1): a descriptor's name is null or a C string.
        false => Box::leak(unsafe { CStr::from_ptr(descriptor.name) }.into()),
    };
    let name = match descriptor.name.is_null() {
        true => "(without a name)".into(),
        false => text.to_string_lossy(),
    };
    let name: &'static str = Box::leak(name.into_owned().into_boxed_str());
    let (name_at, destroy) = (descriptor.name, descriptor.destroy);
    Box::leak(Box::new(Kind {
        name_at,
        is_replaced: AtomicBool::new(false),
        destroy,
        text,
        name,
        bits,
        objects: Owner::named(name, bits),
    }))
}
