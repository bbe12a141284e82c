//! For authors of C APIs in Rust: what every function that C calls has to do around what it does.
//!
//! A function of such an API catches panics, checks pointers, turns errors into a code, and keeps the text for whoever asks. With
//! [`call`], the function's body is ordinary Rust with `?`:
//!
//! ```
//! use haft::{Handle, ffi};
//! use std::sync::atomic::{AtomicI64, Ordering};
//!
//! pub struct Counter(AtomicI64);
//!
//! /// # Safety
//! ///
//! /// `out` may be null; otherwise a handle can be written there.
//! #[unsafe(no_mangle)]
//! pub unsafe extern "C" fn counter_new(start: i64, out: *mut u64) -> i32 {
//!     ffi::call(|| {
//!         ffi::not_null(out, "out")?;                       // before anything is made
//!         let handle = Handle::new(Counter(AtomicI64::new(start)));
//!         // SAFETY: the caller's promise.
//!         unsafe { ffi::write(out, "out", handle.to_bits()) }
//!     })
//! }
//!
//! #[unsafe(no_mangle)]
//! pub extern "C" fn counter_add(counter: u64, amount: i64) -> i32 {
//!     ffi::call(|| {
//!         let counter = Handle::<Counter>::try_from(counter)?.get()?;
//!         counter.0.fetch_add(amount, Ordering::Relaxed);
//!         Ok(())
//!     })
//! }
//!
//! #[unsafe(no_mangle)]
//! pub extern "C" fn counter_destroy(counter: u64) -> i32 {
//!     ffi::destroy(counter)
//! }
//!
//! #[unsafe(no_mangle)]
//! pub extern "C" fn counter_last_error() -> *const std::ffi::c_char {
//!     ffi::last_error()
//! }
//!
//! let mut counter = 0;
//! // SAFETY: a pointer to an integer of our own.
//! assert_eq!(unsafe { counter_new(5, &raw mut counter) }, ffi::HAFT_OK);
//! assert_eq!(counter_add(counter, 1), ffi::HAFT_OK);
//! assert_eq!(counter_destroy(counter), ffi::HAFT_OK);
//! assert_eq!(counter_add(counter, 1), ffi::HAFT_STALE);
//! ```
//!
//! The codes are the ones of haft's own C API; numbers from [`HAFT_OWN`] on are for your own errors ([`Fault::new`]).

pub use super::pointers::{text, write, write_text};
pub use super::status::*;

use crate::any::AnyHandle;
use crate::error::{Error, ErrorKind, Full};
use crate::sync::thread_local;
use std::any::Any;
use std::borrow::Cow;
use std::cell::RefCell;
use std::ffi::{CString, c_char};
use std::fmt::{self, Write};
use std::marker::PhantomData;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Why a call from C failed: a code. The sentence is kept for [`last_error`] from the moment when the fault is made.
///
/// Made from an [`Error`] or [`Full`] by `?`, or by [`Fault::new`]. It belongs to the thread that made it, as the sentence does.
#[derive(Debug)]
#[must_use = "C must be told"]
pub struct Fault {
    code: i32,
    _here: PhantomData<*const ()>,
}

/// What is kept. Nothing is formatted, and mostly nothing allocated, until somebody asks.
#[derive(Debug)]
enum Story {
    Handle(Error),
    Full,
    Null(&'static str),
    NotText(&'static str),
    Panic(Cow<'static, str>),
    Own(Cow<'static, str>),
}

impl Fault {
    /// An error of your own. Codes from [`HAFT_OWN`] on are free; a smaller one says what haft says by it.
    ///
    /// ```
    /// # use haft::ffi::{self, Fault};
    /// const QUEUE_CLOSED: i32 = ffi::HAFT_OWN;
    /// let status = ffi::call(|| Err(Fault::new(QUEUE_CLOSED, "the queue is closed")));
    /// assert_eq!(status, QUEUE_CLOSED);
    /// ```
    pub fn new(code: i32, text: impl Into<Cow<'static, str>>) -> Self {
        Self::told(code, Story::Own(text.into()))
    }

    pub(super) fn null(argument: &'static str) -> Self {
        Self::told(HAFT_NULL_ARGUMENT, Story::Null(argument))
    }

    pub(super) fn not_text(argument: &'static str) -> Self {
        Self::told(HAFT_NOT_TEXT, Story::NotText(argument))
    }

    fn panic(payload: &(dyn Any + Send)) -> Self {
        let text = match (payload.downcast_ref::<&'static str>(), payload.downcast_ref::<String>()) {
            (Some(text), _) => Cow::Borrowed(*text),
            (_, Some(text)) => Cow::Owned(text.clone()),
            _ => Cow::Borrowed("something that is not text"),
        };
        Self::told(HAFT_PANIC, Story::Panic(text))
    }

    #[cold]
    #[inline(never)]
    fn told(code: i32, story: Story) -> Self {
        // Where the thread's local storage is gone, the code alone must do.
        let _ = LAST.try_with(|last| last.borrow_mut().story = Some(story));
        Self { code, _here: PhantomData }
    }

    /// The code for C.
    #[must_use]
    pub const fn code(&self) -> i32 {
        self.code
    }
}

impl fmt::Display for Story {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Handle(error) => error.fmt(f),
            Self::Full => Full(()).fmt(f),
            Self::Null(argument) => {
                write!(f, "the argument `{argument}` is a null pointer. Pass the address of something.")
            }
            Self::NotText(argument) => {
                write!(f, "the argument `{argument}` is not UTF-8. Pass text in UTF-8.")
            }
            Self::Panic(text) => write!(f, "panicked: {text}"),
            Self::Own(text) => f.write_str(text),
        }
    }
}

impl From<Error> for Fault {
    #[cold]
    fn from(error: Error) -> Self {
        Self::told(code_of(error.kind()), Story::Handle(error))
    }
}

/// The code of a kind of error.
pub(super) const fn code_of(kind: ErrorKind) -> i32 {
    match kind {
        ErrorKind::Null => HAFT_NULL_HANDLE,
        ErrorKind::Malformed => HAFT_MALFORMED,
        ErrorKind::Unissued => HAFT_UNISSUED,
        ErrorKind::Stale => HAFT_STALE,
        ErrorKind::WrongType => HAFT_WRONG_TYPE,
        ErrorKind::WrongRegistry => HAFT_WRONG_REGISTRY,
        ErrorKind::TooManyHolds => HAFT_TOO_MANY_HOLDS,
        ErrorKind::HeldHere => HAFT_HELD_HERE,
    }
}

impl<T> From<Full<T>> for Fault {
    /// The value is dropped.
    fn from(_: Full<T>) -> Self {
        Self::told(HAFT_FULL, Story::Full)
    }
}

/// Runs the body of a function that C calls: 0 where it succeeds, else the fault's code, and [`last_error`] tells why. A
/// panic becomes [`HAFT_PANIC`] and goes no further (under `panic = "abort"` it aborts, of course).
///
/// Costs nothing where nothing fails.
///
/// ```
/// # use haft::ffi;
/// assert_eq!(ffi::call(|| Ok(())), 0);
/// assert_eq!(ffi::call(|| panic!("out of cheese")), ffi::HAFT_PANIC);
/// # unsafe {
/// assert_eq!(std::ffi::CStr::from_ptr(ffi::last_error()), c"panicked: out of cheese");
/// # }
/// ```
#[inline(always)]
pub fn call(body: impl FnOnce() -> Result<(), Fault>) -> i32 {
    match catch_unwind(AssertUnwindSafe(body)) {
        Ok(Ok(())) => HAFT_OK,
        Ok(Err(fault)) => fault.code,
        Err(payload) => panicked(payload),
    }
}

/// As [`call`], for a function that gives its result in another way than by its status.
///
/// # Errors
///
/// The fault's code, or [`HAFT_PANIC`]; [`last_error`] tells why.
///
/// ```
/// # use haft::ffi::{self, Fault};
/// assert_eq!(ffi::try_call(|| Ok(7)), Ok(7));
/// assert_eq!(ffi::try_call(|| Err::<i32, _>(Fault::new(ffi::HAFT_OWN, "closed"))), Err(ffi::HAFT_OWN));
/// ```
#[inline(always)]
pub fn try_call<R>(body: impl FnOnce() -> Result<R, Fault>) -> Result<R, i32> {
    match catch_unwind(AssertUnwindSafe(body)) {
        Ok(Ok(result)) => Ok(result),
        Ok(Err(fault)) => Err(fault.code),
        Err(payload) => Err(panicked(payload)),
    }
}

/// As [`call`], for a function that returns its result, and one value of it where it fails: null, zero, minus one.
///
/// ```
/// # use haft::{Handle, ffi};
/// extern "C" fn buffer_length(buffer: u64) -> i64 {
///     ffi::call_or(-1, || Ok(Handle::<Vec<u8>>::try_from(buffer)?.get()?.len() as i64))
/// }
/// assert_eq!(buffer_length(0), -1);
/// ```
#[inline(always)]
pub fn call_or<R>(value_on_error: R, body: impl FnOnce() -> Result<R, Fault>) -> R {
    try_call(body).unwrap_or(value_on_error)
}

/// Runs what may panic.
#[cfg(feature = "capi")]
pub(super) fn caught(work: impl FnOnce()) -> Result<(), Fault> {
    catch_unwind(AssertUnwindSafe(work)).map_err(panic_fault)
}

#[cold]
#[inline(never)]
fn panicked(payload: Box<dyn Any + Send>) -> i32 {
    panic_fault(payload).code
}

fn panic_fault(payload: Box<dyn Any + Send>) -> Fault {
    let fault = Fault::panic(&*payload);
    // Its drop may panic, too.
    crate::raw::unwind::discard(payload);
    fault
}

/// Removes a handle of whatever type: the body of a C API's one `destroy` function. Zero is accepted and does nothing, as by
/// `free(NULL)`.
///
/// Costs as [`AnyHandle::remove`]; lock-free.
#[track_caller]
pub fn destroy(handle: u64) -> i32 {
    let site = std::panic::Location::caller();
    call(|| match AnyHandle::from_bits(handle) {
        None => Ok(()),
        Some(handle) => Ok(handle.remove_at(site).map(drop)?),
    })
}

/// Fails where a pointer is null, before anything is done that a later failure would have to undo.
///
/// # Errors
///
/// A null pointer, with the `name` of the argument.
#[inline]
pub fn not_null<T>(pointer: *const T, name: &'static str) -> Result<(), Fault> {
    if pointer.is_null() { Err(Fault::null(name)) } else { Ok(()) }
}

#[derive(Default)]
struct Last {
    story: Option<Story>,
    text: CString,
}

thread_local! {
    static LAST: RefCell<Last> = RefCell::default();
}

/// The sentence of this thread's last [`Fault`], as a C string; empty where there was none.
///
/// A success does not change it. The text stays until this thread asks again, or ends. (Where the thread's local storage is destroyed
/// already, there is no place to keep a fault, and the text says so.)
#[must_use]
pub fn last_error() -> *const c_char {
    let ask = |last: &RefCell<Last>| {
        let mut last = last.borrow_mut();
        let mut text = String::new();
        if let Some(story) = &last.story {
            let _ = write!(text, "{story}");
        }
        text.retain(|character| character != '\0');
        last.text = CString::new(text).unwrap_or_default();
        last.text.as_ptr()
    };
    LAST.try_with(ask).unwrap_or(c"(this thread is ending, so only the status is known)".as_ptr())
}
