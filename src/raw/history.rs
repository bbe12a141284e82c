//! What is remembered of a slot's last handle: the lines that created and removed it.
//!
//! Eight bytes a slot, before the page's header and away from the slots themselves, so that a lookup does not touch them.

use crate::sync::{AtomicU64, Ordering};

/// Where the last handle was created (low half) and removed (high half), as site numbers.
#[derive(Debug)]
pub(crate) struct History(AtomicU64);

/// Two site numbers as they were stored together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Sites {
    /// Where the handle was created; 0 where that is not known (yet).
    pub(crate) created: u32,
    /// Where it was removed; 0 while it is live.
    pub(crate) removed: u32,
}

impl History {
    /// Of a slot that was never used.
    pub(crate) fn new() -> Self {
        Self(AtomicU64::new(0))
    }

    /// Records the line of a creation; the creator calls it after the slot is open.
    ///
    /// Release (E11): after the state, so that whoever still sees the old state after reading the sites has read the old sites; pairs with
    /// the Acquire in [`History::sites`].
    #[inline]
    pub(crate) fn created(&self, created: u32) {
        self.0.store(u64::from(created), Ordering::Release);
    }

    /// Records the line of a removal; the one who closed the slot calls it.
    #[inline]
    pub(crate) fn removed(&self, removed: u32) {
        let created = self.0.load(Ordering::Relaxed) as u32;
        // Release (E11): after the state, as in `created`.
        self.0.store(u64::from(created) | u64::from(removed) << 32, Ordering::Release);
    }

    /// Records the line of a reservation that was given up, as both; its owner calls it before the slot is vacant again.
    pub(crate) fn given_up(&self, site: u32) {
        // Release (E11): after the state.
        self.0.store(u64::from(site) | u64::from(site) << 32, Ordering::Release);
    }

    /// Both sites, as they were stored together.
    ///
    /// Acquire (E11): a state that is read after this is not older than the sites are.
    pub(crate) fn sites(&self) -> Sites {
        let sites = self.0.load(Ordering::Acquire);
        Sites { created: sites as u32, removed: (sites >> 32) as u32 }
    }
}
