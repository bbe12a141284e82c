//! The time, in whole seconds since the process first used haft: cheap enough to be noted with every creation and removal.
//!
//! Reading it is one load. The clock behind it is asked on slow paths only (a new page, a thread's first use, a report), so what is noted is
//! never later than the moment itself, and ages are upper bounds.

use crate::sync::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Whether there is a clock. WebAssembly without a system has none, and std's panics there.
pub(crate) const IS_THERE: bool = cfg!(not(all(target_family = "wasm", target_os = "unknown")));

/// The moment, where there is a clock.
pub(crate) fn instant() -> Option<Instant> {
    IS_THERE.then(Instant::now)
}

/// Bits that a time has; whatever comes later (twelve days) is noted as the last.
pub(crate) const BITS: u32 = 20;
const LAST: u32 = (1 << BITS) - 1;

/// In the highest bits, where it stands in what is noted.
const SHIFT: u32 = 64 - BITS;

static NOW: AtomicU64 = AtomicU64::new(0);

/// The time when somebody last asked the clock, in the highest bits of the word. Relaxed: it stands for itself.
#[inline(always)]
pub(crate) fn now() -> u64 {
    NOW.load(Ordering::Relaxed)
}

/// Asks the clock, on behalf of all.
#[cold]
pub(crate) fn refresh() {
    let passed = since_start().as_secs().min(u64::from(LAST)) << SHIFT;
    // A simulation is to be the same each time, so no time passes in it.
    let now = if cfg!(haft_sim) { 0 } else { passed };
    // The line is read by every creation; it is written once a second at most.
    if now > self::now() {
        NOW.fetch_max(now, Ordering::Relaxed);
    }
}

/// What ages are counted from: asked once for each report.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Moment(u64);

impl Moment {
    /// Now, rounded up, so that ages are never too small.
    pub(crate) fn now() -> Self {
        refresh();
        Self(since_start().as_secs() + 1)
    }

    /// How long something noted at `time` lasts, at most.
    pub(crate) fn since(self, time: u32) -> Duration {
        Duration::from_secs(self.0.saturating_sub(u64::from(time)))
    }
}

/// The system's clock that costs least: a few nanoseconds, some milliseconds exact.
#[cfg(all(target_os = "linux", not(miri)))]
fn since_start() -> Duration {
    /// When it was first asked, in milliseconds plus one; 0 before.
    static START: AtomicU64 = AtomicU64::new(0);
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY(F4): a place for the time; on failure it stays zero.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC_COARSE, &mut time) };
    let now = time.tv_sec as u64 * 1_000 + time.tv_nsec as u64 / 1_000_000;
    // Relaxed: whichever is the first is as good as any. Mostly it is only read, so that its line stays with all.
    let first = START.load(Ordering::Relaxed);
    if first != 0 {
        return Duration::from_millis(now.saturating_sub(first - 1));
    }
    let start = match START.compare_exchange(0, now + 1, Ordering::Relaxed, Ordering::Relaxed) {
        Ok(_) => now,
        Err(first) => first - 1,
    };
    Duration::from_millis(now.saturating_sub(start))
}

#[cfg(not(all(target_os = "linux", not(miri))))]
fn since_start() -> Duration {
    static START: std::sync::OnceLock<Option<Instant>> = std::sync::OnceLock::new();
    START.get_or_init(instant).map_or(Duration::ZERO, |start| start.elapsed())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_are_upper_bounds_and_go_on_where_times_end() {
        let moment = Moment(100);
        assert_eq!(moment.since(40), Duration::from_secs(60));
        assert_eq!(moment.since(100), Duration::ZERO);
        // Noted by somebody while the report was being made.
        assert_eq!(moment.since(101), Duration::ZERO);
        assert_eq!(Moment(u64::from(LAST) + 50).since(LAST), Duration::from_secs(50));
    }

    #[test]
    fn what_is_noted_is_never_later_than_now() {
        let before = since_start();
        refresh();
        let noted = (now() >> SHIFT) as u32;
        assert!(u64::from(noted) <= since_start().as_secs());
        // (Another thread may have asked since.)
        assert!(u64::from(noted) >= before.as_secs());
        assert!(Moment::now().since(noted) + Duration::from_secs(noted.into()) >= before);
    }
}
