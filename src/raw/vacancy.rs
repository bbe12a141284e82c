//! Vacant pages: when a page's memory goes back to the system (S17), and who does it.
//!
//! Three parties may find that nothing is outstanding in a page: its owner, a thread that returns a slot
//! remotely, and a thread that drops the registry. Whoever it is sets `RELEASING` in the page's remote word
//! first, so one of them does it at a time, and the owner does not collect the page meanwhile.
//!
//! | who | when | which pages |
//! |---|---|---|
//! | the owner | a slot comes back to it, and `freed` has reached `check` | listed ones, but the current and one that stays warm |
//! | another thread | it returned a slot, and the count has reached `check` | all but the current |
//! | who drops a registry | all handles are removed | all |
//!
//! The owner creates handles in its current page alone. Before it makes a page current it says so, and then
//! looks whether somebody is `RELEASING` it; the other one sets `RELEASING`, and then looks whether the page is
//! current (E16). So at least one of them sees the other, and leaves the page alone.
//!
//! Nobody counts at each return. A look sets `check` to where the page would be vacant if nothing more was
//! created, so a page that is only emptied is looked at twice.
//!
//! What remains of a page is its *floor*: the highest generation that any slot has had. Slots go on above
//! it (S1).
//!
//! | remote word | means | the owner's `collect` | a returning thread |
//! |---|---|---|---|
//! | 0 | nothing was returned | does not come | pushes, sets `QUEUED`, queues the page |
//! | `QUEUED`, head, count | slots wait for the owner | takes all | pushes |
//! | `RELEASING` as well | somebody looks whether the page is vacant | sets `SKIPPED`, and leaves the page | pushes |
//! | `SKIPPED` as well | the page is on no stack | - | pushes; who ends the release queues the page |
//! | `AGAIN` as well | another one wanted to look meanwhile | as before | pushes; who ends the release looks again |

use super::link::Link;
use super::memory;
use super::page::{HEAD, ONE, Page, QUEUED, RETURNED};
use super::seed::mix;
use super::slot::Phase;
use crate::sync::{Ordering, fence, forks};

/// In the remote word: somebody looks whether the page is vacant, and may give its memory back.
const RELEASING: u64 = 1 << 17;
/// In the remote word: the owner came by meanwhile.
const SKIPPED: u64 = 1 << 18;

/// In the remote word: another one wanted to look meanwhile, and has returned a slot before.
const AGAIN: u64 = 1 << 19;

/// Slots that come back before anybody looks again, in a page in which handles are created.
const PAUSE: u64 = 256;

/// What became of an attempt to give a page's memory back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Release {
    /// It is given back.
    Done,
    /// Something is outstanding, or it is not worth it.
    Occupied,
    /// Somebody else is at it.
    Busy,
}

impl Page {
    /// The owner's look at a page to which slots came back. `freed` is the word of the list that the owner
    /// pushes, with these slots in it; it is stored here.
    ///
    /// Until it is, the slots are outstanding, so nobody else gives the memory back. Whatever the owner alone
    /// may do comes before that: afterwards another thread may be the one that has the page.
    ///
    /// # Safety
    ///
    /// The caller owns the page's shard (I6).
    #[cold]
    #[inline(never)]
    pub(super) unsafe fn look_after(&'static self, freed: u64) {
        // SAFETY(I2): installed, since somebody owns it.
        let shard = unsafe { self.shard() };
        if self.is_inherited() {
            // SAFETY(I6): the caller's promise.
            return unsafe { self.look_after_inherited(freed) };
        }
        if !self.is_listed() {
            // SAFETY(I6): the caller's promise.
            unsafe { shard.list(self) };
        }
        let check = |freed: u64, left: u64| {
            self.mine.check.store((freed & !HEAD) + left.max(1) * ONE, Ordering::Relaxed);
        };
        if shard.is_current(self) {
            // SAFETY(I6): the caller's promise.
            let (freed, left) = unsafe { self.exchange_lists(freed) };
            check(freed, left);
            // Release (E10): whoever counts the slots as returned sees that nothing follows.
            return self.mine.freed.store(freed, Ordering::Release);
        }
        // Release (E10): whoever counts the slots as returned sees that the page is listed.
        self.mine.freed.store(freed, Ordering::Release);
        let mut left = self.outstanding();
        if left == 0 && !shard.keeps_warm(self) && self.try_release(|| true) == Release::Done {
            left = PAUSE;
        }
        check(self.mine.freed.load(Ordering::Relaxed), left);
    }

    /// As [`Page::look_after`], of a page that a child has from its parent.
    ///
    /// # Safety
    ///
    /// As for [`Page::look_after`].
    unsafe fn look_after_inherited(&'static self, freed: u64) {
        // Release (E10): as in `look_after`.
        self.mine.freed.store(freed, Ordering::Release);
        let left = self.outstanding();
        self.mine.check.store((freed & !HEAD) + left.max(1) * ONE, Ordering::Relaxed);
        if left == 0 && self.try_release(|| true) == Release::Done && !self.is_listed() {
            // SAFETY(I2): installed, since somebody owns it. SAFETY(I6): the caller's promise.
            unsafe { self.shard().list(self) };
        }
    }

    /// The look of a thread that has returned a slot of another thread's page.
    #[cold]
    #[inline(never)]
    pub(super) fn look_after_remotely(&self) {
        // SAFETY(I2): installed, since a slot of it was returned.
        let shard = unsafe { self.shard() };
        let is_left = || !shard.may_create_in(self) || shard.set.is_parked();
        // Before the look: a slot that comes back after this is looked at by who returns it.
        let returned = self.others.list.load(Ordering::Relaxed) / RETURNED;
        let mut left = self.outstanding();
        if !is_left() {
            left = left.max(PAUSE);
        } else if left == 0 {
            self.try_release(is_left);
        }
        // Relaxed: a hint, which may be too early or too late where others look as well.
        self.others.check.store(returned + left.max(1), Ordering::Relaxed);
    }

    /// Gives the page's memory back if nothing is outstanding in it, `may` says so then, and nobody else is
    /// at it.
    ///
    /// `may` says that no handle is created in the page, other than by the caller, until slots come back.
    pub(super) fn try_release(&self, may: impl Fn() -> bool) -> Release {
        let mut before = self.others.list.load(Ordering::Relaxed);
        loop {
            let busy = before & RELEASING != 0;
            let after = before | if busy { AGAIN } else { RELEASING };
            // Acquire (E10): what was returned is not touched any more. SeqCst (E16): before `may`.
            match self.others.list.compare_exchange_weak(before, after, Ordering::SeqCst, Ordering::Relaxed) {
                Ok(_) if busy => return Release::Busy,
                Ok(_) => break,
                Err(now) => before = now,
            }
        }
        // SeqCst (E16): as above.
        fence(Ordering::SeqCst);
        let vacant = self.release_if_vacant(&may);
        let mut list = self.others.list.load(Ordering::Relaxed);
        loop {
            let mut after = list & !(RELEASING | SKIPPED | AGAIN);
            if vacant {
                after &= QUEUED;
            }
            // The owner that came by took the page from the stack, and it may have to hear of it.
            let queue = list & SKIPPED != 0;
            // Release (E7): the owner's words that were changed come before it collects the page. Acquire
            // (E7): the owner that came by has read the link of the stack.
            match self.others.list.compare_exchange_weak(list, after, Ordering::AcqRel, Ordering::Relaxed) {
                Ok(_) => {
                    if queue {
                        // SAFETY(I2): the page was seen installed. Nobody else queues it: it is `QUEUED`.
                        unsafe { self.shard() }.enqueue(self);
                    }
                    return match (vacant, list & AGAIN != 0) {
                        (true, _) => Release::Done,
                        // Who found it busy has returned a slot, perhaps the last one.
                        (false, true) => self.try_release(may),
                        (false, false) => Release::Occupied,
                    };
                }
                Err(now) => list = now,
            }
        }
    }

    /// Whether handles may be created in a page that was there before a fork. The caller owns its shard, and
    /// has left the page.
    pub(super) fn begins_anew(&self) -> bool {
        self.outstanding() == 0 && (!self.is_inherited() || self.try_release(|| true) == Release::Done)
    }

    /// The caller has set `RELEASING`: the owner does not collect from here on, so nothing is counted twice.
    fn release_if_vacant(&self, may: impl Fn() -> bool) -> bool {
        // The owner may have created handles after they were counted and before it left the page; but then
        // `may`, which acquires that (E10), shows that they have become more.
        let created = self.created();
        self.outstanding() == 0 && may() && self.created() == created && self.release()
    }

    /// Ends the lists, notes the floor, and gives the memory back. Returns `false`, and does nothing, if
    /// that is not worth it.
    ///
    /// The caller alone has the page: nothing is outstanding, and it is `RELEASING`.
    fn release(&self) -> bool {
        // SAFETY(I2): the page was seen installed.
        let (slots, layout) = unsafe { self.extent() };
        let (inherited, is_large) = (self.is_inherited(), layout.bytes >= memory::SMALLEST);
        if !inherited && (!is_large || self.primed() == 0) {
            return false;
        }
        // Also slots whose turn never came go on above it, and not where they would have begun.
        let mut floor = self.mine.floor.load(Ordering::Relaxed).max(self.highest_first());
        for index in 0..self.primed() {
            // SAFETY(I2): primed slots are within the page.
            let state = unsafe { self.any_slot(Link::to(index)) }.state();
            debug_assert_eq!(state.phase(), Phase::Vacant);
            floor = floor.max(state.generation());
        }
        // All slots go on above the highest one. The last quarter of the generations is not for that.
        if floor > self.last_generation() - self.last_generation() / 4 {
            return false;
        }
        if inherited {
            // Somewhere in an eighth of what is left, so that siblings hardly ever meet.
            let random = mix(forks::seed() ^ self.mine.seed.load(Ordering::Relaxed) ^ u64::from(floor));
            floor += (random % u64::from((self.last_generation() - floor) / 8).max(1)) as u32;
            self.mine.forks.store(forks::generation(), Ordering::Relaxed);
        }
        self.mine.exclusive.write();
        self.mine.floor.store(floor, Ordering::Relaxed);
        let returned = self.others.list.load(Ordering::Relaxed) / RETURNED;
        let freed = self.mine.freed.load(Ordering::Relaxed) & !HEAD;
        // Release (E10): as all stores to this word.
        self.mine.freed.store(freed + returned * ONE, Ordering::Release);
        self.mine.free.store(self.mine.free.load(Ordering::Relaxed) & !HEAD, Ordering::Relaxed);
        self.mine.primed.store(0, Ordering::Relaxed);
        if is_large {
            // SAFETY(I8): nothing is outstanding, so nobody writes there before the owner primes slots anew.
            unsafe { memory::give_back(slots, layout) };
        }
        #[cfg(haft_loom)]
        self.show_zeros();
        true
    }

    /// What the system does, in a model: each word is zero some time. A reader that nothing orders may
    /// still see the word that was there.
    #[cfg(haft_loom)]
    fn show_zeros(&self) {
        for index in 0..self.slots() {
            // SAFETY(I2): within the page.
            let slot = unsafe { self.any_slot(Link::to(index)) };
            slot.value.write();
            slot.prime(1, Link::END);
        }
    }

    /// Returns `true` if somebody may be giving the page's memory back.
    ///
    /// `SeqCst` (E16): after the caller has said that it will create handles in it. Acquire (E7): what was
    /// changed by one who has ended is visible.
    pub(super) fn is_being_released(&self) -> bool {
        self.others.list.load(Ordering::SeqCst) & RELEASING != 0
    }

    /// Takes what others have returned, for the owner. `None` if somebody is looking whether the page is
    /// vacant, and queues it again.
    pub(super) fn take_remote(&self) -> Option<u64> {
        let mut list = self.others.list.load(Ordering::Relaxed);
        loop {
            let releasing = list & RELEASING != 0;
            let after = if releasing { list | SKIPPED } else { 0 };
            // Acquire (E7): the slots' ends and their links are visible. Release (E7): it clears `QUEUED`,
            // and the link to the next queued page was read before somebody may set it anew.
            match self.others.list.compare_exchange_weak(list, after, Ordering::AcqRel, Ordering::Relaxed) {
                Ok(_) if releasing => return None,
                Ok(_) => {
                    self.others.check.store(0, Ordering::Relaxed);
                    return Some(list);
                }
                Err(now) => list = now,
            }
        }
    }
}
