//! A barrier that one thread makes all others pass, so that these need none themselves (E12).
//!
//! On Linux it is `membarrier` (private, expedited): half a microsecond where the other cores are idle, some twenty where they run,
//! in a virtual machine. Elsewhere there is none, and readers do with a barrier of their own.

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

#[cfg(not(haft_loom))]
pub(crate) use system::{heavy, is_available};

#[cfg(all(not(haft_loom), not(miri), target_os = "linux"))]
mod system {
    use crate::sync::{AtomicU32, Ordering, fence};

    // From the kernel's `linux/membarrier.h`.
    const PRIVATE_EXPEDITED: libc::c_int = 1 << 3;
    const REGISTER_PRIVATE_EXPEDITED: libc::c_int = 1 << 4;

    const UNKNOWN: u32 = 0;
    const AVAILABLE: u32 = 1;
    const MISSING: u32 = 2;

    static STATE: AtomicU32 = AtomicU32::new(UNKNOWN);

    fn membarrier(command: libc::c_int) -> bool {
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

    /// Makes every thread of the process pass a full barrier: `false` where that failed.
    pub(crate) fn heavy() -> bool {
        // SeqCst (E12): the system call orders the other threads, and this one at the least where it is made.
        fence(Ordering::SeqCst);
        // The child of a fork may have to register anew.
        let passed = membarrier(PRIVATE_EXPEDITED)
            || (membarrier(REGISTER_PRIVATE_EXPEDITED) && membarrier(PRIVATE_EXPEDITED));
        if !passed {
            // Forbidden since it was found to be there: records that are made from now on do without.
            STATE.store(MISSING, Ordering::Relaxed);
        }
        fence(Ordering::SeqCst);
        passed
    }
}

#[cfg(all(not(haft_loom), any(miri, not(target_os = "linux"))))]
mod system {
    /// Whether there is such a barrier here.
    pub(crate) fn is_available() -> bool {
        false
    }

    /// Makes every thread of the process pass a full barrier: `false` where that failed.
    pub(crate) fn heavy() -> bool {
        false
    }
}
