//! What is alive, and what went wrong, for C.

use super::ffi::{self, Fault};
use super::handles::haft_status;
use crate::{misuse, report, stats};
use std::ffi::{c_char, c_int, c_void};

/// The version of the header, to compare with what `haft_version` says of the library.
pub const HAFT_VERSION_MAJOR: u32 = 0;
/// See `HAFT_VERSION_MAJOR`.
pub const HAFT_VERSION_MINOR: u32 = 1;
/// See `HAFT_VERSION_MAJOR`.
pub const HAFT_VERSION_PATCH: u32 = 0;

const _: () = assert!(
    HAFT_VERSION_MAJOR == number(env!("CARGO_PKG_VERSION_MAJOR"))
        && HAFT_VERSION_MINOR == number(env!("CARGO_PKG_VERSION_MINOR"))
        && HAFT_VERSION_PATCH == number(env!("CARGO_PKG_VERSION_PATCH"))
);

// (Compilers before 1.89 count a function that only `_` uses as dead.)
#[allow(dead_code, reason = "the assertion above uses it")]
const fn number(text: &str) -> u32 {
    match u32::from_str_radix(text, 10) {
        Ok(number) => number,
        Err(_) => panic!("cargo gives numbers"),
    }
}

/// The version of the library, as "major.minor.patch". It stays for ever. Any thread.
#[unsafe(no_mangle)]
pub extern "C" fn haft_version() -> *const c_char {
    const VERSION: &str = concat!(env!("CARGO_PKG_VERSION"), "\0");
    VERSION.as_ptr().cast()
}

/// What a status means, in a few words. It stays for ever. Any thread.
#[unsafe(no_mangle)]
pub extern "C" fn haft_status_text(status: haft_status) -> *const c_char {
    ffi::code_text(status).as_ptr()
}

/// The sentence of this thread's last call of haft that failed: which handle, what it is, the kinds, the places that created and removed it, what to do. Empty
/// where none has failed; a success does not change it.
///
/// The text stays until this thread calls `haft_last_error` again, or ends: copy it to have it for longer. It is made when it is asked for. Any thread.
#[unsafe(no_mangle)]
pub extern "C" fn haft_last_error() -> *const c_char {
    ffi::last_error()
}

/// Counters of the process, of C's handles and Rust's; each is exact where no thread makes or removes handles meanwhile.
///
/// `haft_stats` writes the whole of it, so it only grows with a version whose shared library has another name: MAJOR or, as long as that is 0, MINOR.
/// New members come last.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct haft_counters {
    /// Handles created.
    pub created: u64,
    /// Handles removed.
    pub removed: u64,
    /// Live handles.
    pub live: u64,
    /// Objects whose handle is removed and which are still held.
    pub deferred: u64,
    /// Pages of slots.
    pub pages: u64,
    /// Bytes of these pages.
    pub bytes: u64,
    /// Slots that are never used again, because each of their generations was issued.
    pub retired: u64,
    /// Slots that were freed by another thread than the one that made the handle, which has not taken them back yet. Memory, but no leak.
    pub returned: u64,
    /// Misuses of handles, of all kinds; `haft_errors` has them one by one.
    pub errors: u64,
}

/// Live handles in the process, of all kinds, C's and Rust's. Walks over all pages; blocks nobody. Any thread.
#[unsafe(no_mangle)]
pub extern "C" fn haft_live() -> u64 {
    let mut live = 0;
    ffi::call(|| {
        live = stats::stats().live as u64;
        Ok(())
    });
    live
}

/// How many misuses of handles ended in this status since the process began, C's and Rust's; 0 for a status that says nothing about a handle. A call that only asks
/// (`haft_is_live`) makes none. Never blocks. Any thread.
#[unsafe(no_mangle)]
pub extern "C" fn haft_errors(status: haft_status) -> u64 {
    misuse::counts().iter().filter(|(kind, _)| ffi::code_of(*kind) == status).map(|(_, errors)| errors).sum()
}

/// All counters. *borrows* `out`. Walks over all pages; blocks nobody. Any thread.
///
/// Returns `HAFT_OK` or `HAFT_NULL_ARGUMENT`.
///
/// # Safety
///
/// `out` is null or can be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn haft_stats(out: *mut haft_counters) -> haft_status {
    ffi::call(|| {
        ffi::not_null(out, "out")?;
        let stats = stats::stats();
        let counters = haft_counters {
            created: stats.created,
            removed: stats.removed,
            live: stats.live as u64,
            deferred: stats.deferred as u64,
            pages: stats.pages as u64,
            bytes: stats.bytes as u64,
            retired: stats.retired as u64,
            returned: stats.returned as u64,
            errors: stats.errors.total(),
        };
        // SAFETY(F1): the caller's promise.
        unsafe { ffi::write(out, "out", counters) }
    })
}

/// Takes a piece of a report: `length` bytes of UTF-8, not ended by a zero, *borrowed* for the call. Returns 0 to go on, anything else to stop. It may call
/// haft, and must return.
#[expect(non_camel_case_types, reason = "it is C's name")]
pub type haft_writer =
    Option<unsafe extern "C" fn(context: *mut c_void, text: *const c_char, length: usize) -> c_int>;

/// Writes the leak report, a table of what is live by kind and by the place that created it, line by line to `writer`.
///
/// *borrows* `context`, which is passed on. Allocates; blocks nobody. Any thread.
///
/// Returns `HAFT_OK`; `HAFT_NOT_WRITTEN` where the writer stopped; `HAFT_NULL_ARGUMENT` where there is none.
///
/// # Safety
///
/// `writer` may be called with `context`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn haft_report(writer: haft_writer, context: *mut c_void) -> haft_status {
    ffi::call(|| {
        let writer = writer.ok_or_else(|| Fault::null("writer"))?;
        // SAFETY(F1): the caller's promise.
        write_report(|text| unsafe { writer(context, text.as_ptr().cast(), text.len()) == 0 })
    })
}

/// Writes the leak report as one line of JSON to `writer`, in one piece, and else as `haft_report`: an object with `live`, `deferred`, `bytes` and `groups`, whose members are named
/// in the documentation of Rust's `LeakReport::to_json`.
///
/// # Safety
///
/// As for `haft_report`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn haft_report_json(writer: haft_writer, context: *mut c_void) -> haft_status {
    ffi::call(|| {
        let writer = writer.ok_or_else(|| Fault::null("writer"))?;
        let json = report::leaks().to_json() + "\n";
        // SAFETY(F1): the caller's promise.
        written(unsafe { writer(context, json.as_ptr().cast(), json.len()) } == 0)
    })
}

/// Writes the leak report to standard error when the process ends by `exit` or by returning from `main`; the environment variable `HAFT_REPORT=1` does the same without a
/// call (`json`, or the path of a file, for others), and decides where both are given. Calling it again changes nothing; on systems that are neither Unix nor Windows it does nothing. Any
/// thread.
#[unsafe(no_mangle)]
pub extern "C" fn haft_report_at_exit() {
    ffi::call(|| {
        report::report_at_exit();
        Ok(())
    });
}

fn write_report(mut write: impl FnMut(&str) -> bool) -> Result<(), Fault> {
    let report = report::leaks().to_string();
    written(report.split_inclusive('\n').all(&mut write))
}

fn written(to_its_end: bool) -> Result<(), Fault> {
    match to_its_end {
        true => Ok(()),
        false => Err(Fault::new(ffi::HAFT_NOT_WRITTEN, "the report could not be written to its end")),
    }
}

/// C's `FILE`.
#[repr(C)]
#[derive(Debug)]
pub struct FILE {
    _private: [u8; 0],
}

unsafe extern "C" {
    fn fwrite(text: *const c_void, size: usize, count: usize, file: *mut FILE) -> usize;
}

/// Writes the leak report to a `FILE`, as `haft_report`. *borrows* `file`, which is neither flushed nor closed. Any thread; the stream's lock is taken for each line.
///
/// Returns `HAFT_OK`; `HAFT_NOT_WRITTEN` where the stream fails; `HAFT_NULL_ARGUMENT` where there is none.
///
/// # Safety
///
/// `file` is null or an open stream.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn haft_report_file(file: *mut FILE) -> haft_status {
    ffi::call(|| {
        ffi::not_null(file, "file")?;
        // SAFETY(F1): the caller's promise.
        write_report(|text| unsafe { fwrite(text.as_ptr().cast(), 1, text.len(), file) } == text.len())
    })
}

/// Writes the leak report to a file descriptor, as `haft_report`. *borrows* the descriptor, which is not closed. Any thread. Unix only.
///
/// Returns `HAFT_OK`, or `HAFT_NOT_WRITTEN` where the descriptor cannot be written.
#[cfg(unix)]
#[unsafe(no_mangle)]
pub extern "C" fn haft_report_fd(descriptor: c_int) -> haft_status {
    use std::io::Write;
    use std::os::fd::FromRawFd;
    ffi::call(|| {
        if descriptor < 0 {
            return Err(Fault::new(ffi::HAFT_NOT_WRITTEN, "the file descriptor is negative"));
        }
        // SAFETY(F1): never closed: the file is forgotten at the end.
        let file = std::mem::ManuallyDrop::new(unsafe { std::fs::File::from_raw_fd(descriptor) });
        write_report(|text| (&*file).write_all(text.as_bytes()).is_ok())
    })
}
