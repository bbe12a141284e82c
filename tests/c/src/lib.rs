//! The tests are in `tests`; this is the C side as Rust sees it.

use std::ffi::c_void;

/// A callback that gets a handle.
pub type Callback = extern "C" fn(u64);
/// A callback that gets user data.
pub type CallbackPointer = extern "C" fn(*mut c_void);

unsafe extern "C" {
    /// Calls back on this thread.
    pub safe fn call_here(call: Callback, handle: u64);
    /// Calls back on a thread that C starts and joins.
    pub safe fn call_elsewhere(call: Callback, handle: u64) -> i32;
    /// Calls back on up to 64 such threads at once.
    pub safe fn call_everywhere(call: Callback, handle: u64, count: usize) -> i32;
    /// Calls back with the user data.
    pub safe fn call_with_user_data(call: CallbackPointer, user: *mut c_void);
    /// Calls back with the address of a copy of the handle.
    pub safe fn call_with_address(call: CallbackPointer, handle: u64);
}
