//! What happens when an [`Error`] is made: it is counted, and whoever asked for it is told.

use crate::error::{Error, ErrorKind};
use crate::raw::clock;
use crate::raw::hook::Hook;
use crate::raw::thread;
use crate::raw::unwind::quietly;
use crate::stats::ErrorCounts;
use crate::sync::{AtomicU64, Ordering, thread_local};
use std::cell::Cell;
use std::sync::OnceLock;
use std::time::Instant;

/// Calls of the hook in one second for one kind of error.
const CALLS: u64 = 16;

/// Errors by kind that threads have made which have no record to count them in. Relaxed, all of it: the
/// numbers order nothing.
static COUNTS: [AtomicU64; ErrorKind::ALL.len()] = [const { AtomicU64::new(0) }; ErrorKind::ALL.len()];

static HOOK: Hook<Error> = Hook::new();

/// When the first hook was set, or the first error told; seconds count from there.
static BEGIN: OnceLock<Option<Instant>> = OnceLock::new();

/// For each kind the second of the last call (upper half), and the calls in that second (lower half).
static CALLED: [AtomicU64; ErrorKind::ALL.len()] = [const { AtomicU64::new(0) }; ErrorKind::ALL.len()];

thread_local! {
    /// Whether this thread is telling somebody. Without a destructor, so that it is there until the thread's last instruction.
    static TELLING: Cell<bool> = const { Cell::new(false) };
}

/// Sets the function that is told of every [`Error`] when it is made, so that a process can log or abort; the one before comes back.
///
/// At first there is none. One function serves the whole process; `|_| ()` ends it. A function that replaces another may call that one.
///
/// * It is called on the thread that made the mistake, with nothing held and nothing locked, before the error is returned; also on threads that are
///   running their thread-local destructors.
/// * *Every* error counts, of whatever kind, whether it is handled or not, and from the C API as well. What gives no `Error` does not: `is_live`,
///   [`contains`](crate::Registry::contains), `from_bits`, [`Full`](crate::Full).
/// * At most 16 times in a second for each kind, so that a flood of one does not hide another. [`Stats::errors`](crate::Stats) counts them
///   all.
/// * Errors that the function itself makes, on the same thread, are counted and not told.
/// * Where it panics, the panic ends there: it is caught, and the lookup returns its error as ever. To end the process, call
///   [`abort`](std::process::abort).
///
/// Costs one exchange; wait-free. An error costs one load more, and some 30 ns for the clock where there is a function.
///
/// ```
/// haft::on_misuse(|error| eprintln!("misuse of a handle: {error}"));
/// # haft::on_misuse(|_| ());
/// ```
pub fn on_misuse(hook: fn(&Error)) -> Option<fn(&Error)> {
    // Before the hook is seen: whoever sees it need not wait.
    BEGIN.get_or_init(clock::instant);
    HOOK.replace(hook)
}

/// Counts and tells an error; every one goes through here, once.
#[inline]
pub(crate) fn noted(kind: ErrorKind, error: impl FnOnce() -> Error) {
    let kind = kind.index();
    if !thread::count_error(kind) {
        COUNTS[kind].fetch_add(1, Ordering::Relaxed);
    }
    let hook = HOOK.get();
    if hook.is_some() || cfg!(feature = "tracing") {
        tell(&error(), hook);
    }
}

#[cold]
#[inline(never)]
fn tell(error: &Error, hook: Option<fn(&Error)>) {
    if TELLING.get() || !may_call(error.kind()) {
        return;
    }
    TELLING.set(true);
    #[cfg(feature = "tracing")]
    crate::raw::trace::misuse(error.bits(), &error.kind(), error);
    if let Some(hook) = hook {
        quietly(|| hook(error));
    }
    TELLING.set(false);
}

fn may_call(kind: ErrorKind) -> bool {
    // Without a clock, none is too many.
    let Some(begin) = BEGIN.get_or_init(clock::instant) else {
        return true;
    };
    let now = begin.elapsed().as_secs() & 0xFFFF_FFFF;
    let called = |word: u64| match word & 0xFFFF_FFFF {
        _ if word >> 32 != now => Some(now << 32 | 1),
        CALLS => None,
        _ => Some(word + 1),
    };
    CALLED[kind.index()].fetch_update(Ordering::Relaxed, Ordering::Relaxed, called).is_ok()
}

/// The errors made so far.
pub(crate) fn counts() -> ErrorCounts {
    ErrorCounts::of(|kind| {
        let kind = kind.index();
        COUNTS[kind].load(Ordering::Relaxed) + thread::errors(kind)
    })
}
