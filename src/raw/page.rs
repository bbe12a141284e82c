//! A page: up to 4,096 slots of one type, for one registry, filled by one shard.
//!
//! ```text
//!      the page's address
//!                       v
//! ... | line 1 | line 0 | what is read by all | what the owner writes | what others write | slot 0 | slot 1 | ...
//!  of each slot's last  | type, owner, place  | two free lists        | remote free list  |
//!        handle         |
//! ```
//!
//! Each part has its own cache lines. The owner pops one free list and pushes on the other with plain loads and stores, and takes the
//! second for the first when that is empty: what is freed last is not used next, so creating does not wait for the stores of the removal before it, and a
//! stale handle is told from its successor for longer. Everybody else pushes on the remote list, which the owner takes as a whole. Nobody
//! pops a shared list one by one, so there is no ABA (the three lists are those of mimalloc's pages).
//!
//! Slots whose turn never came are in no list, and blocks of them are not even initialised: memory is touched when it is used.

use super::bits;
use super::cells::Record;
use super::history::History;
use super::layout::{Shape, TypeInfo};
use super::link::Link;
use super::past::Past;
use super::seed::first_generation;
use super::shard::Shard;
use super::slot::{Phase, Slot, State, live_half};
use super::space::Space;
use crate::sync::{AtomicPtr, AtomicU32, AtomicU64, Ordering, Track};
use std::alloc::{alloc, dealloc};
use std::ptr::{self, NonNull};

/// Free slots that are primed at a time.
const PRIMED: u32 = 32;

/// Bytes of slots that are initialised at a time: what one page of the system holds.
const BLOCK: usize = 4096;

/// The header of a page, within one allocation: the slots' histories come before it, the slots after it.
#[repr(C, align(64))]
#[derive(Debug)]
pub(crate) struct Page {
    /// The type of the values.
    pub(crate) info: &'static TypeInfo,
    /// The record whose thread owns the free lists and whose cells every remover looks at.
    pub(crate) owner: &'static Record,
    /// The shard that fills this page; valid as long as any slot is outstanding (I8).
    pub(crate) shard: NonNull<Shard>,
    /// What earlier pages at this place have used up: each slot goes on above that (S1).
    past: Option<&'static Past>,
    /// Decides each slot's first generation, together with the place.
    seed: u64,
    /// The handle with this place and generation 0, and with what would be slot -1: a link and a generation added make a handle.
    base: u64,
    /// The page's index in the table.
    pub(crate) place: u32,
    /// Slots in the page.
    pub(crate) capacity: u32,
    /// The last generation that a slot can have.
    last_generation: u32,
    /// The lower half of a word that is live with the last generation.
    last_live: u32,
    /// Stands for the page's memory, in models.
    memory: Track,
    mine: OwnerLine,
    others: RemoteLine,
}

/// Written by the owner alone, read by all.
#[repr(C, align(64))]
#[derive(Debug)]
struct OwnerLine {
    /// Link to the head of the list that is popped (bits 0 to 15), handles created here (16 to 63).
    free: AtomicU64,
    /// Link to the head of the list that is pushed (bits 0 to 15), slots that came back to the owner (16 to 63).
    freed: AtomicU64,
    /// The next page with room; meaningful while this page is listed.
    next_listed: AtomicPtr<Page>,
    /// Slots that were primed.
    primed: AtomicU32,
    /// Whether the shard will come back to this page without being told: 1 when current or listed.
    listed: AtomicU32,
    /// Stands for what the owner alone may do, in models.
    exclusive: Track,
}

/// Written by everybody but the owner.
#[repr(C, align(64))]
#[derive(Debug)]
struct RemoteLine {
    /// Link to the head of the remote list (bits 0 to 15), queued (16), slots returned (32 to 63).
    list: AtomicU64,
    /// The next page on the shard's stack of pages with remote frees.
    next_queued: AtomicPtr<Page>,
}

#[cfg(not(haft_loom))]
const _: () = assert!(size_of::<Page>() == 192);

const HEAD: u64 = 0xFFFF;
/// One handle created, or one slot that came back, in the owner's words.
const ONE: u64 = 1 << 16;
const QUEUED: u64 = 1 << 16;
/// One slot returned, in the word of the others.
const RETURNED: u64 = 1 << 32;

/// A page somewhere in memory. Copying it asserts nothing; each use says why the page is there (I2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PagePtr(NonNull<Page>);

// SAFETY(I2): a page is shared by design; what only its owner may do is unsafe to call.
unsafe impl Send for PagePtr {}

/// What a new page needs to know.
pub(crate) struct NewPage {
    pub(crate) info: &'static TypeInfo,
    pub(crate) owner: &'static Record,
    pub(crate) shard: NonNull<Shard>,
    pub(crate) place: u32,
    pub(crate) capacity: u32,
    pub(crate) past: Option<&'static Past>,
    pub(crate) last_generation: u32,
    pub(crate) seed: u64,
}

/// A slot that was taken from a page's free list and belongs to whoever took it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Popped {
    pub(crate) page: PagePtr,
    pub(crate) link: Link,
    pub(crate) generation: u32,
}

impl PagePtr {
    /// No page: never to be looked at.
    #[cfg(not(haft_loom))]
    pub(crate) const NONE: Self = Self(NonNull::dangling());

    /// Allocates a page with nothing in it. `None` where there is no memory.
    pub(crate) fn allocate(new: &NewPage) -> Option<Self> {
        let (layout, front) = new.info.page_layout(new.capacity)?;
        // SAFETY(I2): the layout is not of size zero, since it has the header.
        let memory = NonNull::new(unsafe { alloc(layout) })?;
        // SAFETY(I2): within the allocation.
        let page = unsafe { memory.add(front) }.cast::<Page>();
        let header = Page {
            info: new.info,
            owner: new.owner,
            shard: new.shard,
            past: new.past,
            seed: new.seed,
            base: bits::pack(0, new.place, 0).wrapping_sub(Link::to(0).bits()),
            place: new.place,
            capacity: new.capacity,
            last_generation: new.last_generation,
            last_live: live_half(new.last_generation),
            memory: Track::new(),
            mine: OwnerLine {
                free: AtomicU64::new(0),
                freed: AtomicU64::new(0),
                next_listed: AtomicPtr::new(ptr::null_mut()),
                primed: AtomicU32::new(0),
                listed: AtomicU32::new(0),
                exclusive: Track::new(),
            },
            others: RemoteLine { list: AtomicU64::new(0), next_queued: AtomicPtr::new(ptr::null_mut()) },
        };
        // SAFETY(I2): freshly allocated, large and aligned enough for the header.
        unsafe { page.write(header) };
        Some(Self(page))
    }

    /// Frees the page's memory. Values in it are not dropped.
    ///
    /// # Safety
    ///
    /// The page is out of the table, no cell keeps it, no slot is outstanding (I2), and nobody frees it again.
    pub(crate) unsafe fn free(self) {
        // SAFETY(I2): the caller's promise: the page is still there, and nobody else looks at it.
        let (info, capacity) = unsafe {
            self.0.as_ref().memory.write();
            (self.0.as_ref().info, self.0.as_ref().capacity)
        };
        // In a model the memory stays, so that a use after this is seen and not undefined.
        #[cfg(not(haft_loom))]
        if let Some((layout, front)) = info.page_layout(capacity) {
            // SAFETY(I2): the same layout as in `allocate`, and the header as far from the start.
            unsafe { dealloc(self.0.cast::<u8>().sub(front).as_ptr(), layout) };
        }
    }

    /// For the table and the lists.
    #[inline]
    pub(crate) fn as_ptr(self) -> *mut Page {
        self.0.as_ptr()
    }

    /// From the table or a list.
    #[inline]
    pub(crate) fn from_ptr(page: *mut Page) -> Option<Self> {
        NonNull::new(page).map(Self)
    }

    /// The header.
    ///
    /// # Safety
    ///
    /// The page stays allocated for `'a` (I2).
    #[inline]
    pub(crate) unsafe fn header<'a>(self) -> &'a Page {
        // SAFETY(I2): the caller's promise. The header is only ever shared; what changes in it is atomic.
        let header = unsafe { self.0.as_ref() };
        header.memory.read();
        header
    }

    /// A slot, for a caller who knows the type.
    ///
    /// # Safety
    ///
    /// The page stays allocated for `'a` (I2), holds values of `T`, and the slot that the link leads to is one of those that are ready.
    #[inline]
    pub(crate) unsafe fn slot<'a, T>(self, slot: Link) -> &'a Slot {
        // SAFETY(I2): the caller's promise. (A model is told that the page is looked at.)
        let _ = unsafe { self.header() };
        // SAFETY(I2): the caller's promise; slots that are ready are initialised.
        unsafe { self.at::<T>(slot, 0).cast::<Slot>().as_ref() }
    }

    /// The address so many bytes into a slot, for a caller who knows the type: a scaled register, where the stride is 16 bytes or less, and one constant.
    ///
    /// # Safety
    ///
    /// As for [`PagePtr::slot`]; a slot has so many bytes.
    #[inline(always)]
    unsafe fn at<T>(self, slot: Link, into: usize) -> NonNull<u8> {
        let (from, stride) = (Shape::<T>::SLOTS + into, Shape::<T>::STRIDE);
        // SAFETY(I2): within the allocation, which was made with this shape, also on the way.
        unsafe {
            let far = self.0.cast::<u8>().add(slot.distance(stride));
            if from >= stride { far.add(from - stride) } else { far.sub(stride - from) }
        }
    }

    /// Where the value of a slot is, for a caller who knows the type.
    ///
    /// # Safety
    ///
    /// As for [`PagePtr::slot`].
    #[inline]
    pub(crate) unsafe fn value<T>(self, slot: Link) -> NonNull<T> {
        // SAFETY(I2): the caller's promise.
        unsafe { self.at::<T>(slot, Shape::<T>::VALUE).cast::<T>() }
    }

    /// A slot, whatever the type.
    ///
    /// # Safety
    ///
    /// The page stays allocated for `'a` (I2), and the slot that the link leads to is one of those that are ready.
    #[inline]
    pub(crate) unsafe fn any_slot<'a>(self, slot: Link) -> &'a Slot {
        // SAFETY(I2): the caller's promise.
        let info = unsafe { self.header() }.info;
        let offset = info.slots + slot.index() as usize * info.stride;
        // SAFETY(I2): within the allocation, which was made with this description; slots that are ready are initialised.
        unsafe { self.0.cast::<u8>().add(offset).cast::<Slot>().as_ref() }
    }

    /// What is remembered of a slot's last handle.
    ///
    /// # Safety
    ///
    /// As for [`PagePtr::any_slot`].
    #[inline]
    pub(crate) unsafe fn history<'a>(self, slot: Link) -> &'a History {
        // A link counts halves.
        let half = self.0.cast::<[u8; size_of::<History>() / 2]>();
        // SAFETY(I2): within the allocation, before the header; those of slots that are ready are initialised.
        unsafe { half.sub(slot.bits() as usize).cast::<History>().as_ref() }
    }

    /// Drops the value of a slot in place, whatever the type.
    ///
    /// # Safety
    ///
    /// The slot is closed, its value is there, and the caller alone has the last hold on it (I3).
    pub(crate) unsafe fn drop_value(self, slot: Link) {
        // SAFETY(I2): the slot is outstanding, so the page is there.
        let info = unsafe { self.header() }.info;
        // SAFETY(I2): as above.
        unsafe { self.any_slot(slot) }.value.write();
        let offset = info.slots + slot.index() as usize * info.stride + info.value;
        // SAFETY(I3): a valid value of the page's type, which is the caller's alone.
        unsafe { (info.drop)(self.0.cast::<u8>().add(offset).as_ptr()) }
    }

    // ---- the owner's side (I6) ----

    /// As [`PagePtr::pop`], from whichever of the owner's lists has one.
    ///
    /// # Safety
    ///
    /// As for [`PagePtr::pop`].
    pub(crate) unsafe fn pop_again<T>(self) -> Option<Popped> {
        // SAFETY(I2): the caller's promise.
        let page = unsafe { self.header() };
        page.mine.exclusive.write();
        if page.mine.free.load(Ordering::Relaxed) & HEAD == 0 {
            page.take_freed();
        }
        // SAFETY(I6): the caller's promise.
        unsafe { self.pop::<T>() }
    }

    /// Takes a free slot of a page of `T`, if the list that is popped has one.
    ///
    /// # Safety
    ///
    /// The caller owns the page's shard (I6); the page holds values of `T` and stays allocated (I2).
    #[inline(always)]
    pub(crate) unsafe fn pop<T>(self) -> Option<Popped> {
        // SAFETY(I2): the caller's promise.
        let page = unsafe { self.header() };
        page.mine.exclusive.write();
        // Relaxed: only the owner writes it, and ownership changes hands with E8.
        let free = page.mine.free.load(Ordering::Relaxed);
        let link = Link::from_word(free);
        if link.is_end() {
            return None;
        }
        // SAFETY(I2): slots in the list are within the page.
        let (generation, next) = unsafe { self.slot::<T>(link) }.peek();
        page.mine.free.store(free - link.bits() + next.bits() + ONE, Ordering::Relaxed);
        Some(Popped { page: self, link, generation })
    }

    /// Puts untouched slots on the empty free list. `false` where the page has none left.
    ///
    /// # Safety
    ///
    /// The caller owns the page's shard (I6); the page stays allocated (I2); its free list is empty.
    pub(crate) unsafe fn prime(self, space: &Space) -> bool {
        // SAFETY(I2): the caller's promise.
        let page = unsafe { self.header() };
        page.mine.exclusive.write();
        let free = page.mine.free.load(Ordering::Relaxed);
        debug_assert_eq!(free & HEAD, 0);
        let mut primed = page.mine.primed.load(Ordering::Relaxed);
        let mut ready = space.ready(page.place);
        let (mut head, mut tail, mut found) = (Link::END, None, 0);
        while primed < page.capacity && found < PRIMED {
            if primed == ready {
                // SAFETY(I6): the caller's promise.
                ready = unsafe { self.initialise_block(space, ready) };
            }
            let first = page.first_generation(primed) + page.base(primed);
            // A place whose earlier pages used up the generations of this slot has it retired from the start.
            if first <= page.last_generation {
                // SAFETY(I2): within the page.
                let slot = unsafe { self.any_slot(Link::to(primed)) };
                slot.prime(first, Link::END);
                found += 1;
                match tail.replace(slot) {
                    None => head = Link::to(primed),
                    Some(before) => before.relink(Link::to(primed)),
                }
            }
            primed += 1;
        }
        page.mine.free.store(free + head.bits(), Ordering::Relaxed);
        // Release: whoever walks the slots up to the primed count finds them initialised.
        page.mine.primed.store(primed, Ordering::Release);
        !head.is_end()
    }

    /// Initialises the next block of slots, so that lookups may look at them. A page is not touched as a whole when it is made: that
    /// would cost tens of microseconds at once. How many are ready now.
    ///
    /// # Safety
    ///
    /// The caller owns the page's shard (I6); the page stays allocated (I2); there are slots left.
    #[inline(never)]
    unsafe fn initialise_block(self, space: &Space, begin: u32) -> u32 {
        // SAFETY(I2): the caller's promise.
        let page = unsafe { self.header() };
        let info = page.info;
        let count = u32::try_from(BLOCK / info.stride).unwrap_or(u32::MAX).max(1);
        let end = page.capacity.min(begin + count);
        for index in begin..end {
            let offset = info.slots + index as usize * info.stride;
            // SAFETY(I2): within the allocation; nobody looks at slots that are not ready.
            unsafe {
                self.0.cast::<u8>().add(offset).cast::<Slot>().write(Slot::new());
                self.0.cast::<History>().sub(index as usize + 1).write(History::new());
            }
        }
        space.set_ready(page.place, end);
        end
    }

    /// Puts the remote list on the free list. `true` where there is a free slot now.
    ///
    /// # Safety
    ///
    /// The caller owns the page's shard (I6), took the page from the shard's stack, and the page stays allocated (I2).
    pub(crate) unsafe fn collect(self) -> bool {
        // SAFETY(I2): the caller's promise.
        let page = unsafe { self.header() };
        page.mine.exclusive.write();
        // Acquire (E7): the slots' ends and their links are visible. Release (E7): it clears `queued`, and the link to the next queued page was
        // read before somebody may set it anew.
        let remote = page.others.list.swap(0, Ordering::AcqRel);
        let head = remote & HEAD;
        let freed = page.mine.freed.load(Ordering::Relaxed);
        // Release (E10), as all stores to this word.
        page.mine.freed.store(freed + remote / RETURNED * ONE, Ordering::Release);
        if head != 0 {
            let free = page.mine.free.load(Ordering::Relaxed);
            let before = free & HEAD;
            // The list that is there goes behind the remote one's tail; mostly it is empty and nothing is walked.
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
            page.mine.free.store(free - before + head, Ordering::Relaxed);
        }
        page.has_free()
    }

    /// Gives a slot back whose value is gone. The last thing that its holder does with the page (I8).
    ///
    /// `me` is the record that the calling thread has claimed.
    ///
    /// # Safety
    ///
    /// The slot, with this link, was popped with this generation and not given back since, and the caller is the one
    /// who owns it: it was never opened, or it is closed, without a value, and the caller had the last hold.
    #[inline(always)]
    pub(crate) unsafe fn give_back(
        self,
        slot: NonNull<Slot>,
        link: Link,
        generation: u32,
        me: Option<&Record>,
    ) {
        // SAFETY(I2): the slot is outstanding until the last statement of either path, so the page is there.
        let page = unsafe { self.header() };
        let retired = page.is_last(generation);
        if retired || !me.is_some_and(|me| ptr::eq(me, page.owner)) {
            // SAFETY(I8): passed on.
            return unsafe { self.give_back_remotely(slot, link, generation, retired) };
        }
        // SAFETY(I8): passed on, and the slot is there.
        unsafe { self.give_back_own(slot.as_ref(), link, live_half(generation)) };
    }

    /// As [`PagePtr::give_back`], on the thread that owns the page's shard (I6), of a generation that is not the last.
    ///
    /// # Safety
    ///
    /// As for [`PagePtr::give_back`]; `live` is the lower half of the slot's word when it was, or would have been, live.
    #[inline(always)]
    pub(crate) unsafe fn give_back_own(self, slot: &Slot, link: Link, live: u32) {
        // SAFETY(I2): the slot is outstanding until the last statement, so the page is there.
        let page = unsafe { self.header() };
        page.mine.exclusive.write();
        let freed = page.mine.freed.load(Ordering::Relaxed);
        let head = Link::from_word(freed);
        slot.vacate_live(live, head);
        if !page.is_listed() {
            // SAFETY(I6): the caller owns the shard, which is there as long as the slot is outstanding.
            unsafe { page.shard.as_ref().list(self) };
        }
        // Release (E10): whoever counts this slot as returned sees that nothing follows.
        let pushed = freed - head.bits() + link.bits() + ONE;
        page.memory.read();
        page.mine.freed.store(pushed, Ordering::Release);
    }

    /// # Safety
    ///
    /// As for [`PagePtr::give_back`]. A slot whose generations are used up is counted as returned and put in no list.
    #[inline(never)]
    unsafe fn give_back_remotely(self, slot: NonNull<Slot>, link: Link, generation: u32, retired: bool) {
        // SAFETY(I2): the slot is outstanding until the exchange at the end succeeds.
        let (page, slot) = unsafe { (self.header(), slot.as_ref()) };
        let mut list = page.others.list.load(Ordering::Relaxed);
        loop {
            if list & QUEUED == 0 {
                // The shard must hear of the page before the slot is in its list: afterwards the page may be gone. Acquire (E7): pairs with
                // `collect`, which has read the link.
                match page.others.list.compare_exchange_weak(
                    list,
                    list | QUEUED,
                    Ordering::Acquire,
                    Ordering::Relaxed,
                ) {
                    Ok(_) => {
                        // SAFETY(I8): the shard is there as long as the slot is outstanding, and setting
                        // `queued` made the page this thread's to push.
                        unsafe { page.shard.as_ref().enqueue(self) };
                        list |= QUEUED;
                    }
                    Err(now) => list = now,
                }
                continue;
            }
            let head = Link::from_word(list);
            let (new_head, next) = if retired { (head, Link::END) } else { (link, head) };
            slot.vacate(generation, next);
            let pushed = list - head.bits() + new_head.bits() + RETURNED;
            page.memory.read();
            // Release (E7, E10): the end of the value and the link come before the slot is reachable.
            match page.others.list.compare_exchange_weak(list, pushed, Ordering::Release, Ordering::Relaxed) {
                Ok(_) => return,
                Err(now) => list = now,
            }
        }
    }
}

impl Page {
    fn first_generation(&self, slot: u32) -> u32 {
        first_generation(self.seed, slot, self.last_generation)
    }

    /// Makes what the owner freed the list that is popped, which is empty.
    fn take_freed(&self) {
        let freed = self.mine.freed.load(Ordering::Relaxed);
        let free = self.mine.free.load(Ordering::Relaxed);
        // Release (E10): what is returned is counted in this word.
        self.mine.freed.store(freed & !HEAD, Ordering::Release);
        self.mine.free.store(free + (freed & HEAD), Ordering::Relaxed);
    }

    /// Whether a slot's generation is the last that it can have.
    #[inline(always)]
    pub(crate) fn is_last(&self, generation: u32) -> bool {
        generation >= self.last_generation
    }

    /// Whether a handle's generation is not the last; and whether it is a handle at all. One comparison, since the live bit is a sign: what lacks bit 0 is above all that have it.
    #[inline(always)]
    pub(crate) fn goes_on_after(&self, handle: u64) -> bool {
        bits::generation_and_bit(handle).cast_signed() < self.last_live.cast_signed()
    }

    /// Whether the generation was issued for the slot, in this page or an earlier one at its place, where `last` is the last.
    pub(crate) fn was_issued(&self, slot: u32, generation: u32, last: u32) -> bool {
        (self.first_generation(slot)..=last).contains(&generation)
    }

    /// Whether the generation is one of this page's own, and not of an earlier one at its place.
    pub(crate) fn is_own(&self, slot: u32, generation: u32) -> bool {
        generation >= self.first_generation(slot) + self.base(slot)
    }

    /// Slots that were primed; the others have never been written.
    ///
    /// Acquire: primed slots are initialised.
    pub(crate) fn primed(&self) -> u32 {
        self.mine.primed.load(Ordering::Acquire)
    }

    /// Slots that were taken and not given back: live, reserved or held.
    ///
    /// Acquire (E10): a slot that is counted as returned is not touched any more by who returned it.
    pub(crate) fn outstanding(&self) -> u64 {
        // The remote side first: what the owner collects after this may be counted twice, and only while it creates handles.
        let remote = self.others.list.load(Ordering::Acquire) / RETURNED;
        let freed = self.mine.freed.load(Ordering::Acquire) / ONE;
        self.created().saturating_sub(freed + remote)
    }

    /// Slots that were returned and not taken back by the owner yet.
    pub(crate) fn returned(&self) -> usize {
        (self.others.list.load(Ordering::Relaxed) / RETURNED) as usize
    }

    /// Whether any slot can have used up its generations: each has half of all at least.
    pub(super) fn may_have_retired(&self) -> bool {
        self.past.is_some() || self.created() >= u64::from(self.last_generation / 2)
    }

    /// Whether a slot in this state has used up its generations.
    pub(super) fn is_retired(&self, slot: u32, state: State) -> bool {
        let first = || self.first_generation(slot) + self.base(slot);
        let next = if state.is_untouched() { first() } else { state.generation() + 1 };
        state.phase() == Phase::Vacant && next > self.last_generation
    }

    /// Handles created in this page.
    pub(crate) fn created(&self) -> u64 {
        self.mine.free.load(Ordering::Relaxed) / ONE
    }

    /// Generations that a slot had used up before this page.
    fn base(&self, slot: u32) -> u32 {
        self.past.map_or(0, |past| past.used(slot))
    }

    /// Notes for the next page at this place what this one and those before it have used: `None` where there is no memory for that.
    ///
    /// # Safety
    ///
    /// `this` is this page; nobody creates handles in it any more (I2).
    pub(crate) unsafe fn note_past(&self, this: PagePtr) -> Option<&'static Past> {
        Past::note(self.past, self.primed(), |index| {
            // SAFETY(I2): the caller's promise; primed slots are within the page.
            let state = unsafe { this.any_slot(Link::to(index)) }.state();
            if state.is_untouched() {
                return self.base(index);
            }
            state.generation() + 1 - self.first_generation(index)
        })
    }

    /// Calls `each` with every slot that holds a value or waits for one to be let go.
    ///
    /// # Safety
    ///
    /// `this` is this page, which stays allocated while `each` runs (I2).
    pub(crate) unsafe fn for_each_taken(&self, this: PagePtr, mut each: impl FnMut(u32, &Slot, State)) {
        for index in 0..self.primed() {
            // SAFETY(I2): the caller's promise; primed slots are within the page.
            let slot = unsafe { this.any_slot(Link::to(index)) };
            let state = slot.state();
            if matches!(state.phase(), Phase::Live | Phase::Closed) {
                each(index, slot, state);
            }
        }
    }

    /// The handle of a slot in this page.
    #[inline]
    pub(crate) fn handle(&self, slot: Link, generation: u32) -> u64 {
        bits::within(self.base, generation, slot.bits())
    }

    // ---- links, for the shard ----

    pub(super) fn next_listed(&self) -> &AtomicPtr<Page> {
        &self.mine.next_listed
    }

    pub(super) fn next_queued(&self) -> &AtomicPtr<Page> {
        &self.others.next_queued
    }

    pub(super) fn set_listed(&self, listed: bool) {
        self.mine.listed.store(u32::from(listed), Ordering::Relaxed);
    }

    pub(super) fn is_listed(&self) -> bool {
        self.mine.listed.load(Ordering::Relaxed) != 0
    }

    pub(super) fn has_free(&self) -> bool {
        (self.mine.free.load(Ordering::Relaxed) | self.mine.freed.load(Ordering::Relaxed)) & HEAD != 0
    }
}
