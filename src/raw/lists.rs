//! The owner's side of a page (I6): its two lists of free slots, and what it learns of its handles.

use super::link::Link;
use super::page::{HEAD, ONE, Page, Popped, RETURNED};
use super::slot::Reader;
use crate::sync::Ordering;

/// Free slots that are primed at a time.
const PRIMED: u32 = 32;

/// Bytes of slots that are used in turn. Performance: with more, large values leave the first cache; with
/// fewer, a creation waits for the stores of the removal before it.
const HOT: usize = 2048;

/// Lists that an owner uses up without a slot from another thread before it announces itself again.
/// Performance: some two thousand handles without cost what one barrier does.
const HABIT: u32 = 1 << 6;

impl Page {
    /// Who is announced in a new handle.
    #[inline(always)]
    pub(crate) fn opens_with(&self) -> Reader {
        Reader::from_bits(self.mine.opens_with.load(Ordering::Relaxed))
    }

    /// Takes a free slot of a page of `T`, if the list that is popped has one.
    ///
    /// # Safety
    ///
    /// The caller owns the page's shard (I6); the page has values of `T`.
    #[inline(always)]
    pub(crate) unsafe fn pop<T>(&'static self) -> Option<Popped> {
        self.mine.exclusive.write();
        // Relaxed: only the owner writes it, and ownership changes hands with E8.
        let free = self.mine.free.load(Ordering::Relaxed);
        let link = Link::from_word(free);
        if link.is_end() {
            return None;
        }
        // SAFETY(I2): somebody owns the page, so it is installed; slots in the list are within it.
        let (memory, (generation, next)) = unsafe {
            let memory = self.memory();
            (memory, memory.slot::<T>(link).0.peek())
        };
        if generation > self.last_generation() {
            return None;
        }
        self.mine.free.store((free & !HEAD) + next.bits() + ONE, Ordering::Relaxed);
        Some(Popped { page: self, memory, link, generation })
    }

    /// As [`Page::pop`], from whichever of the owner's lists has a slot.
    ///
    /// # Safety
    ///
    /// As for [`Page::pop`].
    pub(crate) unsafe fn pop_again<T>(&'static self) -> Option<Popped> {
        self.mine.exclusive.write();
        loop {
            let free = self.mine.free.load(Ordering::Relaxed);
            if free & HEAD == 0 && !self.take_freed() {
                return None;
            }
            // SAFETY(I6): the caller's promise.
            if let Some(popped) = unsafe { self.pop::<T>() } {
                return Some(popped);
            }
            // SAFETY(I6): as above.
            unsafe { self.retire_first() };
        }
    }

    /// Leaves the first slot of the list that is popped out of it: its generations are used up.
    ///
    /// # Safety
    ///
    /// The caller owns the page's shard (I6), and the list is not empty.
    #[cold]
    unsafe fn retire_first(&self) {
        let free = self.mine.free.load(Ordering::Relaxed);
        let link = Link::from_word(free);
        // SAFETY(I2): slots in the list are within the page.
        let next = unsafe { self.any_slot(link) }.peek().1;
        self.mine.free.store(free - link.bits() + next.bits(), Ordering::Relaxed);
        self.mine.retired.fetch_add(1, Ordering::Relaxed);
    }

    /// Makes what the owner freed the list that is popped, which is empty. Returns `true` if there is a
    /// slot in it now.
    fn take_freed(&self) -> bool {
        let freed = self.mine.freed.load(Ordering::Relaxed);
        let free = self.mine.free.load(Ordering::Relaxed);
        // Release (E10): what has come back is counted in this word.
        self.mine.freed.store(freed & !HEAD, Ordering::Release);
        self.mine.free.store(free + (freed & HEAD), Ordering::Relaxed);
        self.learn();
        freed & HEAD != 0
    }

    /// Exchanges the owner's lists, if there is something in both. `freed` is the word of the list that is
    /// pushed; returns what the caller must store there, after everything else. Returns also after how many
    /// more slots an exchange is worth while again: so many are in the first cache.
    ///
    /// # Safety
    ///
    /// The caller owns the page's shard (I6).
    pub(super) unsafe fn exchange_lists(&self, freed: u64) -> (u64, u64) {
        // SAFETY(I2): installed, since somebody owns it.
        let hot = (HOT / unsafe { self.info() }.stride).clamp(4, PRIMED as usize) as u64;
        let free = self.mine.free.load(Ordering::Relaxed);
        self.learn();
        if free & HEAD == 0 || freed & HEAD == 0 {
            return (freed, hot);
        }
        self.mine.free.store(free - (free & HEAD) + (freed & HEAD), Ordering::Relaxed);
        (freed - (freed & HEAD) + (free & HEAD), hot)
    }

    /// Learns whether handles of this page are removed by other threads. If so, new ones begin without the
    /// owner announced, for a while. Performance: those who remove them need not look at the owner's cells,
    /// and need no barrier, if the owner has not looked them up.
    fn learn(&self) {
        let remote = self.others.list.load(Ordering::Relaxed);
        let habit = if remote != self.mine.remote_seen.load(Ordering::Relaxed) {
            self.mine.remote_seen.store(remote, Ordering::Relaxed);
            HABIT
        } else {
            self.mine.habit.load(Ordering::Relaxed).saturating_sub(1)
        };
        self.mine.habit.store(habit, Ordering::Relaxed);
        // SAFETY(I2): installed, since somebody owns it.
        let owner = unsafe { self.shard() }.owner;
        let announced = if habit == 0 { owner.only() } else { Reader::NOBODY };
        self.mine.opens_with.store(announced.bits(), Ordering::Relaxed);
    }

    /// Puts untouched slots on the empty free list. Returns `false` if the page has none left.
    ///
    /// # Safety
    ///
    /// The caller owns the page's shard (I6); its free list is empty.
    pub(crate) unsafe fn prime(&self) -> bool {
        self.mine.exclusive.write();
        let (free, capacity) = (self.mine.free.load(Ordering::Relaxed), self.slots());
        debug_assert_eq!(free & HEAD, 0);
        let mut primed = self.mine.primed.load(Ordering::Relaxed);
        let mut head = Link::END;
        while head.is_end() && primed < capacity {
            let end = capacity.min(primed + PRIMED);
            // Backwards, so that each slot is written once. One whose generations are used up is left out.
            for index in (primed..end).rev() {
                let first = self.first_generation(index);
                if first <= self.last_generation() {
                    // SAFETY(I2): within the page.
                    unsafe { self.any_slot(Link::to(index)) }.prime(first, head);
                    head = Link::to(index);
                }
            }
            primed = end;
        }
        self.mine.free.store(free + head.bits(), Ordering::Relaxed);
        self.mine.primed.store(primed, Ordering::Relaxed);
        !head.is_end()
    }

    /// Puts the remote list on the free list, unless another thread is just giving the page's memory back:
    /// that one queues it again.
    ///
    /// # Safety
    ///
    /// The caller owns the page's shard (I6), and took the page from the shard's stack.
    pub(crate) unsafe fn collect(&'static self) {
        let Some(remote) = self.take_remote() else {
            return;
        };
        self.mine.exclusive.write();
        // What was taken is news.
        self.mine.remote_seen.store(u64::MAX, Ordering::Relaxed);
        self.learn();
        let head = remote & HEAD;
        if head != 0 {
            let free = self.mine.free.load(Ordering::Relaxed);
            let before = free & HEAD;
            // The list that is there goes behind the remote one's tail; mostly it is empty and nothing is
            // walked.
            if before != 0 {
                let mut last = Link::from_word(head);
                loop {
                    // SAFETY(I2): slots in the list are within the page.
                    let slot = unsafe { self.any_slot(last) };
                    match slot.peek().1 {
                        Link::END => break slot.relink(Link::from_word(before)),
                        next => last = next,
                    }
                }
            }
            self.mine.free.store(free - before + head, Ordering::Relaxed);
        }
        let freed = self.mine.freed.load(Ordering::Relaxed) + remote / RETURNED * ONE;
        // SAFETY(I6): the caller's promise.
        unsafe { self.look_after(freed) };
    }
}
