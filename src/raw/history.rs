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
//! from then on. Eight bytes a slot, before the page's header and away from the slots themselves, so that a lookup does not touch them.
//!
//! Built with `--cfg haft_bare`, as the benchmarks do to measure what all this costs, nothing is remembered and no bytes are taken.

use crate::sync::{AtomicU64, Ordering};

const REMOVED_SHIFT: u32 = 16;
const THREAD_SHIFT: u32 = 32;
const TIME_SHIFT: u32 = 44;
const SITE: u64 = (1 << REMOVED_SHIFT) - 1;
const THREAD: u64 = (1 << (TIME_SHIFT - THREAD_SHIFT)) - 1;

#[cfg(not(haft_loom))]
const _: () = {
    assert!(THREAD_SHIFT + super::name::BITS == TIME_SHIFT && TIME_SHIFT + super::clock::BITS == 64);
    assert!(super::site::SITES as u64 == SITE + 1);
};

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

/// What was stored together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Sites {
    /// Where the handle was created; 0 where that is not known (yet).
    pub(crate) created: u32,
    /// Where it was removed; 0 while it is live.
    pub(crate) removed: u32,
    /// The thread that removed it or, while it is live, created it; 0 where that is not known.
    pub(crate) thread: u32,
    /// When that was, at the earliest.
    pub(crate) time: u32,
}

impl History {
    /// Of a slot that was never used.
    pub(crate) fn new() -> Self {
        Self(std::array::from_fn(|_| AtomicU64::new(0)))
    }

    #[inline(always)]
    fn word(&self) -> Option<&AtomicU64> {
        self.0.first()
    }

    /// Records a creation; the creator calls it after the slot is open, or while it is reserved, where the handle is disclosed and others may remove it from
    /// the moment on when it is open.
    ///
    /// Release (E11): after the state, so that whoever still sees the old state after reading the sites has read the old sites; pairs with
    /// the Acquire in [`History::sites`].
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

    /// Everything, as it was stored together.
    ///
    /// Acquire (E11): a state that is read after this is not older than the sites are. What a thread with a number is called is visible as well.
    pub(crate) fn sites(&self) -> Sites {
        let word = self.word().map_or(0, |word| word.load(Ordering::Acquire));
        Sites {
            created: (word & SITE) as u32,
            removed: (word >> REMOVED_SHIFT & SITE) as u32,
            thread: (word >> THREAD_SHIFT & THREAD) as u32,
            time: (word >> TIME_SHIFT) as u32,
        }
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
            history.created(mark(created, creator, begun));
            prop_assert_eq!(history.sites(), Sites { created, removed: 0, thread: creator, time: begun });
            history.removed(removed, mark(0, remover, ended));
            prop_assert_eq!(history.sites(), Sites { created, removed, thread: remover, time: ended });
            history.given_up(mark(removed, remover, ended));
            let both = Sites { created: removed, removed, thread: remover, time: ended };
            prop_assert_eq!(history.sites(), both);
        }
    }
}
