//! The one place that names atomics, locks, thread-local storage or the model checker.
//!
//! Built with `--cfg haft_loom`, everything here is loom's and every access is explored; built
//! otherwise, everything here is std's and costs nothing more. The cfg is haft's own, so that a
//! dependent crate which models itself with `--cfg loom` does not flip this one. Built with `--cfg haft_sim`, everything is std's and is
//! told to an observer as well, who simulates many cores.

#[cfg(haft_sim)]
pub mod simulation;
#[cfg(haft_sim)]
pub(crate) use simulation::{AtomicBool, AtomicPtr, AtomicU32, AtomicU64, AtomicUsize, Ordering, fence};

#[cfg(not(any(haft_loom, haft_sim)))]
pub(crate) use std::sync::atomic::{
    AtomicBool, AtomicPtr, AtomicU32, AtomicU64, AtomicUsize, Ordering, fence,
};

/// By what words are written and read, by their size in bytes. (A simulation is told of values where they are tracked.)
#[cfg(not(haft_loom))]
pub(crate) use std::sync::atomic::{
    AtomicU8 as Word1, AtomicU16 as Word2, AtomicU32 as Word4, AtomicU64 as Word8,
};

#[cfg(all(haft_loom, not(haft_shuttle)))]
pub(crate) use loom as model;
/// Built with `--cfg haft_shuttle` as well, the models are shuttle's: random schedules of larger scenarios instead of all of small ones.
#[cfg(haft_shuttle)]
pub(crate) use shuttle as model;

#[cfg(haft_loom)]
pub(crate) use model::sync::atomic::{
    AtomicBool, AtomicPtr, AtomicU32, AtomicU64, AtomicUsize, Ordering, fence,
};

#[cfg(not(haft_loom))]
pub(crate) use std::thread_local;

/// The cheap side of an asymmetric barrier (E12): the compiler keeps the order, and whoever needs the processor to keep it too
/// makes all threads pass a barrier. A model has no such thing: see [`Asymmetric`].
#[inline]
pub(crate) fn light_fence() {
    #[cfg(not(haft_loom))]
    std::sync::atomic::compiler_fence(Ordering::SeqCst);
    #[cfg(haft_loom)]
    if ASYMMETRIC.get() == Asymmetric::Works {
        fence(Ordering::SeqCst);
    }
}

/// What stands for the asymmetric barrier in a model.
#[cfg(haft_loom)]
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Asymmetric {
    /// Both sides are full fences, which is what the pair amounts to.
    Works,
    /// There is none, and the cheap side is nothing: readers do with barriers of their own.
    Missing,
    /// It was there and fails, and the cheap side is nothing: what needed it is never dropped.
    Fails,
}

#[cfg(haft_loom)]
std::thread_local! {
    /// Of the model that this thread explores: all threads of a model are this one to the system.
    pub(crate) static ASYMMETRIC: std::cell::Cell<Asymmetric> = const { std::cell::Cell::new(Asymmetric::Works) };
}

/// Says that all threads are made to pass a barrier now; only a simulation wants to know.
#[inline]
#[allow(dead_code, reason = "some systems have no such barrier, and models need none")]
pub(crate) fn note_barrier() {
    #[cfg(haft_sim)]
    simulation::tell(simulation::Kind::Barrier, 0);
}

/// Compare-exchange on a state word before everything that follows (E3).
///
/// One `SeqCst` exchange: with the `SeqCst` loads that follow it, it is one half of the store-buffering pair whose other half is
/// a reader's publication. loom treats `SeqCst` accesses as acquire-release but knows fences exactly, so a model gets the
/// fence spelled out.
#[inline]
#[cfg_attr(haft_sim, track_caller)]
pub(crate) fn close(word: &AtomicU64, current: u64, new: u64) -> Result<u64, u64> {
    let result = word.compare_exchange(current, new, Ordering::SeqCst, Ordering::Relaxed);
    #[cfg(haft_loom)]
    fence(Ordering::SeqCst);
    result
}

/// A lock that a panic does not poison: whatever it protects is valid between any two statements.
///
/// Built with `--cfg haft_tsan`, the lock also leaves a trace that a thread sanitizer sees, since std's own locks are compiled without it. A
/// simulation sees the trace, too, which is then the lock: whoever waits for it gives up its turn.
#[derive(Debug)]
pub(crate) struct Mutex<T> {
    #[cfg(not(haft_loom))]
    lock: std::sync::Mutex<T>,
    #[cfg(haft_loom)]
    lock: model::sync::Mutex<T>,
    #[cfg(any(haft_tsan, haft_sim))]
    trace: AtomicU32,
}

#[cfg(not(any(haft_loom, haft_tsan, haft_sim)))]
pub(crate) type MutexGuard<'a, T> = std::sync::MutexGuard<'a, T>;
#[cfg(haft_loom)]
pub(crate) type MutexGuard<'a, T> = model::sync::MutexGuard<'a, T>;
#[cfg(any(haft_tsan, haft_sim))]
pub(crate) use traced::Guard as MutexGuard;

impl<T> Mutex<T> {
    #[cfg(not(haft_loom))]
    pub(crate) const fn new(value: T) -> Self {
        Self {
            lock: std::sync::Mutex::new(value),
            #[cfg(any(haft_tsan, haft_sim))]
            trace: AtomicU32::new(0),
        }
    }

    #[cfg(haft_loom)]
    pub(crate) fn new(value: T) -> Self {
        Self { lock: model::sync::Mutex::new(value) }
    }

    #[cfg_attr(haft_sim, track_caller)]
    pub(crate) fn lock(&self) -> MutexGuard<'_, T> {
        // Acquire: the lock's own order.
        #[cfg(haft_sim)]
        while self.trace.swap(1, Ordering::Acquire) != 0 {}
        let guard = self.lock.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        #[cfg(any(haft_tsan, haft_sim))]
        let guard = MutexGuard::new(guard, &self.trace);
        guard
    }

    #[cfg(haft_sim)]
    pub(crate) fn try_lock(&self) -> Option<MutexGuard<'_, T>> {
        // Acquire: the lock's own order.
        let free = self.trace.swap(1, Ordering::Acquire) == 0;
        let lock = || self.lock.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        free.then(|| MutexGuard::new(lock(), &self.trace))
    }

    #[cfg(not(haft_sim))]
    pub(crate) fn try_lock(&self) -> Option<MutexGuard<'_, T>> {
        use std::sync::TryLockError;
        let guard = match self.lock.try_lock() {
            Ok(guard) => guard,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => return None,
        };
        #[cfg(haft_tsan)]
        let guard = MutexGuard::new(guard, &self.trace);
        Some(guard)
    }
}

#[cfg(any(haft_tsan, haft_sim))]
mod traced {
    use super::{AtomicU32, Ordering};
    use std::ops::{Deref, DerefMut};

    /// A guard whose order a thread sanitizer sees, and whose end a simulation does.
    #[derive(Debug)]
    pub(crate) struct Guard<'a, T> {
        guard: std::sync::MutexGuard<'a, T>,
        trace: &'a AtomicU32,
    }

    impl<'a, T> Guard<'a, T> {
        pub(super) fn new(guard: std::sync::MutexGuard<'a, T>, trace: &'a AtomicU32) -> Self {
            // Acquire: the lock's own order, told again.
            #[cfg(haft_tsan)]
            trace.load(Ordering::Acquire);
            Self { guard, trace }
        }
    }

    impl<T> Deref for Guard<'_, T> {
        type Target = T;
        fn deref(&self) -> &T {
            &self.guard
        }
    }

    impl<T> DerefMut for Guard<'_, T> {
        fn deref_mut(&mut self) -> &mut T {
            &mut self.guard
        }
    }

    impl<T> Drop for Guard<'_, T> {
        fn drop(&mut self) {
            // Release: as above; the lock itself is let go after this.
            self.trace.swap(0, Ordering::Release);
        }
    }
}

/// Tells the model checker about accesses to memory that is reached through raw pointers.
///
/// In a model of loom's, two accesses of which one is a write and which nothing orders fail the model; in one of shuttle's, two that
/// overlap. A simulation is told where they are. In a normal build the type is empty and both methods vanish.
#[derive(Debug)]
pub(crate) struct Track {
    #[cfg(all(haft_loom, not(haft_shuttle)))]
    cell: loom::cell::UnsafeCell<()>,
    /// How many read it now; -1 while one writes.
    #[cfg(haft_shuttle)]
    users: std::sync::atomic::AtomicIsize,
}

impl Track {
    #[cfg(not(haft_loom))]
    pub(crate) const fn new() -> Self {
        Self {}
    }

    #[cfg(all(haft_loom, not(haft_shuttle)))]
    pub(crate) fn new() -> Self {
        Self { cell: loom::cell::UnsafeCell::new(()) }
    }

    #[cfg(haft_shuttle)]
    pub(crate) fn new() -> Self {
        Self { users: std::sync::atomic::AtomicIsize::new(0) }
    }

    /// Says that the memory is read here.
    #[inline]
    #[cfg_attr(haft_sim, track_caller)]
    pub(crate) fn read(&self) {
        #[cfg(haft_sim)]
        simulation::tell(simulation::Kind::Load, std::ptr::from_ref(self).addr());
        #[cfg(all(haft_loom, not(haft_shuttle)))]
        self.cell.with(|_| ());
        #[cfg(haft_shuttle)]
        {
            // SeqCst: not modelled; it only counts.
            assert!(self.users.fetch_add(1, Ordering::SeqCst) >= 0, "read while somebody writes");
            model::thread::yield_now();
            self.users.fetch_sub(1, Ordering::SeqCst);
        }
    }

    /// Says that the memory is written, moved out of or dropped here.
    #[inline]
    #[cfg_attr(haft_sim, track_caller)]
    pub(crate) fn write(&self) {
        #[cfg(haft_sim)]
        simulation::tell(simulation::Kind::Store, std::ptr::from_ref(self).addr());
        #[cfg(all(haft_loom, not(haft_shuttle)))]
        self.cell.with_mut(|_| ());
        #[cfg(haft_shuttle)]
        {
            // SeqCst: as above.
            assert_eq!(self.users.swap(-1, Ordering::SeqCst), 0, "written while somebody else uses it");
            model::thread::yield_now();
            self.users.store(0, Ordering::SeqCst);
        }
    }
}

/// A number that no earlier call in this process gave, from 1 up. Relaxed: only the number matters.
///
/// Not modelled: nothing depends on which number it is.
pub(crate) fn unique_number() -> u64 {
    use std::sync::atomic::{AtomicU64, Ordering};
    static NEXT: AtomicU64 = AtomicU64::new(1);
    NEXT.fetch_add(1, Ordering::Relaxed)
}
