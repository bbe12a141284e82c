//! What the table says of a place: all that a lookup must know of a page, in half a cache line.
//!
//! ```text
//! gate: | registry 49 | unlimited 1 | slots ready 13 | 0 |      page | type | owner and bias
//! ```
//!
//! The gate is looked at first. Where it is not zero, the rest is that of the page that is there, and stays so as long as the page is
//! kept (I2): a page is withdrawn by closing the gate alone, and the place is used again only when nobody keeps the page any more. So a lookup
//! does not touch the page's header.

use super::bias::{self, Bias};
use super::bits;
use super::cells::Record;
use super::layout::TypeInfo;
use super::page::{Page, PagePtr};
use super::slot::State;
use crate::sync::{AtomicPtr, AtomicU64, Ordering};
use std::ptr;

/// One place of the table.
#[repr(C, align(32))]
#[derive(Debug)]
pub(crate) struct Entry {
    gate: AtomicU64,
    page: AtomicPtr<Page>,
    info: AtomicPtr<TypeInfo>,
    pub(super) bias: Bias,
}

#[cfg(all(not(haft_loom), target_pointer_width = "64"))]
const _: () = assert!(size_of::<Entry>() == 32);

const UNLIMITED: u64 = 1 << (bits::SLOT_BITS + 2);
const READY: u64 = UNLIMITED - 2;
const SET_SHIFT: u32 = bits::SLOT_BITS + 3;

/// Whether the set with this identity is never dropped, so that its pages stay for ever (I2).
#[inline(always)]
pub(crate) const fn is_perpetual(id: u64) -> bool {
    id & 1 == 1
}

/// The gate of a place, read once; zero while no page is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Gate(u64);

impl Gate {
    /// Of a page without a slot that is ready.
    pub(crate) fn new(set_id: u64, limited: bool) -> Self {
        debug_assert!(set_id != 0 && set_id >> (64 - SET_SHIFT) == 0);
        Self(set_id << SET_SHIFT | if limited { 0 } else { UNLIMITED })
    }

    /// The same with so many slots ready.
    pub(crate) fn with_ready(self, ready: u32) -> Self {
        Self(self.0 & !READY | u64::from(ready) << 1)
    }

    /// Whether no page is there.
    pub(crate) fn is_closed(self) -> bool {
        self.0 == 0
    }

    /// The identity of the page's registry; 0 where there is none.
    #[inline(always)]
    pub(crate) fn set_id(self) -> u64 {
        self.0 >> SET_SHIFT
    }

    /// Slots that others may look at: they are initialised.
    pub(crate) fn ready(self) -> u32 {
        (self.0 & READY) as u32 >> 1
    }

    /// Whether the handle's slot is one of these. Both stand doubled in their words, and are compared as they stand.
    #[inline(always)]
    pub(crate) fn has_slot_of(self, handle: u64) -> bool {
        bits::slot_twice(handle) < self.0 & READY
    }

    /// As [`Gate::has_slot_of`], and the set is never dropped and has no limit. The two bits for that are above the slots', so it is one comparison.
    #[inline(always)]
    pub(crate) fn has_slot_of_unlimited_perpetual(self, handle: u64) -> bool {
        const BOTH: u64 = 1 << SET_SHIFT | UNLIMITED;
        bits::slot_twice(handle) | BOTH < self.0 & (BOTH | READY)
    }

    /// Whether the registry counts its live handles against a limit; meaningful where a page is there.
    #[inline(always)]
    pub(crate) fn is_limited(self) -> bool {
        self.0 & UNLIMITED == 0
    }

    /// Whether it is the gate of this set, which has no limit.
    #[inline(always)]
    pub(crate) fn is_of_set_without_limit(self, id: u64) -> bool {
        self.0 & !READY == id << SET_SHIFT | UNLIMITED
    }

    /// Whether the registry is never dropped, so that its pages stay for ever (I2).
    #[inline(always)]
    pub(crate) fn is_perpetual(self) -> bool {
        is_perpetual(self.set_id())
    }
}

/// What an entry said when it was looked at.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Found {
    pub(crate) gate: Gate,
    page: *mut Page,
    info: *const TypeInfo,
    bias: *const Record,
}

impl Found {
    /// Whether the page was biased to this record, where the gate was found open.
    #[inline(always)]
    pub(crate) fn is_biased_to(self, me: &Record) -> bool {
        ptr::eq(self.bias, me)
    }

    /// Whether the slot with this state knows the reader, where the gate was found open: it owns the page, or one of its group has looked the handle up.
    #[inline(always)]
    pub(crate) fn knows(self, me: &Record, state: State) -> bool {
        self.is_biased_to(me) || state.has_reader(me.reader_bit()) || bias::names(self.bias, me)
    }

    /// The page, where the gate was found open.
    #[inline(always)]
    pub(crate) fn page(self) -> PagePtr {
        // SAFETY(I2): the gate was open, so a page was installed.
        unsafe {
            std::hint::assert_unchecked(!self.page.is_null());
            PagePtr::from_ptr(self.page).unwrap_unchecked()
        }
    }

    /// Whether the page holds values of `T`, where the gate was found open.
    #[inline(always)]
    pub(crate) fn holds<T: 'static>(self) -> bool {
        // SAFETY(I2): the gate was open, so a description was installed, and descriptions are never freed.
        unsafe { &*self.info }.is_of::<T>()
    }
}

impl Entry {
    /// A place without a page: all zeros.
    #[cfg(not(haft_loom))]
    pub(crate) const fn empty() -> Self {
        Self {
            gate: AtomicU64::new(0),
            page: AtomicPtr::new(ptr::null_mut()),
            info: AtomicPtr::new(ptr::null_mut()),
            bias: Bias::none(),
        }
    }

    /// A place without a page.
    #[cfg(haft_loom)]
    pub(crate) fn empty() -> Self {
        Self {
            gate: AtomicU64::new(0),
            page: AtomicPtr::new(ptr::null_mut()),
            info: AtomicPtr::new(ptr::null_mut()),
            bias: Bias::none(),
        }
    }

    /// The gate.
    ///
    /// `SeqCst` (E9): after a publication, so that whoever closes it sees the cell. Acquire (E2): the rest of the entry, the page's header, and
    /// the slots that are ready are visible.
    #[inline(always)]
    pub(crate) fn gate(&self) -> Gate {
        Gate(self.gate.load(Ordering::SeqCst))
    }

    /// The gate, then what is behind it, in one go, so that the entry's address is made once. Relaxed, but for the gate, which has the others
    /// visible (E2).
    #[inline(always)]
    pub(crate) fn look(&self) -> Found {
        let gate = self.gate();
        let (page, info) = (self.page.load(Ordering::Relaxed), self.info.load(Ordering::Relaxed));
        Found { gate, page, info, bias: self.bias.word() }
    }

    /// The page, where the gate was found open.
    #[inline(always)]
    pub(crate) fn page(&self) -> PagePtr {
        self.look().page()
    }

    /// Whether this record owns the page, where the gate was found open.
    #[inline(always)]
    pub(crate) fn is_owned_by(&self, me: &Record) -> bool {
        self.bias.is_owned_by(me)
    }

    /// Lets others look. Release (E2): the fields, the page's header and the slots that are ready come before.
    pub(super) fn open(&self, gate: Gate) {
        self.gate.store(gate.0, Ordering::Release);
    }

    /// Puts a page here. The gate is closed, and nobody keeps the page that was here before.
    pub(super) fn install(&self, page: PagePtr, header: &Page, gate: Gate, shared: bool) {
        self.page.store(page.as_ptr(), Ordering::Relaxed);
        self.info.store(ptr::from_ref(header.info).cast_mut(), Ordering::Relaxed);
        self.bias.begin(header.owner, shared);
        self.open(gate);
    }

    /// Withdraws the page. SeqCst (E9): before the cells are looked at. Release (E2): whoever sees the closed gate sees the past.
    pub(super) fn close(&self) {
        self.gate.store(0, Ordering::SeqCst);
    }
}

#[cfg(all(test, not(haft_loom)))]
mod tests {
    use super::*;

    #[test]
    fn e2_a_gate_keeps_what_it_is_made_of_apart() {
        assert!(Gate(0).is_closed() && Gate(0).set_id() == 0 && Gate(0).ready() == 0);
        for id in [2, 3, 0x1234_5678, 0x1234_5679] {
            for ready in [0, 1, 2, 32, 4095, 4096] {
                for limited in [false, true] {
                    let gate = Gate::new(id, limited).with_ready(7).with_ready(ready);
                    assert_eq!((gate.set_id(), gate.ready(), gate.is_limited()), (id, ready, limited));
                    assert!(!gate.is_closed());
                    assert_eq!(gate.is_perpetual(), id & 1 == 1);
                    assert_eq!(gate.is_of_set_without_limit(id), !limited);
                    assert!(!gate.is_of_set_without_limit(id + 2) && !gate.is_of_set_without_limit(0));
                    for slot in [0, 1, 31, 32, 4094, 4095] {
                        let handle = bits::pack(9, 3, slot);
                        assert_eq!(gate.has_slot_of(handle), slot < ready);
                        let both = id & 1 == 1 && !limited && slot < ready;
                        assert_eq!(gate.has_slot_of_unlimited_perpetual(handle), both);
                    }
                }
            }
        }
    }
}
