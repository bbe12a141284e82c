//! Forks (S12, S19): no lock of haft's is held when the process forks, and a child knows that it is one.
//!
//! A child of a fork has one thread. What the others were in the middle of stays as it was, so a lock that one
//! of them held would stay taken for ever. Therefore every thread with a lock counts here, and a thread that
//! forks waits until it is the only one.
//!
//! | a thread | while another one forks | while it forks itself |
//! |---|---|---|
//! | without a lock takes one | waits | goes on |
//! | with a lock takes another | goes on: the fork waits for it | goes on |
//! | forks | waits | goes on |
//!
//! What other libraries do around a fork may come inside of this, and may use haft.

#[cfg(all(unix, not(any(miri, haft_loom, haft_sim))))]
mod system {
    use std::cell::Cell;
    use std::marker::PhantomData;
    use std::sync::atomic::{AtomicU32, AtomicU64, AtomicUsize, Ordering};
    use std::time::{SystemTime, UNIX_EPOCH};

    /// Set while a thread forks.
    const FORKING: usize = 1 << (usize::BITS - 1);

    /// How many threads have locks.
    static THREADS: AtomicUsize = AtomicUsize::new(0);

    /// How many forks there were between the first process and this one.
    static GENERATION: AtomicU32 = AtomicU32::new(0);

    /// What makes a child's numbers its own; 0 in the first process.
    static SEED: AtomicU64 = AtomicU64::new(0);

    /// Times that a fork waits for the others. (One of them may be stopped, or wait for what this thread has.
    /// Then it goes on.)
    const PATIENCE: u32 = 1 << 16;

    std::thread_local! {
        /// The locks that this thread has, or waits for.
        static LOCKS: Cell<usize> = const { Cell::new(0) };
        /// The process in which this thread is about to fork; 0 if it is not.
        static FORKS: Cell<u32> = const { Cell::new(0) };
        /// Whether it has set [`FORKING`].
        static OWNS: Cell<bool> = const { Cell::new(false) };
    }

    /// A lock that is held, or waited for.
    #[derive(Debug)]
    pub(crate) struct Held(PhantomData<*const ()>);

    impl Held {
        /// Waits while another thread forks.
        pub(crate) fn new() -> Self {
            let locks = LOCKS.get();
            if locks == 0 {
                enter();
            }
            LOCKS.set(locks + 1);
            Self(PhantomData)
        }
    }

    impl Drop for Held {
        fn drop(&mut self) {
            let locks = LOCKS.get() - 1;
            LOCKS.set(locks);
            if locks == 0 {
                // Release: what was done under the lock comes before the fork.
                THREADS.fetch_sub(1, Ordering::Release);
            }
        }
    }

    /// Counts this thread among those with locks.
    fn enter() {
        let mut before = THREADS.load(Ordering::Relaxed);
        loop {
            if before & FORKING != 0 && FORKS.get() == 0 {
                std::thread::yield_now();
                before = THREADS.load(Ordering::Relaxed);
                continue;
            }
            // Acquire: after the fork.
            match THREADS.compare_exchange_weak(before, before + 1, Ordering::Acquire, Ordering::Relaxed) {
                Ok(_) => return,
                Err(now) => before = now,
            }
        }
    }

    /// Whether this thread counts among those with locks.
    fn own() -> usize {
        usize::from(LOCKS.get() > 0)
    }

    /// What a thread does before it forks.
    pub(crate) fn prepare() {
        if FORKS.get() != 0 {
            return;
        }
        FORKS.set(std::process::id());
        let mut patience = PATIENCE;
        let mut wait = |done: &dyn Fn() -> bool| {
            while patience > 0 && !done() {
                patience -= 1;
                std::thread::yield_now();
            }
            patience > 0
        };
        // Acquire: after the other one's fork.
        OWNS.set(wait(&|| THREADS.fetch_or(FORKING, Ordering::Acquire) & FORKING == 0));
        // Acquire: what was done under locks is whole.
        wait(&|| THREADS.load(Ordering::Acquire) & !FORKING == own());
    }

    /// What it does afterwards in the parent.
    pub(crate) fn go_on() {
        FORKS.set(0);
        if OWNS.replace(false) {
            // Release: pairs with the Acquire of the next lock.
            THREADS.fetch_and(!FORKING, Ordering::Release);
        }
    }

    /// Returns `true` if this seems to be the child of a fork that has not begun anew yet.
    pub(crate) fn is_new_child() -> bool {
        let parent = FORKS.get();
        parent != 0 && parent != std::process::id()
    }

    /// What it does afterwards in the child. Returns `false` if that was done.
    pub(crate) fn begin_anew() -> bool {
        if FORKS.replace(0) == 0 {
            return false;
        }
        OWNS.set(false);
        // Release: as in the parent. Nobody else is there.
        THREADS.store(own(), Ordering::Release);
        GENERATION.fetch_add(1, Ordering::Relaxed);
        // Siblings have other numbers or, if one has ended before, were made at another time.
        let time = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos() as u64);
        let own = u64::from(std::process::id()) << 32 ^ time;
        SEED.store(SEED.load(Ordering::Relaxed).rotate_left(17) ^ own | 1, Ordering::Relaxed);
        true
    }

    /// How many forks there were between the first process and this one.
    pub(crate) fn generation() -> u32 {
        GENERATION.load(Ordering::Relaxed)
    }

    /// Another number in each child; 0 in the first process.
    pub(crate) fn seed() -> u64 {
        SEED.load(Ordering::Relaxed)
    }
}

#[cfg(not(all(unix, not(any(miri, haft_loom, haft_sim)))))]
mod system {
    /// A lock that is held.
    #[cfg(not(haft_loom))]
    #[derive(Debug)]
    pub(crate) struct Held(());

    #[cfg(not(haft_loom))]
    impl Held {
        pub(crate) fn new() -> Self {
            Self(())
        }
    }

    /// How many forks there were between the first process and this one.
    pub(crate) fn generation() -> u32 {
        0
    }

    /// Another number in each child; 0 in the first process.
    pub(crate) fn seed() -> u64 {
        0
    }

    /// Returns `true` if this seems to be the child of a fork that has not begun anew yet.
    #[cfg(not(haft_loom))]
    pub(crate) fn is_new_child() -> bool {
        false
    }

    /// What a child does after a fork. Returns `false` if that was done.
    #[cfg(not(haft_loom))]
    pub(crate) fn begin_anew() -> bool {
        false
    }
}

#[cfg(not(haft_loom))]
pub(crate) use system::{Held, begin_anew, is_new_child};
pub(crate) use system::{generation, seed};
#[cfg(all(unix, not(any(miri, haft_loom, haft_sim))))]
pub(crate) use system::{go_on, prepare};
