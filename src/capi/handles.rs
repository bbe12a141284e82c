//! Handles of C's objects: create, get, release, remove, take.

use super::desk::{self, Taken, haft_ref};
use super::ffi::{self, Fault, not_null};
use super::kind::{self, Object, haft_type};
use super::pointers::present;
use crate::any::AnyHandle;
use crate::error::Error;
use crate::raw::exhausted::Exhausted;
use crate::raw::explain::Cause;
use crate::raw::held::Owed;
use crate::raw::operation;
use crate::raw::site::{Line, Nowhere, Numbered, Site, Spot};
use crate::report::at_exit::ask_environment;
use std::ffi::{CStr, c_char, c_int, c_void};
use std::ptr;

/// A handle: an integer that names an object. Never zero, never used twice in one process. It fits `int64_t`, and is positive there.
#[expect(non_camel_case_types, reason = "it is C's name")]
pub type haft_handle = u64;

/// How a call ended: one of the `HAFT_` numbers; 0 is success.
#[expect(non_camel_case_types, reason = "it is C's name")]
pub type haft_status = i32;

/// Runs a body in which nothing of the user's runs, so that nothing can panic. (Where it did all the same, the process would be aborted, since
/// no panic leaves an `extern "C"` function.)
#[inline(always)]
fn quick(body: impl FnOnce() -> Result<(), Fault>) -> haft_status {
    body().map_or_else(|fault| fault.code(), |()| ffi::HAFT_OK)
}

/// # Safety
///
/// `file` is null or a C string that stays for ever.
#[inline]
unsafe fn line<'a>(file: *const c_char, line: u32) -> Line<'a> {
    match file.is_null() {
        true => Line { file: c"(a call from C without a place)", line: 0 },
        // SAFETY(F1): not null, and the rest is the caller's promise.
        false => Line { file: unsafe { CStr::from_ptr(file) }, line },
    }
}

/// Makes a handle of an object. As `HAFT_NEW`, which also records the place.
///
/// *transfers* `object` to haft, which destroys it when the handle is removed and nobody holds it; any pointer is allowed, also null. *keeps*
/// `type` until the last object of the kind is destroyed: make it `static const`. On failure the object is still the caller's. Any thread. Takes a lock
/// where the thread meets the kind for the first time.
///
/// Returns `HAFT_OK`, `HAFT_NULL_ARGUMENT` or `HAFT_FULL`.
///
/// # Safety
///
/// `type` is null or a valid descriptor that stays so long; `out` is null or can be written; `object` may be used and destroyed on any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn haft_new(
    r#type: *const haft_type,
    object: *mut c_void,
    out: *mut haft_handle,
) -> haft_status {
    // SAFETY(F1): the caller's promise.
    unsafe { haft_new_named(r#type, object, out, ptr::null()) }
}

/// Makes all handles of a kind narrow: below 2 to the power of `bits`, which is from 47 to 63. With 53 bits a handle is exact in a JavaScript number, a double or
/// SQL's `REAL`; with 47 it fits a tagged pointer and LuaJIT's light userdata. Without this call it is 63.
///
/// *borrows* `type`. Call it before any other function is given the kind. (Again, with the same width, it does nothing.) A slot serves fewer handles then, 16,383 with 47 bits, and
/// is not used any more after that, so that none is issued twice. Any thread. Takes a lock.
///
/// Returns `HAFT_OK`; `HAFT_WRONG_WIDTH` for another number of bits, or where the kind was used before, with another width; `HAFT_NULL_ARGUMENT`.
///
/// # Safety
///
/// `type` is null or a valid descriptor.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn haft_narrow(r#type: *const haft_type, bits: u32) -> haft_status {
    // SAFETY(F1): the caller's promise.
    quick(|| unsafe { kind::narrow(r#type, bits) })
}

/// As `haft_new`, with the place for errors and reports; `HAFT_NEW` fills it in.
///
/// *keeps* `file` for ever: a literal, as `__FILE__` is. (It is copied when it is first seen, and known by its address from then on. Null says nothing.) Any
/// thread.
///
/// # Safety
///
/// As for `haft_new`; `file` is null or a C string that stays for ever.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn haft_new_at(
    r#type: *const haft_type,
    object: *mut c_void,
    out: *mut haft_handle,
    file: *const c_char,
    line_number: u32,
) -> haft_status {
    // SAFETY(F1): the caller's promise.
    unsafe { create(r#type, object, out, line(file, line_number)) }
}

/// As `haft_new`, in the name of a place in words: of a script's line, say, on behalf of which a binding creates the handle. Errors and reports
/// show the text.
///
/// *borrows* `place`: its first 256 bytes are copied when it is first seen, and stay for ever. Null says nothing. haft remembers some 65,000 places in all;
/// those that find no room go without one. Any thread.
///
/// # Safety
///
/// As for `haft_new`; `place` is null or a C string.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn haft_new_named(
    r#type: *const haft_type,
    object: *mut c_void,
    out: *mut haft_handle,
    place: *const c_char,
) -> haft_status {
    let named = (!place.is_null()).then(|| {
        // SAFETY(F1): not null, and the rest is the caller's promise.
        Site::named(&unsafe { CStr::from_ptr(place) }.to_string_lossy())
    });
    let number = named.flatten().map_or_else(|| Nowhere.number(), Site::number);
    // SAFETY(F1): the caller's promise.
    unsafe { create(r#type, object, out, Numbered(number)) }
}

/// # Safety
///
/// As for [`haft_new`].
#[inline(always)]
unsafe fn create(
    descriptor: *const haft_type,
    object: *mut c_void,
    out: *mut haft_handle,
    created: impl Spot,
) -> haft_status {
    quick(|| {
        let out = present(out, "out")?;
        // SAFETY(F1): the caller's promise.
        let kind = unsafe { kind::of_now(descriptor)? };
        match kind.objects.insert(kind.object(object), created, ask_environment) {
            Ok(handle) => {
                // SAFETY(F1): not null, and the caller's promise.
                unsafe { out.write(handle.get()) };
                Ok(())
            }
            Err((object, why)) => {
                object.into_pointer();
                Err(full(why))
            }
        }
    })
}

#[cold]
fn full(why: Exhausted) -> Fault {
    Fault::new(
        ffi::HAFT_FULL,
        match why {
            Exhausted::Memory => "no memory for another handle; the object is still the caller's",
            Exhausted::Space | Exhausted::Limit => {
                "no room for another handle: the handle space of this process is exhausted; the object is still the caller's"
            }
        },
    )
}

/// Looks a handle up and holds its object.
///
/// *borrows* `type`. The object stays until `haft_release`, also when the handle is removed meanwhile. Any thread; the reference
/// then belongs to this thread, unless it is shared (`haft_share`). Blocks only where the thread meets the kind for the first time; after the thread's first lookup
/// of the handle it writes nothing that threads share. (A thread that holds six references has the seventh as a shared one, which costs more.)
///
/// Returns `HAFT_OK`, or says what the handle is: `HAFT_NULL_HANDLE`, `HAFT_MALFORMED`, `HAFT_UNISSUED`, `HAFT_STALE`,
/// `HAFT_WRONG_TYPE` (another descriptor, or a value of Rust's), `HAFT_TOO_MANY_HOLDS`; or `HAFT_NULL_ARGUMENT`; or `HAFT_FULL`, where there is no room for one more
/// shared reference.
///
/// # Safety
///
/// `type` is null or a valid descriptor; `out` is null or can be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn haft_get(
    r#type: *const haft_type,
    handle: haft_handle,
    out: *mut haft_ref,
) -> haft_status {
    quick(|| {
        let out = present(out, "out")?;
        // SAFETY(F1): the caller's promise.
        let kind = unsafe { kind::of(r#type)? };
        let Some(held) = kind.objects.get(handle) else {
            // SAFETY(F1): as above.
            return Err(unsafe { explain(r#type, handle) });
        };
        // SAFETY(F1): not null, and the caller's promise.
        unsafe { desk::keep(held, out) }
    })
}

/// As `haft_get`, and the reference is shared from the beginning: any thread may release it, and it may be held for long.
///
/// *borrows* `type`. For what goes to other threads: futures, pools, the objects of interpreters. It costs more than `haft_get`, and is listed among the live handles, as a `haft_ref`,
/// until it is released. Any thread.
///
/// Returns as `haft_get`.
///
/// # Safety
///
/// As for `haft_get`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn haft_get_shared(
    r#type: *const haft_type,
    handle: haft_handle,
    out: *mut haft_ref,
) -> haft_status {
    ffi::call(|| {
        let out = present(out, "out")?;
        // SAFETY(F1): the caller's promise.
        let kind = unsafe { kind::of(r#type)? };
        let Some(held) = kind.objects.get(handle) else {
            // SAFETY(F1): as above.
            return Err(unsafe { explain(r#type, handle) });
        };
        let object = held.pointer;
        let shared = desk::share(held.into_kept(), object, handle)?;
        // SAFETY(F1): not null, and the caller's promise.
        unsafe { out.write(shared) };
        Ok(())
    })
}

/// Why a handle is not a live one of this kind.
///
/// # Safety
///
/// The descriptor is a valid one.
#[cold]
#[inline(never)]
unsafe fn explain(descriptor: *const haft_type, handle: u64) -> Fault {
    // SAFETY(F1): the caller's promise.
    let kind = match unsafe { kind::of_now(descriptor) } {
        Ok(kind) => kind,
        Err(fault) => return fault,
    };
    let mut finding = kind.objects.explain(handle);
    // One set for each kind.
    if finding.cause == Cause::WrongRegistry {
        finding.cause = Cause::WrongType;
    }
    Error::new(handle, Some(kind.name), finding).into()
}

/// Gives a reference back; where it was the last one of a removed handle, the object is destroyed now, by this thread.
///
/// *borrows* `ref` and clears it, on success. Only on the thread that got it; on any thread for one that is shared, or whose thread has ended. Never blocks, but for what `destroy` does,
/// and where its thread has ended.
///
/// Returns `HAFT_OK`; `HAFT_NOT_HELD` where it was released already (it, or a copy of it) or was never got; `HAFT_WRONG_THREAD`
/// where it was got on another thread, and is held there or was released already; `HAFT_NULL_ARGUMENT`.
///
/// # Safety
///
/// `ref` is null or points to an initialised `haft_ref`, which nobody else uses during the call.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn haft_release(r#ref: *mut haft_ref) -> haft_status {
    quick(|| {
        // SAFETY(F1): not null, and the rest is the caller's promise.
        let reference = unsafe { present(r#ref, "ref")?.as_mut() };
        let taken = desk::take(reference)?;
        *reference = haft_ref::NOT_HELD;
        match taken.let_go() {
            None => Ok(()),
            Some(owed) => end(owed),
        }
    })
}

/// Gives back a hold that was counted: it may be the last one, and destroy the object.
#[cold]
#[inline(never)]
fn end(owed: Owed) -> Result<(), Fault> {
    ffi::caught(|| drop(owed))
}

/// Makes a reference that any thread may release, and that may be held for long. A reference that is shared stays as it is.
///
/// *borrows* `ref`, and changes it. Only on the thread that got it. A shared reference is listed among the live handles, as a `haft_ref`, until it is released.
///
/// Returns as `haft_release`; also `HAFT_TOO_MANY_HOLDS` or `HAFT_FULL`, and the reference is released then.
///
/// # Safety
///
/// As for `haft_release`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn haft_share(r#ref: *mut haft_ref) -> haft_status {
    ffi::call(|| {
        // SAFETY(F1): not null, and the rest is the caller's promise.
        let reference = unsafe { present(r#ref, "ref")?.as_mut() };
        if reference.is_shared() {
            return desk::is_held(reference);
        }
        let haft_ref { object, handle, .. } = *reference;
        let Taken::Here(kept) = desk::take(reference)? else {
            return Ok(());
        };
        *reference = haft_ref::NOT_HELD;
        *reference = desk::share(kept, object, handle)?;
        Ok(())
    })
}

/// Removes a handle of any kind, C's or Rust's: of racing calls exactly one succeeds. As `HAFT_REMOVE`, which also records the place.
///
/// The object is destroyed before this returns where nobody holds it, else by its last holder. Zero is accepted and does nothing, as
/// `free(NULL)` does. Any thread. Never blocks, but for what `destroy` does.
///
/// Returns `HAFT_OK`, `HAFT_MALFORMED`, `HAFT_UNISSUED` or `HAFT_STALE`; `HAFT_PANIC` where it was a value of Rust's whose drop panicked (it is removed).
#[unsafe(no_mangle)]
pub extern "C" fn haft_remove(handle: haft_handle) -> haft_status {
    remove(handle, Nowhere)
}

/// As `haft_remove`, with the place for errors; `HAFT_REMOVE` fills it in. *keeps* `file` for ever, as `haft_new_at`.
///
/// # Safety
///
/// `file` is null or a C string that stays for ever.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn haft_remove_at(
    handle: haft_handle,
    file: *const c_char,
    line_number: u32,
) -> haft_status {
    // SAFETY(F1): the caller's promise.
    remove(handle, unsafe { line(file, line_number) })
}

#[inline(always)]
fn remove(handle: u64, removed: impl Spot) -> haft_status {
    // Mostly it is one of C's own objects, whose end cannot panic.
    if operation::remove_quickly::<Object>(handle, removed) {
        return ffi::HAFT_OK;
    }
    remove_slowly(handle, removed)
}

#[cold]
#[inline(never)]
fn remove_slowly(handle: u64, removed: impl Spot) -> haft_status {
    ffi::call(|| match AnyHandle::from_bits(handle) {
        None => Ok(()),
        Some(handle) => Ok(handle.remove_at(removed).map(drop)?),
    })
}

/// Removes a handle of any kind, and returns when its object has been destroyed, by whoever was the last holder. As `HAFT_REMOVE_AND_WAIT`,
/// which also records the place.
///
/// For what must not go on behind one's back: when it has returned, no thread is in the middle of a callback that holds the object, and none
/// will be. Zero is accepted and does nothing. Any thread. Blocks until the references of other threads are released. So it must not be
/// called with a lock that a holder needs. References of this thread must be released before. For one that is not shared,
/// `HAFT_HELD_HERE` says so, mostly; for one that is shared, it would wait without end.
///
/// Returns as `haft_remove`, or `HAFT_HELD_HERE`: nothing is removed then.
#[unsafe(no_mangle)]
pub extern "C" fn haft_remove_and_wait(handle: haft_handle) -> haft_status {
    remove_and_wait(handle, Nowhere)
}

/// As `haft_remove_and_wait`, with the place for errors; `HAFT_REMOVE_AND_WAIT` fills it in. *keeps* `file` for ever, as `haft_new_at`.
///
/// # Safety
///
/// `file` is null or a C string that stays for ever.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn haft_remove_and_wait_at(
    handle: haft_handle,
    file: *const c_char,
    line_number: u32,
) -> haft_status {
    // SAFETY(F1): the caller's promise.
    remove_and_wait(handle, unsafe { line(file, line_number) })
}

fn remove_and_wait(handle: u64, removed: impl Spot) -> haft_status {
    ffi::call(|| match AnyHandle::from_bits(handle) {
        None => Ok(()),
        Some(handle) => Ok(handle.remove_and_wait_at(removed)?),
    })
}

/// Removes a handle and gives the object back: it is the caller's then, and not destroyed. As `HAFT_TAKE`, which also records the place.
///
/// *transfers* the object to the caller. *borrows* `type`. Any thread. Blocks only where the thread meets the kind for the first time.
///
/// Returns `HAFT_OK`; `HAFT_IN_USE` where somebody holds the object: the handle is removed, nothing is written, and the last holder
/// destroys the object; else as `haft_get`, and nothing is removed.
///
/// # Safety
///
/// `type` is null or a valid descriptor; `out` is null or can be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn haft_take(
    r#type: *const haft_type,
    handle: haft_handle,
    out: *mut *mut c_void,
) -> haft_status {
    // SAFETY(F1): the caller's promise.
    unsafe { take(r#type, handle, out, Nowhere) }
}

/// As `haft_take`, with the place for errors; `HAFT_TAKE` fills it in. *keeps* `file` for ever, as `haft_new_at`.
///
/// # Safety
///
/// As for `haft_take`; `file` is null or a C string that stays for ever.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn haft_take_at(
    r#type: *const haft_type,
    handle: haft_handle,
    out: *mut *mut c_void,
    file: *const c_char,
    line_number: u32,
) -> haft_status {
    // SAFETY(F1): the caller's promise.
    unsafe { take(r#type, handle, out, line(file, line_number)) }
}

/// # Safety
///
/// As for [`haft_take`].
#[inline(always)]
unsafe fn take(
    descriptor: *const haft_type,
    handle: u64,
    out: *mut *mut c_void,
    removed: impl Spot,
) -> haft_status {
    quick(|| {
        let out = present(out, "out")?;
        // SAFETY(F1): the caller's promise.
        let kind = unsafe { kind::of(descriptor)? };
        match kind.objects.take(handle, removed) {
            // SAFETY(F1): as above.
            None => Err(unsafe { explain(descriptor, handle) }),
            Some(None) => Err(Fault::new(
                ffi::HAFT_IN_USE,
                "removed, but somebody holds the object, and will destroy it. Release all references before `haft_take`.",
            )),
            Some(Some(object)) => {
                // SAFETY(F1): not null, and the caller's promise.
                unsafe { out.write(object.into_pointer()) };
                Ok(())
            }
        }
    })
}

/// Whether a handle is live now, of whatever kind: 1 or 0. The next moment it may not be; to use the object, get it. Any thread.
#[unsafe(no_mangle)]
pub extern "C" fn haft_is_live(handle: haft_handle) -> c_int {
    let mut live = false;
    ffi::call(|| {
        live = AnyHandle::from_bits(handle).is_some_and(AnyHandle::is_live);
        Ok(())
    });
    c_int::from(live)
}

/// The name of the kind of a live handle, C's or Rust's, written to `buffer` as by `snprintf`: cut off to fit `size` bytes, never within a character, and ended by a
/// zero; nothing is written where `size` is 0.
///
/// *borrows* `buffer` and `length`. `length` gets the length of the whole name, without the zero; it may be null, and so may `buffer`. Any thread.
///
/// Returns `HAFT_OK`, `HAFT_NULL_HANDLE`, `HAFT_MALFORMED`, `HAFT_UNISSUED` or `HAFT_STALE`.
///
/// # Safety
///
/// Where they are not null, `size` bytes from `buffer` and `length` can be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn haft_type_name(
    handle: haft_handle,
    buffer: *mut c_char,
    size: usize,
    length: *mut usize,
) -> haft_status {
    ffi::call(|| {
        let name = AnyHandle::try_from(handle)?.type_name()?;
        // SAFETY(F1): the caller's promise.
        let whole = unsafe { ffi::write_text(buffer, size, name) };
        if not_null(length, "length").is_ok() {
            // SAFETY(F1): not null, and the caller's promise.
            unsafe { length.write(whole) };
        }
        Ok(())
    })
}
