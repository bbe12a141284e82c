//! [`ThreadName`]: a thread that created or removed a handle.

use crate::raw::name as raw;
use std::fmt;

/// A thread that created or removed a handle: its number, in the order in which threads first used
/// haft, and on Linux, macOS and Windows the name that the system has for it.
///
/// Four bytes, `Copy`; it stays when the thread is gone. The first 4,094 threads have numbers,
/// which are never used again. Fifteen bytes of a name are kept. On Linux, a thread without one has
/// that of the thread that started it.
///
/// ```
/// let registry = haft::Registry::new();
/// std::thread::Builder::new().name("worker".into()).spawn(move || {
///     let handle = registry.insert('x');
///     let thread = registry.live().next().unwrap().thread.unwrap();
///     # if cfg!(any(target_os = "linux", target_vendor = "apple", windows)) {
///     assert_eq!(thread.to_string(), format!("thread {} (worker)", thread.number()));
///     # }
/// }).unwrap().join().unwrap();
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct ThreadName(raw::Thread);

impl ThreadName {
    pub(crate) const fn new(thread: raw::Thread) -> Self {
        Self(thread)
    }

    /// Its number, from 1.
    #[must_use]
    pub const fn number(&self) -> u16 {
        self.0.number()
    }
}

impl fmt::Display for ThreadName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for ThreadName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
