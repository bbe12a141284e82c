//! Removals that wait until the value is dropped, by whoever does that.
//!
//! A remover that waits enters itself before it closes the slot. So it is there before it gives its own hold
//! back, and whoever has the last hold finds it (E18). That one drops the value and tells it. Where nobody
//! waits, the last holder looks at one number, and only if a value outlived its removal.

use crate::sync::{Arc, AtomicUsize, Mutex, Ordering, Signal};

/// All removers that wait.
#[derive(Debug)]
pub(crate) struct Waits {
    count: AtomicUsize,
    all: Mutex<Vec<Wait>>,
}

#[derive(Debug)]
struct Wait {
    handle: u64,
    dropped: Arc<Signal>,
}

impl Waits {
    /// None.
    #[cfg(not(haft_loom))]
    pub(super) const fn new() -> Self {
        Self { count: AtomicUsize::new(0), all: Mutex::new(Vec::new()) }
    }

    /// None.
    #[cfg(haft_loom)]
    pub(super) fn new() -> Self {
        Self { count: AtomicUsize::new(0), all: Mutex::new(Vec::new()) }
    }

    /// Enters the caller, who is about to remove the handle, and is told from then on.
    pub(crate) fn enter(&self, handle: u64) -> Entered<'_> {
        let dropped = Arc::new(Signal::new());
        let mut all = self.all.lock();
        all.push(Wait { handle, dropped: dropped.clone() });
        // Relaxed (E18): the caller's own hold, given back later, orders it.
        self.count.store(all.len(), Ordering::Relaxed);
        Entered { waits: self, dropped }
    }

    /// Says that the value of a handle is dropped. The caller had its last hold.
    ///
    /// Relaxed (E18): it has acquired the end of the remover's hold, which that one had when it entered itself.
    #[inline]
    pub(super) fn tell(&self, handle: u64) {
        if self.count.load(Ordering::Relaxed) != 0 {
            self.leave(|wait| wait.handle == handle);
        }
    }

    /// In the child of a fork, where of all threads only the caller goes on, nobody waits. (A signal may have
    /// been in use just then, so it stays as it is.)
    #[cfg(not(haft_loom))]
    pub(super) fn outlive(&self) {
        std::mem::forget(std::mem::take(&mut *self.all.lock()));
        self.count.store(0, Ordering::Relaxed);
    }

    #[cold]
    fn leave(&self, who: impl Fn(&Wait) -> bool) {
        let mut all = self.all.lock();
        all.retain(|wait| {
            let leaves = who(wait);
            if leaves {
                wait.dropped.give();
            }
            !leaves
        });
        self.count.store(all.len(), Ordering::Relaxed);
    }
}

/// A remover that is among those that wait, until this is dropped.
#[derive(Debug)]
pub(crate) struct Entered<'a> {
    waits: &'a Waits,
    dropped: Arc<Signal>,
}

impl Entered<'_> {
    /// Waits. The caller's removal has won, and left the value to other holders.
    pub(crate) fn until_dropped(&self) {
        self.dropped.wait();
    }
}

impl Drop for Entered<'_> {
    fn drop(&mut self) {
        self.waits.leave(|wait| Arc::ptr_eq(&wait.dropped, &self.dropped));
    }
}
