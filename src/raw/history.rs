//! What is remembered of a slot's last handle: the lines that created and removed it, and who did the later of the two, and when.
//!
//! ```text
//! 63           44 43          32 31           16 15            0
//! +--------------+--------------+---------------+---------------+
//! |   time 20    |  thread 12   |  removed 16   |  created 16   |
//! +--------------+--------------+---------------+---------------+
//! ```
//!
//! Lines are site numbers, threads are numbers of `name`, times are seconds of `clock`. Thread and time are the creator's while the handle is live, and the remover's
//! from then on. Eight bytes a slot, before the page's slots and away from them, so that a lookup does not touch them.
//!
//! Built with `--cfg haft_bare`, as the benchmarks do to measure what all this costs, nothing is remembered and no bytes are taken.

use super::slot::{Phase, Slot, State};
use crate::sync::{AtomicU64, Ordering};

const REMOVED_SHIFT: u32 = 16;
const THREAD_SHIFT: u32 = 32;
const TIME_SHIFT: u32 = 44;
/// The highest number of a site.
pub(super) const SITE: u64 = (1 << REMOVED_SHIFT) - 1;
const THREAD: u64 = (1 << (TIME_SHIFT - THREAD_SHIFT)) - 1;

#[cfg(not(haft_loom))]
const _: () = {
    assert!(THREAD_SHIFT + super::name::BITS == TIME_SHIFT && TIME_SHIFT + super::clock::BITS == 64);
};

/// The number of no site: none was stored.
pub(crate) const NO_SITE: u32 = 0;

/// The number of a site that has none of its own. No line has it.
pub(crate) const NOWHERE: u32 = SITE as u32;

/// What will be remembered of somebody who does something: the number of the line in the lowest bits, thread and time where they stand in the word.
pub(crate) type Mark = u64;

/// A thread's number where it stands in a mark.
#[cfg(not(haft_loom))]
pub(crate) const fn who(number: u32) -> u64 {
    (number as u64) << THREAD_SHIFT
}

/// The mark of a thread, now, without a line.
#[cfg(not(haft_loom))]
#[inline(always)]
pub(crate) fn stamp(who: u64) -> Mark {
    if cfg!(haft_bare) { 0 } else { who | super::clock::now() }
}

/// The word of a slot; none, where nothing is remembered.
#[derive(Debug)]
pub(crate) struct History([AtomicU64; !cfg!(haft_bare) as usize]);

/// What was stored together. An error copies it, and turns it into words when it is displayed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Sites(u64);

impl Sites {
    /// Nothing is known.
    pub(crate) const NONE: Self = Self(0);

    /// Where the handle was created; 0 where that is not known (yet).
    #[inline]
    pub(crate) const fn created(self) -> u32 {
        (self.0 & SITE) as u32
    }

    /// Where it was removed; 0 while it is live.
    #[inline]
    pub(crate) const fn removed(self) -> u32 {
        (self.0 >> REMOVED_SHIFT & SITE) as u32
    }

    /// The thread that removed it or, while it is live, created it; 0 where that is not known.
    #[inline]
    pub(crate) const fn thread(self) -> u32 {
        (self.0 >> THREAD_SHIFT & THREAD) as u32
    }

    /// When that was, at the earliest.
    #[inline]
    pub(crate) const fn time(self) -> u32 {
        (self.0 >> TIME_SHIFT) as u32
    }

    /// The line of the creation alone.
    #[inline]
    pub(crate) const fn creation(self) -> Self {
        Self(self.0 & SITE)
    }
}

impl History {
    /// Of a slot that was never used.
    #[cfg(any(test, haft_loom))]
    pub(crate) fn new() -> Self {
        Self(std::array::from_fn(|_| AtomicU64::new(0)))
    }

    #[inline(always)]
    fn word(&self) -> Option<&AtomicU64> {
        self.0.first()
    }

    /// Records a creation; the creator calls it before it opens the slot, so whoever finds the handle live finds its line.
    ///
    /// Release (E11): after the state of the handle before, so that whoever still sees that live after reading the sites has read its own;
    /// pairs with the Acquire in [`History::sites`].
    #[inline]
    pub(crate) fn created(&self, by: Mark) {
        if let Some(word) = self.word() {
            word.store(by, Ordering::Release);
        }
    }

    /// Records a removal, of whose mark the line is told apart; the one who closed the slot calls it.
    #[inline]
    pub(crate) fn removed(&self, site: u32, stamp: Mark) {
        if let Some(word) = self.word() {
            let created = word.load(Ordering::Relaxed) & SITE;
            // Release (E11): after the state, as in `created`.
            word.store(created | u64::from(site) << REMOVED_SHIFT | stamp, Ordering::Release);
        }
    }

    /// Records a reservation that was given up, its line as both; its owner calls it before the slot is vacant again.
    pub(crate) fn given_up(&self, by: Mark) {
        if let Some(word) = self.word() {
            // Release (E11): after the state.
            word.store(by | (by & SITE) << REMOVED_SHIFT, Ordering::Release);
        }
    }

    /// The state of the slot, and the sites of the handle that it says; none where they may be another handle's.
    ///
    /// The state is read before the sites, and once more after them. Before: it was stored after the creation's line (E1), or the remover's
    /// exchange was. So the sites are not of an earlier handle, even if nothing orders who told the handle. After: the sites are not of a later
    /// one (E11), but for the line of its creation, which comes before its state. That alone says of no removal.
    #[inline]
    pub(crate) fn with_state(&self, slot: &Slot) -> (State, Sites) {
        let state = slot.state();
        let sites = self.sites();
        let now = slot.state();
        let sites = match state.phase() {
            Phase::Vacant | Phase::Closed if !matches!(sites.removed(), NO_SITE | NOWHERE) => sites,
            Phase::Live => sites,
            // The remover is between its two stores, or says nothing of itself.
            Phase::Closed => sites.creation(),
            Phase::Vacant if sites.removed() == NOWHERE => sites.creation(),
            Phase::Vacant | Phase::Reserved => Sites::NONE,
        };
        (state, if state.is_like(now) { sites } else { Sites::NONE })
    }

    /// Everything, as it was stored together.
    ///
    /// Acquire (E11): a state that is read after this is not older than the sites are. What a thread with a number is called is visible as well.
    #[inline]
    fn sites(&self) -> Sites {
        Sites(self.word().map_or(0, |word| word.load(Ordering::Acquire)))
    }
}

#[cfg(all(test, not(haft_loom)))]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn s13_what_is_recorded_comes_back_and_the_remover_takes_the_place_of_the_creator(
            (created, removed) in (0..=SITE as u32, 0..=SITE as u32),
            (creator, remover) in (0..=THREAD as u32, 0..=THREAD as u32),
            (begun, ended) in (0..1_u32 << 20, 0..1_u32 << 20),
        ) {
            let history = History::new();
            let mark = |site, number, time| u64::from(site) | who(number) | u64::from(time) << TIME_SHIFT;
            let parts = |sites: Sites| (sites.created(), sites.removed(), sites.thread(), sites.time());
            history.created(mark(created, creator, begun));
            prop_assert_eq!(parts(history.sites()), (created, 0, creator, begun));
            history.removed(removed, mark(0, remover, ended));
            prop_assert_eq!(parts(history.sites()), (created, removed, remover, ended));
            prop_assert_eq!(parts(history.sites().creation()), (created, 0, 0, 0));
            history.given_up(mark(removed, remover, ended));
            prop_assert_eq!(parts(history.sites()), (removed, removed, remover, ended));
        }
    }
}
