//! A barrier that one thread makes all others pass, so that these need none themselves (E12).
//!
//! On Linux it is `membarrier` (private, expedited): half a microsecond where the other cores are idle, some twenty where they run,
//! in a virtual machine. A process may forbid that call after it has begun to use haft (a sandbox does); then this thread visits every
//! processor instead, which makes each of them switch threads. Elsewhere there is no such barrier, and readers do with one of their own; so they do on
//! Linux in a build with `--cfg haft_no_barrier`, for tests.

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

#[cfg(all(not(haft_loom), not(miri), not(haft_no_barrier), target_os = "linux"))]
mod system {
    use crate::sync::{AtomicU32, Ordering, fence, note_barrier};

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
        note_barrier();
        // The child of a fork may have to register anew.
        let mut passed = membarrier(PRIVATE_EXPEDITED)
            || (membarrier(REGISTER_PRIVATE_EXPEDITED) && membarrier(PRIVATE_EXPEDITED));
        if !passed {
            // Forbidden since it was found to be there: records and pages that are made from now on do without.
            STATE.store(MISSING, Ordering::Relaxed);
            passed = visit_processors();
        }
        fence(Ordering::SeqCst);
        passed
    }

    /// Runs this thread on every processor in turn: whether that was possible. Whatever thread ran there was switched out, and a
    /// switch is a full barrier; one that runs nowhere has passed one already. (So did liburcu before there was `membarrier`.)
    #[cold]
    fn visit_processors() -> bool {
        let size = size_of::<libc::cpu_set_t>();
        // SAFETY(E12): a set of bits, for which zeros are valid; the calls read and write no more than it.
        unsafe {
            let mut allowed: libc::cpu_set_t = std::mem::zeroed();
            if libc::sched_getaffinity(0, size, &mut allowed) != 0 {
                return false;
            }
            let mut passed = true;
            for processor in 0..8 * size {
                let mut alone: libc::cpu_set_t = std::mem::zeroed();
                libc::CPU_SET(processor, &mut alone);
                // One that is not there, or not for this process, runs none of its threads.
                if libc::sched_setaffinity(0, size, &alone) != 0 {
                    passed &= std::io::Error::last_os_error().raw_os_error() == Some(libc::EINVAL);
                }
            }
            libc::sched_setaffinity(0, size, &allowed);
            passed
        }
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        #[test]
        fn e12_visiting_all_processors_leaves_the_thread_where_it_may_run() {
            let allowed = std::thread::available_parallelism().unwrap();
            assert!(visit_processors());
            assert_eq!(std::thread::available_parallelism().unwrap(), allowed);
        }
    }
}

#[cfg(all(not(haft_loom), any(miri, haft_no_barrier, not(target_os = "linux"))))]
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
