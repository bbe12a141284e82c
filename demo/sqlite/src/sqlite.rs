//! The few calls of SQLite's C API that the demo needs. All unsafe code of the demo that is not a callback is here.

use libsqlite3_sys as ffi;
use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::path::Path;
use std::ptr;

/// What SQLite said.
#[derive(Debug)]
pub struct Error(pub String);

impl std::fmt::Display for Error {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "sqlite: {}", self.0)
    }
}

impl std::error::Error for Error {}

pub type Result<T> = std::result::Result<T, Error>;

/// One connection, used by the thread that opened it.
pub struct Connection(*mut ffi::sqlite3);

/// The callbacks of a function: one per row for a scalar; step and end for an aggregate.
pub enum Callbacks {
    Scalar(ScalarFn),
    Aggregate(ScalarFn, FinalFn),
}

pub type ScalarFn = unsafe extern "C" fn(*mut ffi::sqlite3_context, c_int, *mut *mut ffi::sqlite3_value);
pub type FinalFn = unsafe extern "C" fn(*mut ffi::sqlite3_context);
pub type CompareFn = unsafe extern "C" fn(*mut c_void, c_int, *const c_void, c_int, *const c_void) -> c_int;
pub type TraceFn = unsafe extern "C" fn(u32, *mut c_void, *mut c_void, *mut c_void) -> c_int;
pub type DestroyFn = unsafe extern "C" fn(*mut c_void);

fn c_string(text: &str) -> CString {
    CString::new(text).expect("no zero bytes in the demo's texts")
}

impl Connection {
    /// Opens the database file in WAL mode, waiting where others write.
    pub fn open(path: &Path) -> Result<Self> {
        let path = c_string(path.to_str().expect("a temporary path is UTF-8"));
        let mut raw = ptr::null_mut();
        // SAFETY: a zero-terminated path, and a place for the result; a connection is made also where it fails.
        let status = unsafe { ffi::sqlite3_open(path.as_ptr(), &mut raw) };
        let connection = Self(raw);
        connection.check(status)?;
        // SAFETY: an open connection.
        connection.check(unsafe { ffi::sqlite3_busy_timeout(raw, 60_000) })?;
        connection.query("PRAGMA journal_mode = WAL", |_| ())?;
        connection.execute("PRAGMA synchronous = OFF")?;
        Ok(connection)
    }

    fn check(&self, status: c_int) -> Result<()> {
        if status == ffi::SQLITE_OK {
            return Ok(());
        }
        // SAFETY: an open connection; the text is its own until the next call, and copied here.
        let text = unsafe { CStr::from_ptr(ffi::sqlite3_errmsg(self.0)) };
        Err(Error(text.to_string_lossy().into_owned()))
    }

    /// Runs statements that return no rows.
    pub fn execute(&self, sql: &str) -> Result<()> {
        let sql = c_string(sql);
        // SAFETY: an open connection and a zero-terminated text.
        let status =
            unsafe { ffi::sqlite3_exec(self.0, sql.as_ptr(), None, ptr::null_mut(), ptr::null_mut()) };
        self.check(status)
    }

    /// Runs a query, and a closure for each of its rows.
    pub fn query<T>(&self, sql: &str, mut each: impl FnMut(&Statement) -> T) -> Result<Vec<T>> {
        let statement = self.prepare(sql)?;
        let mut rows = Vec::new();
        while statement.step()? {
            rows.push(each(&statement));
        }
        Ok(rows)
    }

    /// Compiles one statement.
    pub fn prepare(&self, sql: &str) -> Result<Statement<'_>> {
        let sql = c_string(sql);
        let mut raw = ptr::null_mut();
        // SAFETY: an open connection, a zero-terminated text, a place for the result.
        let status = unsafe { ffi::sqlite3_prepare_v2(self.0, sql.as_ptr(), -1, &mut raw, ptr::null_mut()) };
        self.check(status)?;
        Ok(Statement { raw, connection: self })
    }

    /// Registers a function; `user` comes back in its callbacks, and at last in `destroy`.
    pub fn create_function(
        &self,
        name: &str,
        arguments: c_int,
        user: *mut c_void,
        callbacks: Callbacks,
        destroy: DestroyFn,
    ) -> Result<()> {
        let name = c_string(name);
        let (scalar, step, end) = match callbacks {
            Callbacks::Scalar(scalar) => (Some(scalar), None, None),
            Callbacks::Aggregate(step, end) => (None, Some(step), Some(end)),
        };
        // SAFETY: an open connection and callbacks of the right types; `user` is a number to SQLite, which never looks through it.
        let status = unsafe {
            ffi::sqlite3_create_function_v2(
                self.0,
                name.as_ptr(),
                arguments,
                ffi::SQLITE_UTF8 | ffi::SQLITE_DETERMINISTIC,
                user,
                scalar,
                step,
                end,
                Some(destroy),
            )
        };
        self.check(status)
    }

    /// Registers a collation.
    pub fn create_collation(
        &self,
        name: &str,
        user: *mut c_void,
        compare: CompareFn,
        destroy: DestroyFn,
    ) -> Result<()> {
        let name = c_string(name);
        // SAFETY: as for `create_function`.
        let status = unsafe {
            ffi::sqlite3_create_collation_v2(
                self.0,
                name.as_ptr(),
                ffi::SQLITE_UTF8,
                user,
                Some(compare),
                Some(destroy),
            )
        };
        self.check(status)
    }

    /// Calls `trace` for each statement that begins; `None` ends that. SQLite has no destroy callback here.
    pub fn trace(&self, trace: Option<TraceFn>, user: *mut c_void) -> Result<()> {
        let events = if trace.is_some() { ffi::SQLITE_TRACE_STMT } else { 0 };
        // SAFETY: as for `create_function`.
        let status = unsafe { ffi::sqlite3_trace_v2(self.0, events, trace, user) };
        self.check(status)
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        // SAFETY: open, or half open, and not used any more; all statements borrow the connection and are gone.
        unsafe { ffi::sqlite3_close(self.0) };
    }
}

/// A compiled statement.
pub struct Statement<'c> {
    raw: *mut ffi::sqlite3_stmt,
    connection: &'c Connection,
}

impl Statement<'_> {
    /// Goes to the next row: `false` after the last.
    pub fn step(&self) -> Result<bool> {
        // SAFETY: a compiled statement.
        match unsafe { ffi::sqlite3_step(self.raw) } {
            ffi::SQLITE_ROW => Ok(true),
            ffi::SQLITE_DONE => Ok(false),
            status => self.connection.check(status).map(|()| false),
        }
    }

    /// Runs the statement with these parameters, and makes it ready for the next.
    pub fn run(&self, numbers: &[i64], text: &str) -> Result<()> {
        for (index, number) in (1..).zip(numbers) {
            // SAFETY: a compiled statement.
            self.connection.check(unsafe { ffi::sqlite3_bind_int64(self.raw, index, *number) })?;
        }
        let index = numbers.len() as c_int + 1;
        // SAFETY: the text is copied by SQLite (`SQLITE_TRANSIENT`).
        let status = unsafe {
            let start = text.as_ptr().cast::<c_char>();
            ffi::sqlite3_bind_text(self.raw, index, start, text.len() as c_int, ffi::SQLITE_TRANSIENT())
        };
        self.connection.check(status)?;
        self.step()?;
        // SAFETY: a compiled statement.
        self.connection.check(unsafe { ffi::sqlite3_reset(self.raw) })
    }

    /// A column of the row as a number.
    pub fn number(&self, column: c_int) -> i64 {
        // SAFETY: a statement with a row.
        unsafe { ffi::sqlite3_column_int64(self.raw, column) }
    }

    /// A column of the row as a text.
    pub fn text(&self, column: c_int) -> String {
        // SAFETY: a statement with a row; the text is SQLite's until the next step, zero-terminated, and copied here.
        unsafe {
            let text = ffi::sqlite3_column_text(self.raw, column);
            if text.is_null() {
                return String::new();
            }
            CStr::from_ptr(text.cast()).to_string_lossy().into_owned()
        }
    }
}

impl Drop for Statement<'_> {
    fn drop(&mut self) {
        // SAFETY: compiled, and not used any more.
        unsafe { ffi::sqlite3_finalize(self.raw) };
    }
}
