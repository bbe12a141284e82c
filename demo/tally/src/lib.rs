//! A small Rust library with a C API by handle: the pattern to copy.
//!
//! * The core is ordinary Rust: [`Tally`] knows nothing of C.
//! * C gets handles only. Each function is one [`ffi::call`] around ordinary Rust with `?`: any integer is safe, errors become a status and a
//!   sentence, panics go no further.
//! * One `destroy` serves every kind.

use haft::Handle;
use haft::ffi::{self, Fault};
use std::collections::BTreeMap;
use std::ffi::c_char;
use std::sync::Mutex;

/// Counts by name.
#[derive(Debug, Default)]
pub struct Tally {
    counts: Mutex<BTreeMap<String, u64>>,
}

/// Why something could not be counted.
#[derive(Debug, PartialEq, Eq)]
pub enum TallyError {
    /// The count would exceed 64 bits.
    Overflow,
    /// The name was never counted.
    NoSuchName,
}

impl Tally {
    /// Adds to a name's count.
    pub fn add(&self, name: &str, amount: u64) -> Result<(), TallyError> {
        let mut counts = self.counts.lock().unwrap();
        let count = counts.get(name).copied().unwrap_or(0);
        counts.insert(name.to_owned(), count.checked_add(amount).ok_or(TallyError::Overflow)?);
        Ok(())
    }

    /// A name's count.
    pub fn count(&self, name: &str) -> Result<u64, TallyError> {
        self.counts.lock().unwrap().get(name).copied().ok_or(TallyError::NoSuchName)
    }

    /// The names, in order.
    pub fn names(&self) -> Vec<String> {
        self.counts.lock().unwrap().keys().cloned().collect()
    }
}

/// Names that are left to tell.
struct Cursor(Mutex<std::vec::IntoIter<String>>);

/// `TALLY_OVERFLOW` and `TALLY_NO_SUCH_NAME` of the header.
impl From<TallyError> for Fault {
    fn from(error: TallyError) -> Self {
        match error {
            TallyError::Overflow => Self::new(ffi::HAFT_OWN, "the count would exceed 64 bits"),
            TallyError::NoSuchName => Self::new(ffi::HAFT_OWN + 1, "no such name was counted"),
        }
    }
}

/// See the header, as for all of these.
///
/// # Safety
///
/// `out` is null or can be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tally_new(out: *mut u64) -> i32 {
    ffi::call(|| {
        ffi::not_null(out, "out")?;
        let handle = Handle::new(Tally::default());
        // SAFETY: the caller's promise.
        unsafe { ffi::write(out, "out", handle.to_bits()) }
    })
}

/// # Safety
///
/// `name` is null or a C string.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tally_add(tally: u64, name: *const c_char, amount: u64) -> i32 {
    ffi::call(|| {
        let tally = Handle::<Tally>::try_from(tally)?.get()?;
        // SAFETY: the caller's promise.
        let name = unsafe { ffi::text(name, "name")? };
        Ok(tally.add(name, amount)?)
    })
}

/// # Safety
///
/// `name` is null or a C string; `out` is null or can be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tally_count(tally: u64, name: *const c_char, out: *mut u64) -> i32 {
    ffi::call(|| {
        let tally = Handle::<Tally>::try_from(tally)?.get()?;
        // SAFETY: the caller's promise.
        let name = unsafe { ffi::text(name, "name")? };
        // SAFETY: the caller's promise.
        unsafe { ffi::write(out, "out", tally.count(name)?) }
    })
}

/// # Safety
///
/// `out` is null or can be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tally_names(tally: u64, out: *mut u64) -> i32 {
    ffi::call(|| {
        ffi::not_null(out, "out")?;
        let names = Handle::<Tally>::try_from(tally)?.get()?.names();
        let cursor = Handle::new(Cursor(Mutex::new(names.into_iter())));
        // SAFETY: the caller's promise.
        unsafe { ffi::write(out, "out", cursor.to_bits()) }
    })
}

/// # Safety
///
/// `size` bytes from `buffer`, and `has`, can be written, where they are not null.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tally_cursor_next(
    cursor: u64,
    buffer: *mut c_char,
    size: usize,
    has: *mut i32,
) -> i32 {
    ffi::call(|| {
        ffi::not_null(has, "has")?;
        let cursor = Handle::<Cursor>::try_from(cursor)?.get()?;
        let next = cursor.0.lock().unwrap().next();
        // SAFETY: the caller's promise.
        unsafe {
            if let Some(name) = &next {
                ffi::write_text(buffer, size, name);
            }
            ffi::write(has, "has", i32::from(next.is_some()))
        }
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn tally_destroy(handle: u64) -> i32 {
    ffi::destroy(handle)
}

#[unsafe(no_mangle)]
pub extern "C" fn tally_last_error() -> *const c_char {
    ffi::last_error()
}
