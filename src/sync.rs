//! The one place that names atomics, locks, thread-local storage or the model checker.
//!
//! Built with `--cfg haft_loom`, everything here is loom's and every access is explored; built
//! otherwise, everything here is std's and costs nothing more. The cfg is haft's own, so that a
//! dependent crate which models itself with `--cfg loom` does not flip this one. Built with `--cfg haft_sim`, everything is std's and is
//! told to an observer as well, who simulates many cores.

pub(crate) mod forks;
#[cfg(haft_sim)]
pub mod simulation;
#[cfg(haft_sim)]
pub(crate) use simulation::{AtomicBool, AtomicPtr, AtomicU32, AtomicU64, AtomicUsize, Ordering, fence};

#[cfg(not(any(haft_loom, haft_sim)))]
pub(crate) use std::sync::atomic::{
    AtomicBool, AtomicPtr, AtomicU32, AtomicU64, AtomicUsize, Ordering, fence,
};

#[cfg(all(haft_loom, not(haft_shuttle)))]
pub(crate) use loom as model;
/// Built with `--cfg haft_shuttle` as well, the models are shuttle's: random schedules of larger scenarios instead of all of small ones.
#[cfg(haft_shuttle)]
pub(crate) use shuttle as model;

#[cfg(all(haft_loom, not(haft_shuttle)))]
pub(crate) mod schedules;
#[cfg(haft_shuttle)]
pub(crate) use model::sync::atomic::{
    AtomicBool, AtomicPtr, AtomicU32, AtomicU64, AtomicUsize, Ordering, fence,
};
#[cfg(all(haft_loom, not(haft_shuttle)))]
pub(crate) use schedules::{AtomicPtr, AtomicU32, AtomicU64, AtomicUsize, Ordering, fence};

#[cfg(haft_loom)]
use model::sync as std_or_model;
#[cfg(not(haft_loom))]
use std::sync as std_or_model;
pub(crate) use std_or_model::Arc;

#[cfg(not(haft_loom))]
pub(crate) use std::thread_local;

/// The cheap side of an asymmetric barrier (E12): the compiler keeps the order, and whoever needs the processor to keep it too
/// makes all threads pass a barrier. A model has no such thing: see [`Asymmetric`].
#[inline]
pub(crate) fn light_fence() {
    #[cfg(not(any(haft_loom, all(miri, not(haft_no_barrier)))))]
    std::sync::atomic::compiler_fence(Ordering::SeqCst);
    // SeqCst (E12): Miri has no barrier of all threads, so both sides of the pair are fences.
    #[cfg(all(miri, not(haft_no_barrier), not(haft_loom)))]
    fence(Ordering::SeqCst);
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

/// What is written once, before anybody else may look at it. Performance: the compiler may keep it in a
/// register, which it may not do with an atomic.
#[derive(Debug)]
pub(crate) struct Fixed<T>(std::cell::UnsafeCell<std::mem::MaybeUninit<T>>);

impl<T: Copy> Fixed<T> {
    /// Nothing yet; any bits will do.
    pub(crate) const fn new() -> Self {
        Self(std::cell::UnsafeCell::new(std::mem::MaybeUninit::uninit()))
    }

    /// Where it is. Whoever writes there does so once, before it is published, and whoever reads does so
    /// after that.
    #[inline(always)]
    pub(crate) const fn get(&self) -> *mut T {
        self.0.get().cast()
    }
}

/// Waits a moment for another thread, which is between two instructions.
#[inline]
pub(crate) fn pause() {
    #[cfg(haft_loom)]
    model::thread::yield_now();
    #[cfg(not(haft_loom))]
    std::thread::yield_now();
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

/// Hides from Miri what is inside, which is used through pointers and has nothing but atomics.
///
/// Where a reference is made, Miri looks for cells in each element of each array behind it, unless
/// the array is itself in a cell: with a million elements that takes seconds and gigabytes.
#[derive(Debug)]
pub(crate) struct Opaque<T>(std::cell::UnsafeCell<T>);

impl<T> Opaque<T> {
    pub(crate) const fn new(value: T) -> Self {
        Self(std::cell::UnsafeCell::new(value))
    }

    /// Where the value is.
    #[inline(always)]
    pub(crate) const fn get(&self) -> *const T {
        self.0.get()
    }
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

#[cfg(haft_loom)]
pub(crate) type MutexGuard<'a, T> = model::sync::MutexGuard<'a, T>;

/// A lock that is held, and that a fork waits for.
#[cfg(not(haft_loom))]
#[derive(Debug)]
pub(crate) struct MutexGuard<'a, T> {
    guard: std::sync::MutexGuard<'a, T>,
    #[cfg(any(haft_tsan, haft_sim))]
    trace: &'a AtomicU32,
    /// Dropped after the lock is let go.
    _held: forks::Held,
}

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
        #[cfg(not(haft_loom))]
        let held = forks::Held::new();
        // Acquire: the lock's own order.
        #[cfg(haft_sim)]
        while self.trace.swap(1, Ordering::Acquire) != 0 {}
        let guard = self.lock.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        // Acquire: the lock's own order, told again.
        #[cfg(haft_tsan)]
        self.trace.load(Ordering::Acquire);
        #[cfg(not(haft_loom))]
        let guard = MutexGuard {
            guard,
            #[cfg(any(haft_tsan, haft_sim))]
            trace: &self.trace,
            _held: held,
        };
        guard
    }
}

#[cfg(not(haft_loom))]
impl<T> std::ops::Deref for MutexGuard<'_, T> {
    type Target = T;
    fn deref(&self) -> &T {
        &self.guard
    }
}

#[cfg(not(haft_loom))]
impl<T> std::ops::DerefMut for MutexGuard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.guard
    }
}

#[cfg(any(haft_tsan, haft_sim))]
impl<T> Drop for MutexGuard<'_, T> {
    fn drop(&mut self) {
        // Release: as above; the lock itself is let go after this.
        self.trace.swap(0, Ordering::Release);
    }
}

/// Something that happens once, and that one thread waits for.
#[derive(Debug)]
pub(crate) struct Signal {
    given: std_or_model::Mutex<bool>,
    told: std_or_model::Condvar,
}

impl Signal {
    pub(crate) fn new() -> Self {
        Self { given: std_or_model::Mutex::new(false), told: std_or_model::Condvar::new() }
    }

    /// It has happened.
    pub(crate) fn give(&self) {
        *self.given.lock().unwrap_or_else(|poisoned| poisoned.into_inner()) = true;
        self.told.notify_one();
    }

    /// Waits until it has.
    pub(crate) fn wait(&self) {
        let mut given = self.given.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        while !*given {
            given = self.told.wait(given).unwrap_or_else(|poisoned| poisoned.into_inner());
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
