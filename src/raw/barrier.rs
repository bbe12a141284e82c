//! A barrier that one thread makes all others pass, so that these need none themselves (E12).
//!
//! On Linux it is `membarrier` (private, expedited): half a microsecond where the other cores are
//! idle, some twenty where they run, in a virtual machine. A process may forbid that call after it
//! has begun to use haft (a sandbox does): then the threads concerned are asked, see `overdue`.
//!
//! On Windows with an x86 processor it is `FlushProcessWriteBuffers`, which interrupts every
//! processor that runs a thread of the process. No test of ours runs there: wine has that
//! function, but in wine 8 it does nothing, so under wine there is no barrier. On other processors
//! Windows promises less than a full barrier of every thread, so it is not relied on there.
//!
//! Elsewhere there is no such barrier, and readers do with one of their own; so they do on Linux in
//! a build with `--cfg haft_no_barrier`, for tests.

/// Whether there is such a barrier here.
#[cfg(haft_loom)]
pub(crate) fn is_available() -> bool {
    use crate::sync::{ASYMMETRIC, Asymmetric};
    ASYMMETRIC.get() != Asymmetric::Missing
}

/// Makes every thread of the process pass a full barrier: `false` where that failed.
///
/// In models it is a fence where both sides are: see [`Asymmetric`](crate::sync::Asymmetric).
#[cfg(haft_loom)]
pub(crate) fn heavy() -> bool {
    use crate::sync::{ASYMMETRIC, Asymmetric, Ordering, fence};
    // SeqCst (E12): what the pair amounts to.
    fence(Ordering::SeqCst);
    ASYMMETRIC.get() == Asymmetric::Works
}

/// Makes every thread of the process pass a full barrier: `false` where that failed.
#[cfg(not(haft_loom))]
pub(crate) fn heavy() -> bool {
    use crate::sync::{Ordering, fence, note_barrier};
    // SeqCst (E12): the system's call orders the other threads, and this one at the least where it
    // is made.
    fence(Ordering::SeqCst);
    note_barrier();
    let passed = system::pass();
    fence(Ordering::SeqCst);
    passed
}

#[cfg(not(haft_loom))]
pub(crate) use system::is_available;

#[cfg(all(not(haft_loom), not(miri), not(haft_no_barrier), target_os = "linux"))]
mod system {
    use crate::raw::confine::is_confined;
    use crate::sync::{AtomicU32, Ordering};

    // From the kernel's `linux/membarrier.h`.
    const PRIVATE_EXPEDITED: libc::c_int = 1 << 3;
    const REGISTER_PRIVATE_EXPEDITED: libc::c_int = 1 << 4;

    const UNKNOWN: u32 = 0;
    const AVAILABLE: u32 = 1;
    const MISSING: u32 = 2;

    static STATE: AtomicU32 = AtomicU32::new(UNKNOWN);

    fn membarrier(command: libc::c_int) -> bool {
        if is_confined() {
            return false;
        }
        // SAFETY(E12): the call takes plain integers and touches no memory of ours.
        unsafe { libc::syscall(libc::SYS_membarrier, command, 0 as libc::c_uint, 0 as libc::c_int) == 0 }
    }

    /// Whether there is such a barrier here.
    pub(crate) fn is_available() -> bool {
        match STATE.load(Ordering::Relaxed) {
            UNKNOWN => {
                let available = membarrier(REGISTER_PRIVATE_EXPEDITED) && membarrier(PRIVATE_EXPEDITED);
                STATE.store(if available { AVAILABLE } else { MISSING }, Ordering::Relaxed);
                available
            }
            state => state == AVAILABLE,
        }
    }

    /// Makes the other threads pass a full barrier: `false` where that failed.
    pub(super) fn pass() -> bool {
        // The child of a fork may have to register anew.
        if membarrier(PRIVATE_EXPEDITED)
            || (membarrier(REGISTER_PRIVATE_EXPEDITED) && membarrier(PRIVATE_EXPEDITED))
        {
            return true;
        }
        // Forbidden since it was found to be there: records that are made from now on do without.
        STATE.store(MISSING, Ordering::Relaxed);
        false
    }
}

/// Windows on the processors where an interrupt is a full barrier.
#[cfg(all(
    not(haft_loom),
    not(miri),
    not(haft_no_barrier),
    windows,
    any(target_arch = "x86_64", target_arch = "x86")
))]
mod system {
    use crate::raw::windows;
    use crate::sync::{AtomicU32, Ordering};

    const UNKNOWN: u32 = 0;
    const AVAILABLE: u32 = 1;
    const MISSING: u32 = 2;

    static STATE: AtomicU32 = AtomicU32::new(UNKNOWN);

    /// Whether there is such a barrier here: not where wine only pretends to be Windows.
    pub(crate) fn is_available() -> bool {
        match STATE.load(Ordering::Relaxed) {
            UNKNOWN => {
                let available = !windows::is_wine();
                STATE.store(if available { AVAILABLE } else { MISSING }, Ordering::Relaxed);
                available
            }
            state => state == AVAILABLE,
        }
    }

    /// Makes the other threads pass a full barrier.
    pub(super) fn pass() -> bool {
        windows::flush_process_write_buffers();
        is_available()
    }

    #[cfg(test)]
    mod tests {
        #[test]
        fn e12_there_is_a_barrier_but_not_under_wine() {
            assert_eq!(super::is_available(), std::env::var_os("HAFT_ON_WINE").is_none());
        }
    }
}

/// Miri knows no such system call. Both sides are fences there, which is what the pair amounts to,
/// so that plain mode runs under it.
#[cfg(all(not(haft_loom), miri, not(haft_no_barrier)))]
mod system {
    /// Whether there is such a barrier here.
    pub(crate) fn is_available() -> bool {
        true
    }

    /// The fences of [`heavy`](super::heavy) and of [`light_fence`](crate::sync::light_fence) are enough.
    pub(super) fn pass() -> bool {
        true
    }
}

#[cfg(all(
    not(haft_loom),
    any(
        haft_no_barrier,
        all(
            not(miri),
            not(any(target_os = "linux", all(windows, any(target_arch = "x86_64", target_arch = "x86"))))
        )
    )
))]
mod system {
    /// Whether there is such a barrier here.
    pub(crate) fn is_available() -> bool {
        false
    }

    /// Makes the other threads pass a full barrier: never here.
    pub(super) fn pass() -> bool {
        false
    }
}
