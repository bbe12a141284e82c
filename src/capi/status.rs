//! What a call from C can end with, as numbers that never change their meaning.

use std::ffi::CStr;

/// Success.
pub const HAFT_OK: i32 = 0;
/// The handle is zero, which is never one.
pub const HAFT_NULL_HANDLE: i32 = 1;
/// Not of the form of a handle: an address, or damaged.
pub const HAFT_MALFORMED: i32 = 2;
/// No such handle was ever issued by this process (and this copy of haft).
pub const HAFT_UNISSUED: i32 = 3;
/// The handle was issued and is removed.
pub const HAFT_STALE: i32 = 4;
/// The handle is live and of another type.
pub const HAFT_WRONG_TYPE: i32 = 5;
/// The handle is live and belongs to another registry.
pub const HAFT_WRONG_REGISTRY: i32 = 6;
/// The handle is live, and held by as many counted references as there can be.
pub const HAFT_TOO_MANY_HOLDS: i32 = 7;
/// The limit, the handle space or the memory is exhausted.
pub const HAFT_FULL: i32 = 8;
/// A pointer that must not be null is.
pub const HAFT_NULL_ARGUMENT: i32 = 9;
/// The text is not UTF-8.
pub const HAFT_NOT_TEXT: i32 = 10;
/// Rust code panicked; what it did until then is done.
pub const HAFT_PANIC: i32 = 11;
/// The reference was released already, or is none.
pub const HAFT_NOT_HELD: i32 = 12;
/// The reference belongs to another thread.
pub const HAFT_WRONG_THREAD: i32 = 13;
/// The handle is removed, and somebody still holds the object: the last holder destroys it.
pub const HAFT_IN_USE: i32 = 14;
/// The writer asked to stop, or the output could not be written.
pub const HAFT_NOT_WRITTEN: i32 = 15;
/// Handles cannot be of this width, or the kind has handles of another one.
pub const HAFT_WRONG_WIDTH: i32 = 16;
/// The thread that wants to wait until nobody holds the object holds it itself.
pub const HAFT_HELD_HERE: i32 = 17;

/// The first number that haft will never use: from here on they are for the errors of others.
pub const HAFT_OWN: i32 = 1000;

/// What a code means, in a few words; wait-free. A code that haft does not know is said to be so.
///
/// ```
/// assert_eq!(haft::ffi::code_text(haft::ffi::HAFT_STALE), c"the handle was removed");
/// ```
#[must_use]
pub const fn code_text(code: i32) -> &'static CStr {
    match code {
        HAFT_OK => c"success",
        HAFT_NULL_HANDLE => c"the handle is zero",
        HAFT_MALFORMED => c"not of the form of a handle",
        HAFT_UNISSUED => c"the handle was never issued",
        HAFT_STALE => c"the handle was removed",
        HAFT_WRONG_TYPE => c"the handle is of another type",
        HAFT_WRONG_REGISTRY => c"the handle belongs to another registry",
        HAFT_TOO_MANY_HOLDS => c"the handle is held too many times",
        HAFT_FULL => c"no room for another handle",
        HAFT_NULL_ARGUMENT => c"a null pointer where none may be",
        HAFT_NOT_TEXT => c"text that is not UTF-8",
        HAFT_PANIC => c"a panic",
        HAFT_NOT_HELD => c"the reference is not held",
        HAFT_WRONG_THREAD => c"the reference belongs to another thread",
        HAFT_IN_USE => c"removed, but somebody still holds the object",
        HAFT_NOT_WRITTEN => c"the output could not be written",
        HAFT_WRONG_WIDTH => c"a width that the handles cannot have",
        HAFT_HELD_HERE => c"the thread that would wait holds the object itself",
        HAFT_OWN.. => c"an error of the library that returned it",
        _ => c"not a status of haft",
    }
}
