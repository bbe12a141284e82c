//! A shard: what one thread has of one registry. It owns pages and knows which of them have room.
//!
//! Everything but [`Shard::enqueue`] is for the owner: the thread that has claimed the shard's record, or
//! the holder of the lock of the registry's common shard (I6). When that thread ends, the next one that
//! claims the record goes on where it stopped. Shards are never freed: a registry that is dropped leaves
//! them to the next one of its type.

use super::exhausted::Exhausted;
use super::page::Page;
use super::record::Record;
use super::set::Set;
use crate::sync::{AtomicPtr, AtomicU32, Ordering, fence, forks};
use std::ptr;

/// The pages that one owner fills for one registry.
#[repr(C, align(128))]
#[derive(Debug)]
pub(crate) struct Shard {
    /// The registry.
    pub(crate) set: &'static Set,
    /// Whose claim makes a thread the owner.
    pub(crate) owner: &'static Record,
    /// The page that handles are created in; null before the first.
    current: AtomicPtr<Page>,
    /// Other pages with room, a list through `next_listed`.
    listed: AtomicPtr<Page>,
    /// A vacant page that keeps its memory, so that memory does not come and go with every handle.
    warm: AtomicPtr<Page>,
    /// Pages made so far; the first ones are small.
    grown: AtomicU32,
    /// How many forks there were when the shard was last asked for a slot.
    forks: AtomicU32,
    /// Pages with remote frees, a list through `next_queued`: anybody pushes, the owner takes all.
    queued: Queue,
}

#[repr(align(128))]
#[derive(Debug)]
struct Queue(AtomicPtr<Page>);

/// A page from a list; null is none.
#[inline(always)]
fn page(page: *mut Page) -> Option<&'static Page> {
    // SAFETY(I2): null, or from a reference to a page, and pages never go away.
    unsafe { page.as_ref() }
}

/// A page for a list.
fn link(page: &'static Page) -> *mut Page {
    ptr::from_ref(page).cast_mut()
}

impl Shard {
    pub(crate) fn new(set: &'static Set, owner: &'static Record) -> Self {
        let none = || AtomicPtr::new(ptr::null_mut());
        Self {
            set,
            owner,
            current: none(),
            listed: none(),
            warm: none(),
            grown: AtomicU32::new(0),
            forks: AtomicU32::new(forks::generation()),
            queued: Queue(none()),
        }
    }

    /// The page to try first. The caller owns the shard.
    #[inline]
    pub(crate) fn current(&self) -> Option<&'static Page> {
        page(self.current.load(Ordering::Relaxed))
    }

    /// Returns `true` if this is the page to try first.
    pub(super) fn is_current(&self, page: &Page) -> bool {
        ptr::eq(self.current.load(Ordering::Relaxed), page)
    }

    /// Returns `true` if the owner may create handles in this page now. The caller has set `RELEASING` in it.
    ///
    /// `SeqCst` (E16): after that; pairs with [`Shard::make_current`]. Acquire (E10): if the owner has left
    /// the page, what it created there before is visible.
    pub(super) fn may_create_in(&self, page: &Page) -> bool {
        ptr::eq(self.current.load(Ordering::SeqCst), page)
    }

    /// Makes a page with room the one that handles are created in. Returns `false`, and makes none current,
    /// if somebody is just giving its memory back. The caller owns the shard.
    ///
    /// `SeqCst` (E16): the page is current before it is looked at. Release (E10): whoever sees that another
    /// page is current sees what was created in the one before.
    fn make_current(&self, page: &'static Page) -> bool {
        self.current.store(ptr::from_ref(page).cast_mut(), Ordering::SeqCst);
        fence(Ordering::SeqCst);
        if page.is_being_released() {
            self.current.store(ptr::null_mut(), Ordering::SeqCst);
            return false;
        }
        true
    }

    /// Returns `true` if the vacant page is the one that keeps its memory; it is, if there was none. The
    /// caller owns the shard.
    pub(super) fn keeps_warm(&self, page: &'static Page) -> bool {
        let warm = self.warm.load(Ordering::Relaxed);
        if warm.is_null() {
            self.warm.store(ptr::from_ref(page).cast_mut(), Ordering::Relaxed);
        }
        warm.is_null() || ptr::eq(warm, page)
    }

    /// Returns a page with room, made current: refilled, remembered, or new.
    ///
    /// # Errors
    ///
    /// No place is left in the table, or no memory.
    ///
    /// # Safety
    ///
    /// The caller owns the shard (I6), and the registry is in use.
    #[cold]
    pub(crate) unsafe fn refill(&self) -> Result<&'static Page, Exhausted> {
        #[cfg(not(haft_loom))]
        super::clock::refresh();
        // SAFETY(I6): the caller's promise.
        unsafe { self.collect() };
        if let Some(current) = self.current() {
            // SAFETY(I6): the caller's promise; the free list is empty where it primes.
            if current.has_free() || unsafe { current.prime() } {
                return Ok(current);
            }
            current.set_listed(false);
            // Release (E10): whoever sees that the page is left sees what was created in it.
            self.current.store(ptr::null_mut(), Ordering::Release);
        }
        let mut skipped = None;
        let found = loop {
            let next = match self.unlist() {
                Some(listed) => listed,
                // SAFETY(I6): the caller's promise.
                None => match unsafe { self.grow() } {
                    Ok(new) => new,
                    Err(why) => break Err(why),
                },
            };
            if !self.make_current(next) {
                // Its memory goes this very moment. It is taken up later.
                next.next_listed().store(skipped.map_or(ptr::null_mut(), link), Ordering::Relaxed);
                skipped = Some(next);
                continue;
            }
            // A page whose memory was given back, and a new one, has no list yet. If all its slots are
            // retired there is none: the next, then.
            // SAFETY(I6): the caller's promise; the free list is empty where it primes.
            if next.has_free() || unsafe { next.prime() } {
                break Ok(next);
            }
            next.set_listed(false);
            // Release (E10): as above.
            self.current.store(ptr::null_mut(), Ordering::Release);
        };
        while let Some(left) = skipped {
            skipped = page(left.next_listed().load(Ordering::Relaxed));
            left.next_listed().store(self.listed.load(Ordering::Relaxed), Ordering::Relaxed);
            self.listed.store(link(left), Ordering::Relaxed);
        }
        found
    }

    /// A new page, marked as listed.
    ///
    /// # Safety
    ///
    /// As for [`Shard::refill`].
    unsafe fn grow(&self) -> Result<&'static Page, Exhausted> {
        let grown = self.grown.load(Ordering::Relaxed);
        // SAFETY(I2): shards are never freed.
        let this = unsafe { &*ptr::from_ref(self) };
        let page = self.set.add_page(this, grown)?;
        self.grown.store(grown + 1, Ordering::Relaxed);
        page.set_listed(true);
        Ok(page)
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
        while let Some(found) = page(queued) {
            // Before `collect`, which lets others queue the page anew.
            queued = found.next_queued().load(Ordering::Relaxed);
            // SAFETY(I6): the caller's promise; the page comes from the stack. Collecting lists it.
            unsafe { found.collect() };
        }
    }

    /// Leaves the pages that a child has from its parent: see [`Page::is_inherited`]. Those that are vacant
    /// begin anew.
    ///
    /// # Safety
    ///
    /// As for [`Shard::refill`].
    pub(super) unsafe fn begin_anew_after_fork(&self) {
        if self.forks.load(Ordering::Relaxed) == forks::generation() {
            return;
        }
        self.forks.store(forks::generation(), Ordering::Relaxed);
        // SAFETY(I6): the caller's promise.
        unsafe { self.collect() };
        self.warm.store(ptr::null_mut(), Ordering::Relaxed);
        let mut pages = self.listed.swap(ptr::null_mut(), Ordering::Relaxed);
        // Release (E10): whoever sees that the page is left sees what was created in it.
        if let Some(current) = page(self.current.swap(ptr::null_mut(), Ordering::Release)) {
            current.next_listed().store(pages, Ordering::Relaxed);
            pages = link(current);
        }
        while let Some(found) = page(pages) {
            pages = found.next_listed().load(Ordering::Relaxed);
            found.set_listed(false);
            if found.begins_anew() {
                // SAFETY(I6): the caller's promise; it is in no list any more.
                unsafe { self.list(found) };
            }
        }
    }

    /// Remembers a page that has room again.
    ///
    /// # Safety
    ///
    /// The caller owns the shard (I6); the page is the shard's, and is neither current nor listed.
    #[cold]
    #[inline(never)]
    pub(super) unsafe fn list(&self, page: &'static Page) {
        page.set_listed(true);
        page.next_listed().store(self.listed.load(Ordering::Relaxed), Ordering::Relaxed);
        self.listed.store(ptr::from_ref(page).cast_mut(), Ordering::Relaxed);
    }

    /// Takes a page with room from the list. The caller owns the shard.
    fn unlist(&self) -> Option<&'static Page> {
        let listed = page(self.listed.load(Ordering::Relaxed))?;
        self.listed.store(listed.next_listed().load(Ordering::Relaxed), Ordering::Relaxed);
        if ptr::eq(self.warm.load(Ordering::Relaxed), listed) {
            self.warm.store(ptr::null_mut(), Ordering::Relaxed);
        }
        Some(listed)
    }

    /// Tells the owner of a page with remote frees. Any thread; lock-free. The caller has set the page's
    /// `QUEUED` bit, or found it skipped, so nobody else pushes it.
    pub(super) fn enqueue(&self, page: &Page) {
        let link = page.next_queued();
        let mut head = self.queued.0.load(Ordering::Relaxed);
        loop {
            link.store(head, Ordering::Relaxed);
            // Release (E7): the link comes before the head that reaches it.
            match self.queued.0.compare_exchange_weak(
                head,
                ptr::from_ref(page).cast_mut(),
                Ordering::Release,
                Ordering::Relaxed,
            ) {
                Ok(_) => return,
                Err(now) => head = now,
            }
        }
    }
}
