//! Whose page it is, and whether its owner removes without a locked instruction.
//!
//! As long as no other thread has touched a page, only its owner changes the state words in it, and closes a slot by a plain store. The
//! first other thread that would change one *revokes* that, once for the page.
//!
//! | word | means | the owner closes a slot | another thread that would change a state word |
//! |---|---|---|---|
//! | `record` | biased | plainly, after it has said so and looked again | makes it `record + 1` |
//! | `record + 1` | being revoked | by an exchange | makes all threads pass a barrier; where the owner is not in the middle of a removal here, makes it `record + 2` |
//! | `record + 2` | shared | by an exchange | goes ahead |
//!
//! The owner writes the handle in its *intent*, then looks at the word again, then stores the state. Whoever revokes changes the
//! word, makes all threads pass a barrier, then looks at the intent (E13). So either the owner sees the word, or the other one sees the intent.
//! Nobody waits: an intent is there only when its handle was live and its owner is bound to remove it, so whoever sees the intent
//! of a handle takes that handle as removed. An intent of another handle of the page leaves the word as it is, and is
//! nobody else's business.
//!
//! This is biased locking (Kawachiya et al. 2002) with the wait taken out: what is biased is not a lock, but the right to one store.

use super::barrier;
use super::bits;
use super::cells::Record;
use crate::sync::{AtomicPtr, Ordering};
use std::ptr;

const REVOKING: usize = 1;
const SHARED: usize = 2;
const TAGS: usize = 3;

const _: () = assert!(align_of::<Record>() > TAGS);

/// The record that owns a page, and the state of the bias in its lowest bits.
#[derive(Debug)]
pub(super) struct Bias(AtomicPtr<Record>);

/// Whether a page with this word belongs to this record, whatever the bias. One comparison: the tag is below a record's alignment.
#[inline(always)]
pub(super) fn names(word: *const Record, me: &Record) -> bool {
    (word.addr() ^ ptr::from_ref(me).addr()) <= TAGS
}

impl Bias {
    /// Of no page.
    #[cfg(not(haft_loom))]
    pub(super) const fn none() -> Self {
        Self(AtomicPtr::new(ptr::null_mut()))
    }

    /// Of no page.
    #[cfg(haft_loom)]
    pub(super) fn none() -> Self {
        Self(AtomicPtr::new(ptr::null_mut()))
    }

    /// Begins anew with a page of this owner; `shared` where no thread will ever be the owner, or none can be made to pass a barrier.
    ///
    /// Relaxed: published with the page (E2).
    pub(super) fn begin(&self, owner: &'static Record, shared: bool) {
        let tag = if shared { SHARED } else { 0 };
        let owner = ptr::from_ref(owner).cast_mut().map_addr(|address| address | tag);
        self.0.store(owner, Ordering::Relaxed);
    }

    /// The word: a record's address and the tag. Relaxed: as for [`Bias::is_for`].
    #[inline(always)]
    pub(super) fn word(&self) -> *const Record {
        self.0.load(Ordering::Relaxed)
    }

    /// Whether the page is biased to this record. Relaxed: see [`Bias::revoke`] for what orders it.
    #[inline(always)]
    pub(super) fn is_for(&self, me: &Record) -> bool {
        ptr::eq(self.word(), me)
    }

    /// Whether this record owns the page, whatever the bias. Relaxed: that never changes while the page is kept.
    #[inline(always)]
    pub(super) fn is_owned_by(&self, me: &Record) -> bool {
        names(self.word(), me)
    }

    /// Whether some thread is about to revoke the bias. Whoever met an intent has seen the word so, and sees it so again, or later. Acquire (E13): where it is shared by now, what the owner
    /// stored plainly is visible.
    #[inline(always)]
    pub(super) fn is_being_revoked(&self) -> bool {
        self.0.load(Ordering::Acquire).addr() & REVOKING != 0
    }

    /// Sees to it that the owner's next removals in this page leave the state words to exchanges. Another thread calls it before it changes the state word of `handle`,
    /// and lets go of it where this says `false`: then the owner is removing that very handle, or no thread can be made to pass a
    /// barrier any more. Lock-free.
    #[cold]
    #[inline(never)]
    pub(super) fn revoke(&self, handle: u64) -> bool {
        // Acquire (E13): where the word is shared, what the owner stored plainly is visible.
        let word = self.0.load(Ordering::Acquire);
        let owner = word.map_addr(|address| address & !TAGS);
        match word.addr() & TAGS {
            SHARED => return true,
            REVOKING => {}
            _ => {
                let revoking = owner.map_addr(|address| address | REVOKING);
                // SeqCst (E13): before the barrier, and that before the look at the intent. Who fails finds it done.
                let _ = self.0.compare_exchange(owner, revoking, Ordering::SeqCst, Ordering::Relaxed);
            }
        }
        if !barrier::heavy() {
            return false;
        }
        // SAFETY(I5): the word is a record's address but for the tag, and records are never freed.
        let intent = unsafe { &*owner }.intent();
        if intent.is_some_and(|intent| bits::place(intent) == bits::place(handle)) {
            return intent != Some(handle);
        }
        let from = owner.map_addr(|address| address | REVOKING);
        let to = owner.map_addr(|address| address | SHARED);
        // Release (E13): what this thread has seen of the owner's plain stores, others see as well. Acquire, where it fails: somebody else's look.
        let _ = self.0.compare_exchange(from, to, Ordering::AcqRel, Ordering::Acquire);
        true
    }

    /// Whether the owner is in the middle of removing this handle, and another thread has to take it as removed.
    pub(super) fn is_going(&self, handle: u64) -> bool {
        let word = self.0.load(Ordering::Acquire);
        let owner = word.map_addr(|address| address & !TAGS);
        // SAFETY(I5): as in `revoke`.
        word.addr() & TAGS == REVOKING && unsafe { &*owner }.intent() == Some(handle)
    }
}

#[cfg(all(test, not(haft_loom)))]
mod tests {
    use super::super::space::{Size, Space};
    use super::*;

    const HANDLE: u64 = bits::pack(3, 17, 5);

    fn owned(shared: bool) -> (Bias, &'static Record, &'static Record) {
        let space = Space::leaked(Size::FULL);
        let (owner, other) = (space.add_record(), space.add_record());
        let bias = Bias::none();
        bias.begin(owner, shared);
        (bias, owner, other)
    }

    #[test]
    fn e13_a_page_stays_its_owners_when_its_bias_has_ended() {
        let (bias, owner, other) = owned(false);
        assert!(bias.is_for(owner) && bias.is_owned_by(owner));
        assert!(!bias.is_for(other) && !bias.is_owned_by(other));
        if barrier::is_available() {
            assert!(bias.revoke(HANDLE));
            assert!(!bias.is_for(owner) && bias.is_owned_by(owner) && !bias.is_owned_by(other));
            assert_eq!(bias.0.load(Ordering::Relaxed).addr(), ptr::from_ref(owner).addr() + SHARED);
        }
        let (shared, owner, _) = owned(true);
        assert!(!shared.is_for(owner) && shared.is_owned_by(owner));
        owner.begin_intent(HANDLE);
        assert!(shared.revoke(HANDLE) && !shared.is_going(HANDLE), "nobody closes a slot plainly there");
    }

    #[test]
    fn e13_an_intent_stops_whoever_wants_that_handle_and_nobody_else() {
        let (same_page, elsewhere) = (bits::pack(1, 17, 6), bits::pack(3, 18, 5));
        let (bias, owner, _) = owned(false);
        if !barrier::is_available() {
            return;
        }
        owner.begin_intent(HANDLE);
        assert!(!bias.is_going(HANDLE), "nobody has asked");
        assert!(!bias.revoke(HANDLE) && bias.is_going(HANDLE) && !bias.is_going(same_page));
        assert!(!bias.is_for(owner), "the owner will see it");
        assert!(bias.revoke(same_page), "of another slot");
        assert!(bias.is_going(HANDLE), "and the page waits for the owner all the same");
        assert!(!bias.revoke(HANDLE));
        owner.end_stay();
        owner.begin_intent(elsewhere);
        assert!(bias.revoke(HANDLE) && !bias.is_going(HANDLE));
        assert_eq!(bias.0.load(Ordering::Relaxed).addr(), ptr::from_ref(owner).addr() + SHARED);
    }
}
