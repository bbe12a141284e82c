//! [`confine`]: haft in a sandbox.

use crate::raw::confine as raw;

/// From now on haft makes no system calls but those that any Rust program makes: for memory, locks, threads,
/// time and random numbers.
///
/// For a process under a filter that *ends* it at a call that it does not know. (One that refuses calls needs
/// nothing: haft does without what it is refused.) The environment variable `HAFT_CONFINED=1` does the same,
/// also for C. Call it before the first handle is created or looked up: what was looked up by then may be
/// dropped later, when the thread that had looked it up lets its next guard go, or ends.
///
/// What it costs: a lookup has one locked instruction, errors do not say what kind of memory an address is in,
/// and threads have numbers but no names. [Processors and systems](crate::docs::systems) lists all calls.
///
/// ```
/// haft::confine();
/// let handle = haft::Handle::new('x');
/// assert_eq!(*handle.get()?, 'x');
/// # Ok::<(), haft::Error>(())
/// ```
pub fn confine() {
    raw::confine();
}
