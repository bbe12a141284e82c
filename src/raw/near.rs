//! What an integer that is no handle comes near: a live handle that it was made of, or memory of haft's.
//!
//! Nothing here runs when a lookup fails: only when somebody reads the error's text. Most of it is a few dozen lookups. What has to be
//! searched for goes through at most [`STEPS`] places and slots, and finds nothing where there are more.

use super::bits;
use super::explain::{Cause, Finding, explain};
use super::find::Want;
use super::layout::TypeInfo;
use super::link::Link;
use super::page::Page;
use super::slot::Phase;
use super::thread::SPACE;
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
    /// What a double keeps of a live handle.
    Double(u64),
    /// A live handle but for some of its upper bits.
    Cut(u64),
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
    if lower == 0 {
        if let Some(handle) = with_upper(upper) {
            return Some(Near::Upper(handle));
        }
    }
    if let Some(handle) = [bits.wrapping_sub(1), bits.wrapping_add(1)].into_iter().find(is_live) {
        return Some(Near::Off(handle));
    }
    if let Some(bit) = (1..u64::BITS).find(|bit| is_live(&(bits ^ 1 << bit))) {
        return Some(Near::Bit(bits ^ 1 << bit, bit));
    }
    if let Some(handle) = before_it_was_a_double(bits) {
        return Some(Near::Double(handle));
    }
    if let Some(handle) = before_it_was_cut(bits) {
        return Some(Near::Cut(handle));
    }
    usize::try_from(bits).ok().and_then(within)
}

/// The live handle with these lower 32 bits: they name the slot, and the place but for its highest bit.
fn with_lower(lower: u32) -> Option<u64> {
    let (lower, next) = (u64::from(lower), 1 << 32);
    if !bits::is_well_formed(lower) {
        return None;
    }
    [lower, lower | next].into_iter().find_map(|any| live(SPACE.page(any), bits::slot(any)))
}

/// A live handle with these upper 32 bits: they are the generation, and the highest bit of the place.
fn with_upper(upper: u32) -> Option<u64> {
    let wanted = u64::from(upper) << 32;
    if bits::generation(wanted) == 0 {
        return None;
    }
    let mut left = STEPS;
    each_page(&mut left, |page, left| {
        let slots = page.primed();
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

/// The live handle that is these bits as a double, which keeps the upper 53 of 63: the nearest of several.
fn before_it_was_a_double(bits: u64) -> Option<u64> {
    let lost = (u64::BITS - bits.leading_zeros()).saturating_sub(f64::MANTISSA_DIGITS);
    if lost < 2 || bits % (1 << lost) != 0 {
        return None;
    }
    let nearest_first = (1..1_u64 << (lost - 1)).step_by(2);
    let both = nearest_first.flat_map(|off| [bits.wrapping_sub(off), bits.wrapping_add(off)]);
    both.into_iter().find(|handle| *handle as f64 == bits as f64 && finding(*handle).is_some())
}

/// The live handle that these bits are the lower ones of. Some bits of the generation must be left, or all small numbers would
/// be meant.
fn before_it_was_cut(bits: u64) -> Option<u64> {
    const LEAST: u32 = 44;
    if !bits::is_well_formed(bits) {
        return None;
    }
    let handle = live(SPACE.page(bits), bits::slot(bits))?;
    let kept = (handle ^ bits).trailing_zeros();
    (kept >= LEAST && bits.checked_shr(kept) == Some(0)).then_some(handle)
}

/// The handle of a slot, if there is such a slot and it is live.
fn live(page: &Page, slot: u32) -> Option<u64> {
    if slot >= page.slots() {
        return None;
    }
    // SAFETY(I2): the page has the slot, so it is installed.
    let state = unsafe { page.any_slot(Link::to(slot)) }.state();
    // SAFETY(I2): as above.
    (state.phase() == Phase::Live).then(|| unsafe { page.handle(Link::to(slot), state.generation()) })
}

/// What of haft's an address lies in.
fn within(address: usize) -> Option<Near> {
    let mut left = STEPS;
    each_page(&mut left, |page, _| {
        // SAFETY(I2): `each_page` shows installed ones.
        let ((slots, layout), info) = unsafe { (page.extent(), page.named()) };
        let slots = slots.addr().get();
        let start = slots - layout.front;
        if !(start..start + layout.bytes).contains(&address) {
            return ControlFlow::Continue(());
        }
        let in_slot = address.checked_sub(slots).and_then(|offset| {
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

/// Calls `each` with every page, until it breaks or no steps are left.
fn each_page<R>(
    left: &mut usize,
    mut each: impl FnMut(&'static Page, &mut usize) -> ControlFlow<R>,
) -> Option<R> {
    for page in SPACE.pages() {
        *left = left.checked_sub(1)?;
        if let ControlFlow::Break(found) = each(page, left) {
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
        let page = SPACE.page(handle.to_bits());
        // SAFETY(I2): the handle is live.
        let ((slots, layout), info) = unsafe { (page.extent(), page.info()) };
        assert!(is_page(value + info.stride));
        let start = slots.addr().get() - layout.front;
        assert!(is_page(start) && is_page(start + layout.bytes - 1));
        assert!(!is_page(start - 1) && !is_page(start + layout.bytes));
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
        for bit in [3, 13, 20, 33, 40, 62, 63] {
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
    #[test]
    fn s13_what_a_double_or_fewer_bits_leave_of_a_live_handle_is_told() {
        // Enough that one is far from where its upper half would end.
        let handles: Vec<_> = (0..700).map(|number| Handle::new(number as f32)).collect();
        let bits =
            handles.iter().map(|handle| handle.to_bits()).find(|bits| bits % (1 << 13) > 1024).unwrap();
        let mut told = 0;
        for kept in [47, 53, 56] {
            let cut = bits & ((1 << kept) - 1);
            // (Where one bit alone is missing, it is told so; where none is, there is nothing to tell.)
            if (cut ^ bits).count_ones() > 1 {
                assert!(matches!(near(cut), Some(Near::Cut(of)) if of == bits), "{kept} bits of {bits:#x}");
                told += 1;
            }
        }
        let double = bits as f64 as u64;
        if (double ^ bits).count_ones() > 1 && double != bits + 1 && double != bits - 1 {
            let found = near(double);
            assert!(
                matches!(found, Some(Near::Double(of)) if of as f64 == bits as f64),
                "{bits:#x} as a double: {found:?}"
            );
            told += 1;
        }
        assert!(told > 0 || bits < 1 << 54, "{bits:#x}");
        handles.iter().for_each(|handle| handle.delete());
        assert!(before_it_was_a_double(double).is_none());
    }
}
