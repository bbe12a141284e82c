//! C's hook for misuse.

use super::ffi;
use super::handles::{haft_handle, haft_status};
use crate::error::Error;
use crate::misuse::on_misuse;
use crate::sync::{AtomicPtr, Ordering};
use std::ffi::{CString, c_char, c_void};
use std::ptr;

/// Is told of a misuse of a handle: the handle, what the call will return, and the sentence, which is *borrowed* for the call. It may call
/// haft.
#[expect(non_camel_case_types, reason = "it is C's name")]
pub type haft_misuse_hook = Option<
    unsafe extern "C" fn(context: *mut c_void, handle: haft_handle, status: haft_status, text: *const c_char),
>;

/// What C wants called. Kept for ever: another thread may be calling it when it is replaced.
struct Hook {
    function: unsafe extern "C" fn(*mut c_void, haft_handle, haft_status, *const c_char),
    context: *mut c_void,
}

static HOOK: AtomicPtr<Hook> = AtomicPtr::new(ptr::null_mut());

/// Sets the function that is told of every misuse of a handle in the process, C's and Rust's, before the call that met it returns; NULL ends it. There is
/// one: it replaces the one before, also Rust's.
///
/// *keeps* `hook` and `context` for ever, since a thread may still be in a hook that was replaced. It is called on the thread that made the mistake, with nothing locked,
/// and at most 16 times in a second for each status. What it does wrong itself is not told again. It must return, or end the process.
///
/// Each call keeps a few bytes for ever. Any thread.
///
/// # Safety
///
/// `hook` may be called with `context` on any thread from now on.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn haft_on_misuse(hook: haft_misuse_hook, context: *mut c_void) {
    let Some(function) = hook else {
        on_misuse(|_| ());
        return;
    };
    // Release: it is complete before anybody finds it.
    HOOK.store(Box::into_raw(Box::new(Hook { function, context })), Ordering::Release);
    on_misuse(tell);
}

fn tell(error: &Error) {
    // Acquire: pairs with the store above.
    // SAFETY(F5): null, or a hook that is never freed.
    let Some(hook) = (unsafe { HOOK.load(Ordering::Acquire).as_ref() }) else {
        return;
    };
    // A zero in the text would be a type's name that has one.
    let text = CString::new(error.to_string().replace('\0', "")).unwrap_or_default();
    // SAFETY(F5): whoever set it promised that it may be called.
    unsafe { (hook.function)(hook.context, error.bits(), ffi::code_of(error.kind()), text.as_ptr()) };
}
