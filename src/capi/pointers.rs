//! The few things that are done with a pointer from C.

use super::ffi::Fault;
use std::ffi::{CStr, c_char};
use std::ptr::NonNull;

/// Writes a result where C wants it.
///
/// # Errors
///
/// A null pointer, with the `name` of the argument. Nothing is written then.
///
/// # Safety
///
/// Where it is not null, `out` may be written: it points to memory for a `T`, aligned, that nobody else uses during the call.
///
/// # Examples
///
/// ```
/// # use haft::ffi;
/// let mut answer = 0;
/// // SAFETY: it points to an integer of our own.
/// assert!(unsafe { ffi::write(&raw mut answer, "answer", 42) }.is_ok());
/// assert_eq!(answer, 42);
/// // SAFETY: null is never written.
/// let fault = unsafe { ffi::write(std::ptr::null_mut(), "answer", 42) }.unwrap_err();
/// assert_eq!(fault.code(), ffi::HAFT_NULL_ARGUMENT);
/// ```
#[inline]
pub unsafe fn write<T>(out: *mut T, name: &'static str, value: T) -> Result<(), Fault> {
    // SAFETY(F1): not null, and the rest is the caller's promise.
    unsafe { present(out, name)?.write(value) };
    Ok(())
}

/// A pointer that is not null.
#[inline]
pub(super) fn present<T>(pointer: *mut T, name: &'static str) -> Result<NonNull<T>, Fault> {
    NonNull::new(pointer).ok_or_else(|| Fault::null(name))
}

/// A C string as text, borrowed for as long as the caller says.
///
/// # Errors
///
/// A null pointer, or text that is not UTF-8, with the `name` of the argument.
///
/// # Safety
///
/// Where it is not null, `text` points to a C string that stays and does not change for `'a`.
///
/// # Examples
///
/// ```
/// # use haft::ffi;
/// // SAFETY: a literal stays for ever.
/// let name = unsafe { ffi::text(c"alice".as_ptr(), "name") };
/// assert_eq!(name.unwrap(), "alice");
/// ```
pub unsafe fn text<'a>(text: *const c_char, name: &'static str) -> Result<&'a str, Fault> {
    let text = present(text.cast_mut(), name)?;
    // SAFETY(F1): not null, and the rest is the caller's promise.
    let text = unsafe { CStr::from_ptr(text.as_ptr()) };
    text.to_str().map_err(|_| Fault::not_text(name))
}

/// Writes text into a buffer of C's, as `snprintf` does: cut off to fit, always ended by a zero, and the length of the whole text is returned (without the
/// zero), so that C can tell whether it fitted.
///
/// A null buffer or a size of zero asks for the length alone.
///
/// # Safety
///
/// Where `buffer` is not null, `size` bytes from there may be written.
///
/// # Examples
///
/// ```
/// # use haft::ffi;
/// let mut buffer = [0_u8; 6];
/// // SAFETY: the buffer is as large as we say.
/// let length = unsafe { ffi::write_text(buffer.as_mut_ptr().cast(), buffer.len(), "session") };
/// assert_eq!((length, &buffer), (7, b"sessi\0"));
/// ```
pub unsafe fn write_text(buffer: *mut c_char, size: usize, text: &str) -> usize {
    if let (Some(buffer), Some(room)) = (NonNull::new(buffer), size.checked_sub(1)) {
        // Never half a character.
        let fits = (0..=room.min(text.len())).rev().find(|&end| text.is_char_boundary(end)).unwrap_or(0);
        // SAFETY(F1): `fits` bytes and a zero are no more than `size`; the rest is the caller's promise.
        unsafe {
            buffer.cast::<u8>().copy_from_nonoverlapping(NonNull::from(text.as_bytes()).cast(), fits);
            buffer.cast::<u8>().add(fits).write(0);
        }
    }
    text.len()
}
