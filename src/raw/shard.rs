//! A shard: what one thread has of one registry. It owns pages and knows which of them have room.
//!
//! Everything but [`Shard::enqueue`] is for the owner: the thread that has claimed the shard's record, or whoever holds
//! the lock of the registry's common shard (I6). When that thread ends, the next one that claims the record goes on
//! where it stopped.

use super::cells::Record;
use super::page::{Page, PagePtr};
use super::set::Set;
use crate::sync::{AtomicPtr, AtomicU32, Ordering};
use std::ptr::{self, NonNull};

/// Why no handle could be created.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exhausted {
    /// The registry's own limit is reached.
    Limit,
    /// Every place in the table is taken.
    Space,
    /// The allocator had no memory for a page.
    Memory,
}

/// The pages that one owner fills for one registry.
#[repr(C, align(128))]
#[derive(Debug)]
pub(crate) struct Shard {
    /// The registry; it outlives its shards.
    pub(crate) set: NonNull<Set>,
    /// Whose claim makes a thread the owner.
    pub(crate) owner: &'static Record,
    /// The page that handles are created in; null before the first.
    current: AtomicPtr<Page>,
    /// Other pages with free slots, a list through `next_listed`.
    listed: AtomicPtr<Page>,
    /// Pages made so far; the first ones are small.
    grown: AtomicU32,
    /// Pages with remote frees, a list through `next_queued`: anybody pushes, the owner takes all.
    queued: Queue,
}

#[repr(align(128))]
#[derive(Debug)]
struct Queue(AtomicPtr<Page>);

// SAFETY(I6): the owner-only parts are reached only through the methods that demand ownership; all fields are atomic or
// never change.
unsafe impl Sync for Shard {}
// SAFETY(I6): nothing in a shard is bound to the thread that made it; ownership moves with the claim.
unsafe impl Send for Shard {}

impl Shard {
    pub(crate) fn new(set: NonNull<Set>, owner: &'static Record) -> Self {
        Self {
            set,
            owner,
            current: AtomicPtr::new(ptr::null_mut()),
            listed: AtomicPtr::new(ptr::null_mut()),
            grown: AtomicU32::new(0),
            queued: Queue(AtomicPtr::new(ptr::null_mut())),
        }
    }

    /// The page to try first. The caller owns the shard.
    #[inline]
    pub(crate) fn current(&self) -> Option<PagePtr> {
        PagePtr::from_ptr(self.current.load(Ordering::Relaxed))
    }

    /// A page whose free list is not empty, made current: refilled, remembered, or new.
    ///
    /// # Errors
    ///
    /// No place is left in the table, or no memory.
    ///
    /// # Safety
    ///
    /// The caller owns the shard (I6), and the registry is in use (so its pages stay, I2).
    #[cold]
    pub(crate) unsafe fn refill(&self) -> Result<PagePtr, Exhausted> {
        #[cfg(not(haft_loom))]
        super::clock::refresh();
        // SAFETY(I6): the caller's promise.
        unsafe { self.collect() };
        if let Some(page) = self.current() {
            // SAFETY(I2): the caller's promise.
            let header = unsafe { page.header() };
            // SAFETY(I6): the caller's promise; the free list is empty where it primes.
            if header.has_free() || unsafe { page.prime(self.set.as_ref().space) } {
                return Ok(page);
            }
            header.set_listed(false);
            self.current.store(ptr::null_mut(), Ordering::Relaxed);
        }
        let page = if let Some(page) = PagePtr::from_ptr(self.listed.load(Ordering::Relaxed)) {
            // SAFETY(I2): the caller's promise.
            let header = unsafe { page.header() };
            self.listed.store(header.next_listed().load(Ordering::Relaxed), Ordering::Relaxed);
            page
        } else {
            // SAFETY(I6): the caller's promise.
            unsafe { self.grow()? }
        };
        self.current.store(page.as_ptr(), Ordering::Relaxed);
        Ok(page)
    }

    /// A new page with at least one free slot, marked as listed.
    ///
    /// # Safety
    ///
    /// As for [`Shard::refill`].
    unsafe fn grow(&self) -> Result<PagePtr, Exhausted> {
        loop {
            let grown = self.grown.load(Ordering::Relaxed);
            // SAFETY(I2): a registry outlives its shards.
            let set = unsafe { self.set.as_ref() };
            let page = set.add_page(self, grown)?;
            self.grown.store(grown + 1, Ordering::Relaxed);
            // SAFETY(I2): the caller's promise, also for the new page.
            unsafe { page.header() }.set_listed(true);
            // SAFETY(I6): the caller's promise. A place whose slots are all retired primes none: the next, then.
            if unsafe { page.prime(set.space) } {
                return Ok(page);
            }
        }
    }

    /// Takes back what others freed.
    ///
    /// # Safety
    ///
    /// As for [`Shard::refill`].
    unsafe fn collect(&self) {
        if self.queued.0.load(Ordering::Relaxed).is_null() {
            return;
        }
        // Acquire (E7): the links of the stack are visible.
        let mut queued = self.queued.0.swap(ptr::null_mut(), Ordering::Acquire);
        while let Some(page) = PagePtr::from_ptr(queued) {
            // SAFETY(I2): the caller's promise.
            let header = unsafe { page.header() };
            // Before `collect`, which lets others queue the page anew.
            queued = header.next_queued().load(Ordering::Relaxed);
            // SAFETY(I6): the caller's promise; the page comes from the stack.
            if unsafe { page.collect() } && !header.is_listed() {
                // SAFETY(I6): as above.
                unsafe { self.list(page) };
            }
        }
    }

    /// Remembers a page that has room again.
    ///
    /// # Safety
    ///
    /// The caller owns the shard (I6); the page is the shard's, stays (I2), and is neither current nor listed.
    #[cold]
    #[inline(never)]
    pub(super) unsafe fn list(&self, page: PagePtr) {
        // SAFETY(I2): the caller's promise.
        let header = unsafe { page.header() };
        header.set_listed(true);
        header.next_listed().store(self.listed.load(Ordering::Relaxed), Ordering::Relaxed);
        self.listed.store(page.as_ptr(), Ordering::Relaxed);
    }

    /// Tells the owner of a page with remote frees. Any thread; lock-free.
    ///
    /// # Safety
    ///
    /// The page is the shard's and is there (I2); the caller has set its `queued` bit, so nobody else pushes it.
    pub(super) unsafe fn enqueue(&self, page: PagePtr) {
        // SAFETY(I2): the caller's promise.
        let link = unsafe { page.header() }.next_queued();
        let mut head = self.queued.0.load(Ordering::Relaxed);
        loop {
            link.store(head, Ordering::Relaxed);
            // Release (E7): the link comes before the head that reaches it.
            match self.queued.0.compare_exchange_weak(
                head,
                page.as_ptr(),
                Ordering::Release,
                Ordering::Relaxed,
            ) {
                Ok(_) => return,
                Err(now) => head = now,
            }
        }
    }
}
