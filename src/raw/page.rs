//! A page: up to 4,096 slots of one type, for one registry at a time, filled by one shard.
//!
//! A page is an entry of the table, and never goes away: type, place, owner, shard and the addresses of its
//! slots are set once and stay (I2). What changes is the registry, after the one before was dropped, and
//! whether there is memory behind the addresses.
//!
//! ```text
//! table:   | what is read by all             | what the owner writes  | what others write | next page
//!          | slots, memory, type, owner, ... | two free lists, counts | remote free list  |
//!
//! memory:  ... | history 1 | history 0 | slot 0 | slot 1 | ...
//! ```
//!
//! Each part has a cache line of its own. The owner pops one free list and pushes on the other with plain
//! loads and stores, and exchanges the two when a few slots have come back, or the first is empty. What is
//! freed last is not used next, so creating does not wait for the stores of the removal before it; and it
//! is used soon, while it is in the first cache. Everybody else pushes on the remote list, which the owner takes as a whole. Nobody pops a shared list
//! one by one, so there is no ABA. (The three lists are those of mimalloc's pages.)
//!
//! Slots whose turn never came are in no list: memory is touched when it is used.

use super::bits;
use super::history::History;
use super::layout::{PageLayout, Shape, TypeInfo};
use super::link::Link;
use super::record::Record;
use super::section::Section;
use super::seed::{first_generation, highest_first};
use super::shard::Shard;
use super::slot::{Phase, Slot, State};
use crate::sync::{AtomicPtr, AtomicU32, AtomicU64, Fixed, Ordering, Track, forks};
use std::ptr::{self, NonNull};

/// One place of the table. All zeros: no page is there yet.
///
/// Performance: of a power of two, so that a handle's bits need only be moved.
#[repr(C, align(256))]
#[derive(Debug)]
pub(crate) struct Page {
    /// Slots; 0 where there is no page. Set once, after everything that stays.
    slots: AtomicU32,
    /// The same, if the registry that has the page does not count its live handles against a limit; else 0.
    unlimited: AtomicU32,
    /// The identity of the registry that has the page.
    set: AtomicU64,
    fixed: Fixed<Description>,
    pub(super) mine: OwnerLine,
    pub(super) others: RemoteLine,
}

/// What never changes in a page, once there is one.
#[derive(Clone, Copy, Debug)]
pub(super) struct Description {
    memory: Memory,
    /// What its values are, under the type's own name.
    info: &'static TypeInfo,
    owner: &'static Record,
    shard: &'static Shard,
    /// The handle with this place and generation 0, and with what would be slot -1: a link and a
    /// generation added make a handle.
    base: u64,
    /// No slot has begun with a higher generation.
    highest_first: u32,
    /// The last generation that a slot can have.
    pub(super) last_generation: u32,
}

/// Where a page's slots begin.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Memory(NonNull<u8>);

impl Memory {
    /// What memory was taken for a page.
    pub(super) const fn new(slots: NonNull<u8>) -> Self {
        Self(slots)
    }

    /// A slot and where its value is, for a caller who knows the type: a scaled register, if the stride is
    /// 16 bytes or less, and two constants.
    ///
    /// # Safety
    ///
    /// It is the memory of a page of `T`, which has the slot that the link leads to.
    #[inline(always)]
    pub(crate) unsafe fn slot<T>(self, slot: Link) -> (&'static Slot, NonNull<T>) {
        let stride = Shape::<T>::STRIDE;
        // SAFETY(I2): within the page's memory, which was laid out with this shape. (On the way it may be
        // before it, which wrapping arithmetic allows.) Every word of fresh memory is a vacant slot.
        unsafe {
            let far = self.0.as_ptr().wrapping_add(slot.distance(stride)).wrapping_sub(stride);
            let slot = NonNull::new_unchecked(far);
            (slot.cast::<Slot>().as_ref(), slot.add(Shape::<T>::VALUE).cast::<T>())
        }
    }

    /// What is remembered of a slot's last handle.
    ///
    /// # Safety
    ///
    /// It is the memory of a page that has the slot which the link leads to.
    #[inline(always)]
    pub(crate) unsafe fn history(self, slot: Link) -> &'static History {
        // SAFETY(I2): the caller's promise. A link counts halves.
        unsafe {
            let half = self.0.cast::<[u8; size_of::<History>() / 2]>();
            half.sub(slot.bits() as usize).cast::<History>().as_ref()
        }
    }
}

// SAFETY(I2): an address alone; what is done with it is promised where it is done.
unsafe impl Send for Memory {}
// SAFETY(I2): as above.
unsafe impl Sync for Memory {}

// SAFETY(I2): the description is written once, before the number of slots is, and read by those who have
// seen that; everything else is atomic.
unsafe impl Sync for Page {}
// SAFETY(I2): as above.
unsafe impl Send for Page {}

/// Written by the owner alone, read by all.
#[repr(C, align(64))]
#[derive(Debug)]
pub(super) struct OwnerLine {
    /// Link to the head of the list that is popped (bits 0 to 15), handles created here (16 to 63).
    pub(super) free: AtomicU64,
    /// Link to the head of the list that is pushed (bits 0 to 15), slots that came back (16 to 63).
    pub(super) freed: AtomicU64,
    /// From which value of `freed` on the owner looks after the page; 0 while it is not listed.
    pub(super) check: AtomicU64,
    /// The next page with room; meaningful while this page is listed.
    next_listed: AtomicPtr<Page>,
    /// What a new handle is opened with: the owner announced, or nobody.
    pub(super) opens_with: AtomicU64,
    /// Slots that were primed since the page's memory was last given back.
    pub(super) primed: AtomicU32,
    /// 1 while the shard will come back to this page without being told: it is current or listed.
    listed: AtomicU32,
    /// Above all generations that were issued before the page's memory was given back; 0 before that.
    pub(super) floor: AtomicU32,
    /// Slots whose generations are used up.
    pub(super) retired: AtomicU32,
    /// Lists that the owner has yet to use up before it announces itself again.
    pub(super) habit: AtomicU32,
    /// How many forks there were when the page began, or began anew: see [`Page::is_inherited`].
    pub(super) forks: AtomicU32,
    /// The remote word when the owner last looked at it.
    pub(super) remote_seen: AtomicU64,
    /// Decides each slot's first generation. Never written again.
    pub(super) seed: AtomicU64,
    /// Stands for what the owner alone may do, in models.
    pub(super) exclusive: Track,
}

/// Written by everybody but the owner.
#[repr(C, align(64))]
#[derive(Debug)]
pub(super) struct RemoteLine {
    /// Link to the head of the remote list (bits 0 to 15), three flags, slots returned (32 to 63).
    pub(super) list: AtomicU64,
    /// The next page on the shard's stack of pages with remote frees.
    next_queued: AtomicPtr<Page>,
    /// From which number of slots returned on somebody looks after the page.
    pub(super) check: AtomicU64,
}

#[cfg(not(haft_loom))]
const _: () = assert!(size_of::<Page>() == 256);

pub(super) const HEAD: u64 = 0xFFFF;
/// One handle created, or one slot that came back, in the owner's words.
pub(super) const ONE: u64 = 1 << 16;
/// In the word of the others: the page is on its shard's stack, or about to be.
pub(super) const QUEUED: u64 = 1 << 16;
/// In the word of the others: one slot returned.
pub(super) const RETURNED: u64 = 1 << 32;

/// What a new page needs to know.
#[derive(Debug)]
pub(crate) struct NewPage {
    pub(crate) slots: u32,
    /// The identity of its registry, and whether that has no limit.
    pub(crate) set: u64,
    pub(crate) unlimited: bool,
    pub(crate) memory: Memory,
    pub(crate) info: &'static TypeInfo,
    pub(crate) shard: &'static Shard,
    pub(crate) place: u32,
    pub(crate) last_generation: u32,
    pub(crate) seed: u64,
}

/// A slot that was taken from a page's free list and belongs to whoever took it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Popped {
    pub(crate) page: &'static Page,
    /// The page's.
    pub(crate) memory: Memory,
    pub(crate) link: Link,
    pub(crate) generation: u32,
}

macro_rules! empty_page {
    () => {
        Self {
            slots: AtomicU32::new(0),
            unlimited: AtomicU32::new(0),
            set: AtomicU64::new(0),
            fixed: Fixed::new(),
            mine: OwnerLine {
                free: AtomicU64::new(0),
                freed: AtomicU64::new(0),
                check: AtomicU64::new(0),
                next_listed: AtomicPtr::new(ptr::null_mut()),
                opens_with: AtomicU64::new(0),
                primed: AtomicU32::new(0),
                listed: AtomicU32::new(0),
                floor: AtomicU32::new(0),
                retired: AtomicU32::new(0),
                habit: AtomicU32::new(0),
                forks: AtomicU32::new(0),
                remote_seen: AtomicU64::new(0),
                seed: AtomicU64::new(0),
                exclusive: Track::new(),
            },
            others: RemoteLine {
                list: AtomicU64::new(0),
                next_queued: AtomicPtr::new(ptr::null_mut()),
                check: AtomicU64::new(0),
            },
        }
    };
}

impl Page {
    /// A place without a page: all zeros.
    #[cfg(not(haft_loom))]
    pub(crate) const fn empty() -> Self {
        empty_page!()
    }

    /// A place without a page.
    #[cfg(haft_loom)]
    pub(crate) fn empty() -> Self {
        empty_page!()
    }

    /// Puts a page in a place that was given out and never used. The caller owns the place.
    pub(super) fn install(&self, new: &NewPage) {
        let description = Description {
            memory: new.memory,
            info: new.info.plain(),
            owner: new.shard.owner,
            shard: new.shard,
            base: bits::pack(0, new.place, 0).wrapping_sub(Link::to(0).bits()),
            highest_first: highest_first(new.seed, new.last_generation),
            last_generation: new.last_generation,
        };
        self.mine.seed.store(new.seed, Ordering::Relaxed);
        // SAFETY(I2): nobody has seen slots here, so nobody reads it.
        unsafe { self.fixed.get().write(description) };
        self.mine.opens_with.store(new.shard.owner.only().bits(), Ordering::Relaxed);
        self.mine.forks.store(forks::generation(), Ordering::Relaxed);
        self.set.store(new.set, Ordering::Relaxed);
        // Release (E2): whoever sees slots, in one of the two, sees what was set before.
        self.unlimited.store(if new.unlimited { new.slots } else { 0 }, Ordering::Release);
        self.slots.store(new.slots, Ordering::Release);
    }

    /// Gives the page, which is vacant, to another registry. Relaxed: whoever has a handle of that has it
    /// from a creation that came after this. Release (E2): as in `install`, for who guesses one.
    pub(super) fn give_to(&self, set: u64, unlimited: bool) {
        self.set.store(set, Ordering::Relaxed);
        self.unlimited.store(if unlimited { self.slots() } else { 0 }, Ordering::Release);
    }

    // ---- what is read by all ----

    /// Slots in the page; 0 where there is none. Acquire (E2): what is beside it is visible.
    #[inline(always)]
    pub(crate) fn slots(&self) -> u32 {
        self.slots.load(Ordering::Acquire)
    }

    /// Returns `true` if there is a page.
    pub(crate) fn is_installed(&self) -> bool {
        self.slots() != 0
    }

    /// The identity of the page's registry.
    #[inline(always)]
    pub(crate) fn set_id(&self) -> u64 {
        self.set.load(Ordering::Relaxed)
    }

    /// Returns `true` if the page's registry counts its live handles against a limit.
    pub(crate) fn is_limited(&self) -> bool {
        self.unlimited.load(Ordering::Relaxed) == 0
    }

    /// The way to the slot of a handle, if the page has it. It is installed then (I2).
    #[inline(always)]
    pub(crate) fn link_of(&self, handle: u64) -> Option<Link> {
        let slot = bits::slot_if_odd(handle);
        (slot < self.slots()).then(|| Link::to(slot))
    }

    /// As [`Page::link_of`], if the page's registry has no limit. Acquire (E2): as there.
    #[inline(always)]
    pub(crate) fn unlimited_link_of(&self, handle: u64) -> Option<Link> {
        let slot = bits::slot_if_odd(handle);
        (slot < self.unlimited.load(Ordering::Acquire)).then(|| Link::to(slot))
    }

    /// What never changes.
    ///
    /// # Safety
    ///
    /// The page was seen installed (I2).
    #[inline(always)]
    pub(super) unsafe fn fixed(&self) -> &Description {
        // SAFETY(I2): it was written before the number of slots.
        unsafe { &*self.fixed.get() }
    }

    /// The description of its values' type.
    ///
    /// # Safety
    ///
    /// The page was seen installed (I2).
    #[inline(always)]
    pub(crate) unsafe fn info(&self) -> &'static TypeInfo {
        // SAFETY(I2): the caller's promise.
        unsafe { self.fixed() }.info
    }

    /// The same, with the name that the registry has for them.
    ///
    /// # Safety
    ///
    /// The page was seen installed (I2).
    pub(crate) unsafe fn named(&self) -> &'static TypeInfo {
        // SAFETY(I2): the caller's promise.
        unsafe { self.shard() }.set.info
    }

    /// Returns `true` if its values are of this type.
    ///
    /// # Safety
    ///
    /// The page was seen installed (I2).
    #[inline(always)]
    pub(crate) unsafe fn has<T: 'static>(&self) -> bool {
        // SAFETY(I2): the caller's promise.
        unsafe { self.info() }.is_of::<T>()
    }

    /// Returns `true` if this record's thread fills the page.
    ///
    /// # Safety
    ///
    /// The page was seen installed (I2).
    #[inline(always)]
    pub(crate) unsafe fn is_owned_by(&self, record: &Record) -> bool {
        // SAFETY(I2): the caller's promise.
        ptr::eq(unsafe { self.fixed() }.owner, record)
    }

    /// The shard that fills the page.
    ///
    /// # Safety
    ///
    /// The page was seen installed (I2).
    #[inline(always)]
    pub(crate) unsafe fn shard(&self) -> &'static Shard {
        // SAFETY(I2): the caller's promise.
        unsafe { self.fixed() }.shard
    }

    /// The handle of a slot in this page.
    ///
    /// # Safety
    ///
    /// The page was seen installed (I2).
    #[inline(always)]
    pub(crate) unsafe fn handle(&self, slot: Link, generation: u32) -> u64 {
        // SAFETY(I2): the caller's promise.
        bits::within(unsafe { self.fixed() }.base, generation, slot.bits())
    }

    /// Where its slots are.
    ///
    /// # Safety
    ///
    /// The page was seen installed (I2).
    #[inline(always)]
    pub(crate) unsafe fn memory(&self) -> Memory {
        // SAFETY(I2): the caller's promise.
        unsafe { self.fixed() }.memory
    }

    /// How the page's memory is laid out, and where its slots begin.
    ///
    /// # Safety
    ///
    /// The page was seen installed (I2).
    pub(crate) unsafe fn extent(&self) -> (NonNull<u8>, PageLayout) {
        // SAFETY(I2): the caller's promise.
        let (memory, layout) = unsafe { (self.memory(), self.info().page_layout(self.slots())) };
        (memory.0, layout.unwrap_or(PageLayout { bytes: 0, front: 0, align: 1 }))
    }

    /// A slot, whatever the type.
    ///
    /// # Safety
    ///
    /// The page was seen installed (I2), and has the slot that the link leads to.
    #[inline]
    pub(crate) unsafe fn any_slot(&self, slot: Link) -> &'static Slot {
        // SAFETY(I2): the caller's promise.
        unsafe {
            let offset = slot.index() as usize * self.info().stride;
            self.memory().0.add(offset).cast::<Slot>().as_ref()
        }
    }

    /// What is remembered of a slot's last handle.
    ///
    /// # Safety
    ///
    /// As for [`Page::any_slot`].
    #[inline(always)]
    pub(crate) unsafe fn history(&self, slot: Link) -> &'static History {
        // SAFETY(I2): the caller's promise.
        unsafe { self.memory().history(slot) }
    }

    /// Drops the value of a slot in place, whatever the type.
    ///
    /// # Safety
    ///
    /// The slot is closed, its value is there, and the caller alone has the last hold on it (I3).
    pub(crate) unsafe fn drop_value(&self, slot: Link) {
        // SAFETY(I2): the slot is outstanding, so the page is installed.
        let (info, value) = unsafe {
            self.any_slot(slot).value.write();
            let info = self.info();
            (info, self.memory().0.as_ptr().add(slot.index() as usize * info.stride + info.value))
        };
        if info.needs_drop {
            // SAFETY(I3): a valid value of the page's type, which is the caller's alone.
            unsafe { (info.drop)(value) }
        }
    }

    // ---- slots that come back ----

    /// Gives back a slot whose value is gone. The last thing that its holder does with the page (I8).
    ///
    /// `me` is the record that the calling thread has claimed.
    ///
    /// # Safety
    ///
    /// The slot, with this link, was popped with this generation and not given back since, and the caller
    /// is the one who owns it: it was never opened, or it is closed, without a value, and the caller had
    /// the last hold.
    #[inline(always)]
    pub(crate) unsafe fn give_back(
        &'static self,
        slot: &Slot,
        link: Link,
        generation: u32,
        me: Option<&Record>,
    ) {
        // SAFETY(I2): a slot of it is outstanding, so it is installed.
        if !me.is_some_and(|me| unsafe { self.is_owned_by(me) }) {
            // SAFETY(I8): passed on.
            return unsafe { self.give_back_remotely(slot, link, generation) };
        }
        let _section = Section::enter();
        let freed = self.freed();
        slot.vacate(generation, Link::from_word(freed));
        // SAFETY(I8): passed on; the record's thread is this one (I6).
        unsafe { self.push_own(link, freed) };
    }

    /// The word of the list that the owner pushes. A slot that it frees must be linked to what this names
    /// before [`Page::push_own`]. Relaxed: the owner asks.
    #[inline(always)]
    pub(crate) fn freed(&self) -> u64 {
        self.mine.freed.load(Ordering::Relaxed)
    }

    /// Puts a vacant slot, which is linked to the first one of the owner's list already, in front of it.
    /// `freed` is the word of the list, which has not changed since.
    ///
    /// # Safety
    ///
    /// As for [`Page::give_back`], on the thread that owns the page's shard (I6).
    #[inline(always)]
    pub(crate) unsafe fn push_own(&'static self, link: Link, freed: u64) {
        self.mine.exclusive.write();
        let pushed = (freed & !HEAD) + link.bits() + ONE;
        if pushed >= self.mine.check.load(Ordering::Relaxed) {
            // SAFETY(I6): the caller's promise.
            return unsafe { self.look_after(pushed) };
        }
        // Release (E10): whoever counts this slot as returned sees that nothing follows.
        self.mine.freed.store(pushed, Ordering::Release);
    }

    /// # Safety
    ///
    /// As for [`Page::give_back`].
    #[inline(never)]
    unsafe fn give_back_remotely(&'static self, slot: &Slot, link: Link, generation: u32) {
        let mut list = self.others.list.load(Ordering::Relaxed);
        loop {
            let head = Link::from_word(list);
            slot.vacate(generation, head);
            let pushed = (list - head.bits() + link.bits() + RETURNED) | QUEUED;
            // Release (E7, E10): the end of the value and the link come before the slot is reachable.
            // Acquire (E7): pairs with `collect`, which has read the link of the stack.
            match self.others.list.compare_exchange_weak(list, pushed, Ordering::AcqRel, Ordering::Relaxed) {
                Ok(_) => {
                    if list & QUEUED == 0 {
                        // SAFETY(I2): installed, since a slot of it was outstanding. Setting `QUEUED` made
                        // the page this thread's to push.
                        unsafe { self.shard() }.enqueue(self);
                    }
                    if pushed / RETURNED >= self.others.check.load(Ordering::Relaxed) {
                        self.look_after_remotely();
                    }
                    return;
                }
                Err(now) => list = now,
            }
        }
    }

    // ---- counts, and what is told of a slot ----

    /// The first generation that a slot has which was not used since the page's memory was given back.
    #[inline]
    pub(super) fn first_generation(&self, slot: u32) -> u32 {
        match self.mine.floor.load(Ordering::Relaxed) {
            0 => self.very_first_generation(slot),
            floor => floor + 1,
        }
    }

    #[inline]
    fn very_first_generation(&self, slot: u32) -> u32 {
        first_generation(self.mine.seed.load(Ordering::Relaxed), slot, self.highest_first())
    }

    /// No slot has begun with a higher generation, in fresh memory.
    #[inline]
    pub(super) fn highest_first(&self) -> u32 {
        // SAFETY(I2): whoever asks for generations has seen slots.
        unsafe { self.fixed() }.highest_first
    }

    /// The last generation that a slot can have.
    #[inline(always)]
    pub(super) fn last_generation(&self) -> u32 {
        // SAFETY(I2): as above.
        unsafe { self.fixed() }.last_generation
    }

    /// Returns `true` if a generation of a slot may have been issued, where the slot is in this state: for
    /// certain, unless the page's memory was given back since.
    #[inline]
    pub(crate) fn was_issued(&self, slot: Link, state: State, generation: u32) -> bool {
        // A vacant slot has its last one in the word, if it has had any; a live one its own.
        let last = state.generation().max(self.mine.floor.load(Ordering::Relaxed));
        generation <= last
            && (generation >= self.highest_first() || generation >= self.very_first_generation(slot.index()))
    }

    /// Slots that were primed; the others have not been written since the memory was given back.
    pub(crate) fn primed(&self) -> u32 {
        self.mine.primed.load(Ordering::Relaxed)
    }

    /// Slots that were taken and not given back: live, reserved or held.
    ///
    /// Acquire (E10): a slot that is counted as returned is not touched any more by who returned it.
    pub(crate) fn outstanding(&self) -> u64 {
        // The remote side first: what the owner collects after this may be counted twice, and only while
        // it creates handles.
        let remote = self.others.list.load(Ordering::Acquire) / RETURNED;
        let freed = self.mine.freed.load(Ordering::Acquire) / ONE;
        self.created().saturating_sub(freed + remote)
    }

    /// Slots that were returned by others and not taken back by the owner yet.
    pub(crate) fn returned(&self) -> usize {
        (self.others.list.load(Ordering::Relaxed) / RETURNED) as usize
    }

    /// Slots whose generations are used up, as far as that was noticed.
    pub(crate) fn retired(&self) -> usize {
        self.mine.retired.load(Ordering::Relaxed) as usize
    }

    /// Handles created in this page.
    pub(crate) fn created(&self) -> u64 {
        self.mine.free.load(Ordering::Relaxed) / ONE
    }

    /// Calls `each` with every slot that holds a value or waits for one to be let go.
    ///
    /// # Safety
    ///
    /// The page was seen installed (I2).
    pub(crate) unsafe fn for_each_taken(&self, mut each: impl FnMut(u32, &Slot, State)) {
        for index in 0..self.primed() {
            // SAFETY(I2): the caller's promise; primed slots are within the page.
            let slot = unsafe { self.any_slot(Link::to(index)) };
            let state = slot.state();
            if matches!(state.phase(), Phase::Live | Phase::Closed) {
                each(index, slot, state);
            }
        }
    }

    // ---- for the shard ----

    pub(super) fn next_listed(&self) -> &AtomicPtr<Page> {
        &self.mine.next_listed
    }

    pub(super) fn next_queued(&self) -> &AtomicPtr<Page> {
        &self.others.next_queued
    }

    /// Notes that the shard will come back to the page, or that it has to be told. The caller owns the
    /// shard.
    ///
    /// Release (E10): whoever sees that the page is left sees all handles that were created in it.
    pub(super) fn set_listed(&self, listed: bool) {
        self.mine.listed.store(u32::from(listed), Ordering::Release);
        if !listed {
            self.mine.check.store(0, Ordering::Relaxed);
        }
    }

    /// Returns `true` if the shard will come back to the page. Acquire (E10): see [`Page::set_listed`].
    pub(super) fn is_listed(&self) -> bool {
        self.mine.listed.load(Ordering::Acquire) != 0
    }

    /// Returns `true` if the page is older than this process, which is a child. Its parent and its siblings
    /// go on with the same slots, so nothing is created there until the page is vacant, and begins anew
    /// above generations of its own (S19).
    pub(super) fn is_inherited(&self) -> bool {
        self.mine.forks.load(Ordering::Relaxed) != forks::generation()
    }

    pub(super) fn has_free(&self) -> bool {
        let lists = self.mine.free.load(Ordering::Relaxed) | self.mine.freed.load(Ordering::Relaxed);
        lists & HEAD != 0
    }
}
