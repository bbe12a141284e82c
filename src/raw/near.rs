//! What an integer that is no handle comes near: a live handle that it was made of, or memory of haft's.
//!
//! Nothing here runs when a lookup fails: only when somebody reads the error's text. Most of it is a few dozen lookups. What has to be
//! searched for goes through at most [`STEPS`] places and slots, and finds nothing where there are more.

use super::bits;
use super::explain::{Cause, Finding, explain};
use super::layout::TypeInfo;
use super::link::Link;
use super::lookup::Want;
use super::page::PagePtr;
use super::slot::Phase;
use super::thread::{SPACE, with_stay};
use std::ops::ControlFlow;

/// Places and slots that one search looks at: some milliseconds at most.
const STEPS: usize = 1 << 20;

/// What the integer is, compared with what is alive now.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Near {
    /// The address of a live handle's value, or within it.
    Value(u64),
    /// An address within a page of values of this type, but not of a live one.
    Page(&'static TypeInfo),
    /// The lower 32 bits of a live handle.
    Lower(u64),
    /// The lower 32 bits of a live handle, sign-extended.
    Signed(u64),
    /// The upper 32 bits of a live handle, where they were or moved down.
    Upper(u64),
    /// One more than a live handle, or one less.
    Off(u64),
    /// A live handle but for this bit.
    Bit(u64, u32),
}

/// What a live handle is; `None` where it is not live (any more).
pub(crate) fn finding(handle: u64) -> Option<Finding> {
    let finding = explain(handle, None, Want::Type);
    (finding.cause == Cause::Live).then_some(finding)
}

/// What these bits come near, if anything.
pub(crate) fn near(bits: u64) -> Option<Near> {
    let is_live = |handle: &u64| finding(*handle).is_some();
    let (upper, lower) = ((bits >> 32) as u32, bits as u32);
    let signed = upper == u32::MAX && lower >> 31 == 1;
    if upper == 0 || signed {
        if let Some(handle) = with_lower(lower) {
            return Some(if signed { Near::Signed(handle) } else { Near::Lower(handle) });
        }
        if let Some(handle) = with_upper(lower) {
            return Some(Near::Upper(handle));
        }
    }
    if lower == 0
        && let Some(handle) = with_upper(upper)
    {
        return Some(Near::Upper(handle));
    }
    if let Some(handle) = [bits.wrapping_sub(1), bits.wrapping_add(1)].into_iter().find(is_live) {
        return Some(Near::Off(handle));
    }
    if let Some(bit) = (1..u64::BITS).find(|bit| is_live(&(bits ^ 1 << bit))) {
        return Some(Near::Bit(bits ^ 1 << bit, bit));
    }
    usize::try_from(bits).ok().and_then(within)
}

/// The live handle with these lower 32 bits: they name the slot, and the place but for its highest bit.
fn with_lower(lower: u32) -> Option<u64> {
    let (lower, next) = (u64::from(lower), 1 << 32);
    if !bits::is_well_formed(lower) {
        return None;
    }
    [lower, lower | next].into_iter().find_map(|any| {
        with_stay(any, || {
            let page = SPACE.page(any)?;
            live(page, bits::slot(any))
        })
    })
}

/// A live handle with these upper 32 bits: they are the generation, and the highest bit of the place.
fn with_upper(upper: u32) -> Option<u64> {
    let wanted = u64::from(upper) << 32;
    if bits::generation(wanted) == 0 {
        return None;
    }
    let mut left = STEPS;
    each_page(&mut left, |page, left| {
        // SAFETY(I2): the stay keeps the page.
        let slots = SPACE.ready(unsafe { page.header() }.place);
        for slot in 0..slots {
            match live(page, slot) {
                Some(handle) if handle >> 32 == u64::from(upper) => return ControlFlow::Break(handle),
                _ => {}
            }
        }
        *left = left.saturating_sub(slots as usize);
        ControlFlow::Continue(())
    })
}

/// The handle of a slot, where it is live. The caller keeps the page.
fn live(page: PagePtr, slot: u32) -> Option<u64> {
    // SAFETY(I2): the caller keeps the page.
    let header = unsafe { page.header() };
    if slot >= SPACE.ready(header.place) {
        return None;
    }
    // SAFETY(I2): as above; the slot is within it.
    let state = unsafe { page.any_slot(Link::to(slot)) }.state();
    (state.phase() == Phase::Live).then(|| header.handle(Link::to(slot), state.generation()))
}

/// What of haft's an address lies in.
fn within(address: usize) -> Option<Near> {
    let mut left = STEPS;
    each_page(&mut left, |page, _| {
        // SAFETY(I2): the stay keeps the page.
        let header = unsafe { page.header() };
        let info = header.info;
        let page_at = page.as_ptr().addr();
        let (bytes, front) =
            info.page_layout(header.capacity).map_or((0, 0), |(layout, front)| (layout.size(), front));
        if !(page_at - front..page_at - front + bytes).contains(&address) {
            return ControlFlow::Continue(());
        }
        let in_slot = address.checked_sub(page_at + info.slots).and_then(|offset| {
            let value = (offset % info.stride).checked_sub(info.value)?;
            // A value without a size has an address, too.
            (value < info.size.max(1)).then_some((offset / info.stride) as u32)
        });
        ControlFlow::Break(match in_slot.and_then(|slot| live(page, slot)) {
            Some(handle) => Near::Value(handle),
            None => Near::Page(info),
        })
    })
}

/// Calls `each` with every page, which stays meanwhile, until it breaks or no steps are left.
fn each_page<R>(left: &mut usize, mut each: impl FnMut(PagePtr, &mut usize) -> ControlFlow<R>) -> Option<R> {
    for place in SPACE.used_places() {
        *left = left.checked_sub(1)?;
        let any = bits::pack(0, place, 0);
        let found = with_stay(any, || SPACE.page(any).map(|page| each(page, left)));
        if let Some(ControlFlow::Break(found)) = found {
            return Some(found);
        }
    }
    None
}

#[cfg(all(test, not(haft_loom)))]
mod tests {
    use super::*;
    use crate::{Handle, Ref};

    #[test]
    fn s13_an_address_is_told_to_the_byte() {
        struct Session([u8; 24]);
        let handle = Handle::new(Session([7; 24]));
        let guard = handle.get().unwrap();
        assert_eq!(guard.0[23], 7);
        let value = std::ptr::from_ref(&*guard).addr();
        let is_value =
            |address| matches!(within(address), Some(Near::Value(found)) if found == handle.to_bits());
        let is_page = |address| matches!(within(address), Some(Near::Page(info)) if info.is_of::<Session>());
        assert!(is_value(value) && is_value(value + 23));
        assert!(is_page(value - 1) && is_page(value + 24), "the states before and after it");
        // The slot behind it was never used.
        let page = SPACE.page(handle.to_bits()).unwrap();
        // SAFETY(I2): the handle is live.
        let header = unsafe { page.header() };
        assert!(is_page(value + header.info.stride));
        let (layout, front) = header.info.page_layout(header.capacity).unwrap();
        let start = page.as_ptr().addr() - front;
        assert!(is_page(start) && is_page(start + layout.size() - 1));
        assert!(!is_page(start - 1) && !is_page(start + layout.size()));
        assert!(within(value & 0xFF).is_none());
        drop(guard);
        handle.delete();
        assert!(is_page(value));
    }

    #[test]
    fn s13_parts_of_a_live_handle_and_what_is_next_to_it_are_told() {
        // (The first handle of a process may be its own upper half and one.)
        let [first, handle] = [0.5, 1.5].map(Handle::<f32>::new);
        let bits = handle.to_bits();
        let (upper, lower) = (bits >> 32, bits & 0xFFFF_FFFF);
        assert!(matches!(near(lower), Some(Near::Lower(found)) if found == bits));
        assert!(matches!(near(upper), Some(Near::Upper(found)) if found >> 32 == upper));
        assert!(matches!(near(upper << 32), Some(Near::Upper(found)) if found >> 32 == upper));
        assert!(matches!(near(bits + 1), Some(Near::Off(found)) if found == bits));
        assert!(matches!(near(bits - 1), Some(Near::Off(found)) if found == bits));
        for bit in [3, 13, 20, 33, 40, 63] {
            let flipped = bits ^ 1 << bit;
            assert!(
                matches!(near(flipped), Some(Near::Bit(found, at)) if found ^ 1 << at == flipped),
                "bit {bit}"
            );
        }
        assert!(finding(bits).is_some() && with_lower(lower as u32) == Some(bits));
        assert_eq!((with_lower(lower as u32 & !1), with_upper(0)), (None, None));
        assert_eq!(*Ref::handle(&handle.get().unwrap()).get().unwrap(), 1.5);
        first.delete();
        handle.delete();
        assert!(finding(bits).is_none() && with_lower(lower as u32).is_none());
        assert!(with_upper(upper as u32) != Some(bits));
    }
}
