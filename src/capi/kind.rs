//! Kinds of C's objects: one set of handles for each type descriptor.
//!
//! A descriptor is constant and C's, so nothing can be kept in it. Its address leads to the *kind*: a copy of the name, and a set that is never
//! dropped. So type checks, errors and reports see C's kinds as they see Rust's types.

use super::ffi::Fault;
use super::pointers::present;
use crate::raw::registry::Owner;
use crate::sync::{Mutex, thread_local};
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
    destroy: Option<unsafe extern "C" fn(*mut c_void)>,
    pub(super) name: &'static str,
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

    /// Whether the descriptor is still the one that the kind was made from: a library may have gone, and another come in its place.
    #[inline]
    fn is(&self, descriptor: &haft_type) -> bool {
        let destroy = |destroy: Option<unsafe extern "C" fn(*mut c_void)>| {
            destroy.map_or(0, |destroy| destroy as usize)
        };
        self.name_at == descriptor.name && destroy(self.destroy) == destroy(descriptor.destroy)
    }
}

const RECENT: usize = 16;

thread_local! {
    /// The kinds that this thread used last, by the descriptor's address.
    static KNOWN: [Cell<(usize, Option<&'static Kind>)>; RECENT] = const { [const { Cell::new((0, None)) }; RECENT] };
}

static KINDS: Mutex<Option<HashMap<usize, &'static Kind>>> = Mutex::new(None);

/// The kind of a descriptor, made where it is new.
///
/// # Safety
///
/// Where it is not null, the descriptor is a valid one and stays during the call.
#[inline]
pub(super) unsafe fn of(descriptor: *const haft_type) -> Result<&'static Kind, Fault> {
    // SAFETY(F1): not null, and the rest is the caller's promise.
    let descriptor = unsafe { present(descriptor.cast_mut(), "type")?.as_ref() };
    let address = std::ptr::from_ref(descriptor).addr();
    match KNOWN.with(|known| known[index(address)].get()) {
        (at, Some(kind)) if at == address && kind.is(descriptor) => Ok(kind),
        _ => {
            // SAFETY(F1): as above.
            let kind = unsafe { find(descriptor) };
            KNOWN.with(|known| known[index(address)].set((address, Some(kind))));
            Ok(kind)
        }
    }
}

#[inline]
const fn index(address: usize) -> usize {
    (address >> 4) % RECENT
}

/// # Safety
///
/// As for [`of`].
#[cold]
#[inline(never)]
unsafe fn find(descriptor: &haft_type) -> &'static Kind {
    let address = std::ptr::from_ref(descriptor).addr();
    let mut kinds = KINDS.lock();
    let kinds = kinds.get_or_insert_with(HashMap::new);
    if let Some(kind) = kinds.get(&address).filter(|kind| kind.is(descriptor)) {
        return kind;
    }
    let name = match descriptor.name.is_null() {
        true => "(without a name)".into(),
        // SAFETY(F1): a descriptor's name is null or a C string.
        false => unsafe { CStr::from_ptr(descriptor.name) }.to_string_lossy(),
    };
    let name: &'static str = Box::leak(name.into_owned().into_boxed_str());
    let (name_at, destroy) = (descriptor.name, descriptor.destroy);
    let kind = Box::leak(Box::new(Kind { name_at, destroy, name, objects: Owner::named(name) }));
    kinds.insert(address, kind);
    kind
}
