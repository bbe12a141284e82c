//! The Rust objects that SQLite calls, and the C callbacks that find them by handle.
//!
//! Each callback does the same: the `void *` back to a handle, the handle to a guard, the guard to the work. Anything that goes wrong becomes
//! SQLite's error; no panic crosses into C.

use crate::sqlite::{Callbacks, Connection, Result};
use haft::{AnyHandle, Handle};
use libsqlite3_sys as ffi;
use std::ffi::{CString, c_int, c_void};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};

/// What all threads share: its handle is the hot one, looked up in every callback.
pub struct Engine {
    /// How much a letter counts.
    pub weights: [u64; 256],
    pub scored: AtomicU64,
    pub stepped: AtomicU64,
    pub finished: AtomicU64,
    pub compared: AtomicU64,
    pub traced: AtomicU64,
    /// Callbacks that got an error instead of a value.
    pub failed: AtomicU64,
}

impl Engine {
    pub fn new() -> Self {
        let zero = || AtomicU64::new(0);
        Self {
            weights: std::array::from_fn(|letter| (letter as u64).wrapping_mul(0x9E37_79B1) >> 7 & 0xFFF),
            scored: zero(),
            stepped: zero(),
            finished: zero(),
            compared: zero(),
            traced: zero(),
            failed: zero(),
        }
    }

    /// What the SQL function `score` computes.
    pub fn score(&self, name: &str, amount: i64) -> i64 {
        let weight: u64 = name.bytes().map(|letter| self.weights[usize::from(letter)]).sum();
        (weight as i64 ^ amount) & 0xFFFF
    }
}

/// `score(name, amount)`.
struct Score {
    engine: Handle<Engine>,
}

/// `spread(amount)`: largest minus smallest of a group.
struct Spread {
    engine: Handle<Engine>,
}

/// What `spread` knows of one group; SQLite keeps its handle in the memory of the aggregate.
struct Group {
    smallest: i64,
    largest: i64,
}

/// `COLLATE backwards`: compares from the last letter to the first.
struct Backwards {
    engine: Handle<Engine>,
}

/// Counts the statements of one connection.
pub struct Tracer {
    engine: Handle<Engine>,
}

/// The order of the collation.
pub fn backwards(left: &[u8], right: &[u8]) -> std::cmp::Ordering {
    left.iter().rev().cmp(right.iter().rev())
}

/// Registers everything with a connection. The tracer's handle comes back, since SQLite will not destroy it.
pub fn register(connection: &Connection, engine: Handle<Engine>) -> Result<Handle<Tracer>> {
    let score = Handle::new(Score { engine });
    connection.create_function("score", 2, score.to_ptr(), Callbacks::Scalar(on_score), destroy)?;
    let spread = Handle::new(Spread { engine });
    let callbacks = Callbacks::Aggregate(on_spread_step, on_spread_final);
    connection.create_function("spread", 1, spread.to_ptr(), callbacks, destroy)?;
    let collation = Handle::new(Backwards { engine });
    connection.create_collation("backwards", collation.to_ptr(), on_compare, destroy)?;
    let tracer = Handle::new(Tracer { engine });
    connection.trace(Some(on_trace), tracer.to_ptr())?;
    Ok(tracer)
}

/// Serves every kind of object: SQLite calls it when a function or collation goes.
unsafe extern "C" fn destroy(user: *mut c_void) {
    let removed = AnyHandle::from_ptr(user).map(AnyHandle::remove);
    if !matches!(removed, Some(Ok(_))) {
        eprintln!("destroy: {removed:?}");
    }
}

/// Runs a callback's body; its failure or panic becomes SQLite's error.
fn answer(context: *mut ffi::sqlite3_context, body: impl FnOnce() -> std::result::Result<(), haft::Error>) {
    let problem = match catch_unwind(AssertUnwindSafe(body)) {
        Ok(Ok(())) => return,
        Ok(Err(error)) => error.to_string(),
        Err(_) => "panic in a callback".to_string(),
    };
    let text = CString::new(problem).unwrap_or_default();
    // SAFETY: SQLite gave the context for this call; it copies the text.
    unsafe { ffi::sqlite3_result_error(context, text.as_ptr(), -1) };
}

/// The user data of a function.
fn user_data<T>(context: *mut ffi::sqlite3_context) -> std::result::Result<Handle<T>, haft::Error> {
    // SAFETY: SQLite gave the context for this call.
    Handle::try_from(unsafe { ffi::sqlite3_user_data(context) })
}

/// The arguments of a function.
///
/// # Safety
///
/// As SQLite calls its functions: `count` valid values.
unsafe fn arguments<'a>(count: c_int, values: *mut *mut ffi::sqlite3_value) -> &'a [*mut ffi::sqlite3_value] {
    // SAFETY: the caller's promise.
    unsafe { std::slice::from_raw_parts(values, count as usize) }
}

/// The bytes of a text argument.
///
/// # Safety
///
/// A valid value, and not changed for `'a`.
unsafe fn text<'a>(value: *mut ffi::sqlite3_value) -> &'a [u8] {
    // SAFETY: the caller's promise; SQLite gives as many bytes as it says, or null.
    unsafe {
        let start = ffi::sqlite3_value_text(value);
        if start.is_null() {
            return &[];
        }
        std::slice::from_raw_parts(start, ffi::sqlite3_value_bytes(value) as usize)
    }
}

unsafe extern "C" fn on_score(
    context: *mut ffi::sqlite3_context,
    count: c_int,
    values: *mut *mut ffi::sqlite3_value,
) {
    answer(context, || {
        let score = user_data::<Score>(context)?.get()?;
        let engine = score.engine.get()?;
        // SAFETY: as SQLite calls it, with the two arguments that were registered.
        let (name, amount) = unsafe {
            let values = arguments(count, values);
            (text(values[0]), ffi::sqlite3_value_int64(values[1]))
        };
        engine.scored.fetch_add(1, Ordering::Relaxed);
        let result = engine.score(&String::from_utf8_lossy(name), amount);
        // SAFETY: SQLite gave the context for this call.
        unsafe { ffi::sqlite3_result_int64(context, result) };
        Ok(())
    });
}

unsafe extern "C" fn on_spread_step(
    context: *mut ffi::sqlite3_context,
    count: c_int,
    values: *mut *mut ffi::sqlite3_value,
) {
    answer(context, || {
        let spread = user_data::<Spread>(context)?.get()?;
        spread.engine.get()?.stepped.fetch_add(1, Ordering::Relaxed);
        // SAFETY: as SQLite calls it, with the one argument that was registered; the memory of the aggregate is zeroed at first, and large
        // enough for a handle.
        let (amount, memory) = unsafe {
            let amount = ffi::sqlite3_value_int64(arguments(count, values)[0]);
            let memory = ffi::sqlite3_aggregate_context(context, size_of::<u64>() as c_int);
            (amount, &mut *memory.cast::<u64>())
        };
        // The group's own handle: zero before the first row.
        let group = Handle::<std::sync::Mutex<Group>>::from_bits(*memory).unwrap_or_else(|| {
            let group = Handle::new(std::sync::Mutex::new(Group { smallest: amount, largest: amount }));
            *memory = group.to_bits();
            group
        });
        let group = group.get()?;
        let mut group = group.lock().unwrap();
        group.smallest = group.smallest.min(amount);
        group.largest = group.largest.max(amount);
        Ok(())
    });
}

unsafe extern "C" fn on_spread_final(context: *mut ffi::sqlite3_context) {
    answer(context, || {
        let spread = user_data::<Spread>(context)?.get()?;
        spread.engine.get()?.finished.fetch_add(1, Ordering::Relaxed);
        // SAFETY: SQLite gave the context for this call; the memory is null where there was no row.
        let memory = unsafe { ffi::sqlite3_aggregate_context(context, 0).cast::<u64>().as_ref() };
        let Some(group) = memory.and_then(|bits| Handle::<std::sync::Mutex<Group>>::from_bits(*bits)) else {
            return Ok(());
        };
        if let Some(group) = group.take()? {
            let group = group.into_inner().unwrap();
            // SAFETY: SQLite gave the context for this call.
            unsafe { ffi::sqlite3_result_int64(context, group.largest - group.smallest) };
        }
        Ok(())
    });
}

unsafe extern "C" fn on_compare(
    user: *mut c_void,
    left_bytes: c_int,
    left: *const c_void,
    right_bytes: c_int,
    right: *const c_void,
) -> c_int {
    // SAFETY: SQLite gives both texts for this call.
    let (left, right) = unsafe {
        (
            std::slice::from_raw_parts(left.cast::<u8>(), left_bytes as usize),
            std::slice::from_raw_parts(right.cast::<u8>(), right_bytes as usize),
        )
    };
    let compare = || -> std::result::Result<c_int, haft::Error> {
        let collation = Handle::<Backwards>::try_from(user)?.get()?;
        collation.engine.get()?.compared.fetch_add(1, Ordering::Relaxed);
        Ok(backwards(left, right) as c_int)
    };
    // A collation cannot fail: equal is the harmless answer, and the wrong order is found by the check.
    catch_unwind(AssertUnwindSafe(compare)).map_or(0, |result| result.unwrap_or(0))
}

unsafe extern "C" fn on_trace(_event: u32, user: *mut c_void, _: *mut c_void, _: *mut c_void) -> c_int {
    let count = || -> std::result::Result<(), haft::Error> {
        let tracer = Handle::<Tracer>::try_from(user)?.get()?;
        tracer.engine.get()?.traced.fetch_add(1, Ordering::Relaxed);
        Ok(())
    };
    let _ = catch_unwind(AssertUnwindSafe(count));
    0
}
