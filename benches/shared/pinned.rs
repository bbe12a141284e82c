//! A thread kept on one processor while it is measured.
//!
//! Otherwise the system may put both threads of a short sample on one processor, one after the other, and nothing is at once.

/// Gives the processors back when it goes.
pub(crate) struct Pinned(#[cfg(target_os = "linux")] libc::cpu_set_t);

#[cfg(target_os = "linux")]
impl Pinned {
    /// Keeps the calling thread on the processor with this number, among those that it may use.
    pub(crate) fn to(number: usize) -> Self {
        let size = size_of::<libc::cpu_set_t>();
        // SAFETY: a set of processors is a plain array of bits, and zeros are the empty set.
        let (mut allowed, mut one) = unsafe { std::mem::zeroed::<(libc::cpu_set_t, libc::cpu_set_t)>() };
        // SAFETY: the kernel writes at most so many bytes of this set.
        assert_eq!(
            unsafe { libc::sched_getaffinity(0, size, &raw mut allowed) },
            0,
            "the processors are known"
        );
        // SAFETY: the numbers are below the size of the set.
        let is_allowed = |processor: &usize| unsafe { libc::CPU_ISSET(*processor, &allowed) };
        let processors: Vec<usize> = (0..libc::CPU_SETSIZE as usize).filter(is_allowed).collect();
        // SAFETY: as above.
        unsafe { libc::CPU_SET(processors[number % processors.len()], &mut one) };
        // SAFETY: the kernel reads so many bytes of this set.
        assert_eq!(unsafe { libc::sched_setaffinity(0, size, &raw const one) }, 0, "an allowed processor");
        Self(allowed)
    }
}

#[cfg(target_os = "linux")]
impl Drop for Pinned {
    fn drop(&mut self) {
        // SAFETY: the set is what the kernel gave.
        unsafe { libc::sched_setaffinity(0, size_of::<libc::cpu_set_t>(), &raw const self.0) };
    }
}

#[cfg(not(target_os = "linux"))]
impl Pinned {
    pub(crate) fn to(_: usize) -> Self {
        Self()
    }
}
