//! From an integer to a page and a slot: what lookups and removals begin with. Loads alone (S16).

use super::link::Link;
use super::page::{Memory, Page};
use super::slot::Slot;
use super::space::Space;
use std::marker::PhantomData;

/// What a handle must be, apart from live.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Want {
    /// Of the type that is asked for, in whatever registry.
    Type,
    /// In the registry with this identity, so it has the type.
    Set(u64),
}

/// An identity that no registry has.
pub(crate) const NO_SET: u64 = u64::MAX;

/// What must be known of a value: its type, or nothing.
///
/// # Safety
///
/// [`Value::fits`] says `true` of no pages but those whose slots [`Value::slot`] finds.
pub(crate) unsafe trait Value {
    /// Whether the value needs no drop, as far as the compiler knows.
    const NEEDS_NO_DROP: bool;

    /// Returns `true` if a page has such values.
    ///
    /// # Safety
    ///
    /// The page was seen installed (I2).
    unsafe fn fits(page: &Page) -> bool;

    /// The slot of a handle.
    ///
    /// # Safety
    ///
    /// The page was seen installed (I2), with this memory; it has such values, and the slot.
    unsafe fn slot(page: &Page, memory: Memory, link: Link) -> &'static Slot;
}

/// A value of type `T`.
pub(crate) struct Typed<T>(PhantomData<T>);

/// A value of whatever type.
pub(crate) enum Erased {}

// SAFETY(I3): it compares the type.
unsafe impl<T: 'static> Value for Typed<T> {
    const NEEDS_NO_DROP: bool = !std::mem::needs_drop::<T>();

    #[inline(always)]
    unsafe fn fits(page: &Page) -> bool {
        // SAFETY(I2): the caller's promise.
        unsafe { page.has::<T>() }
    }

    #[inline(always)]
    unsafe fn slot(_: &Page, memory: Memory, link: Link) -> &'static Slot {
        // SAFETY(I2): the caller's promise.
        unsafe { memory.slot::<T>(link) }.0
    }
}

// SAFETY(I3): there is no other value.
unsafe impl Value for Erased {
    const NEEDS_NO_DROP: bool = false;

    #[inline(always)]
    unsafe fn fits(_: &Page) -> bool {
        true
    }

    #[inline(always)]
    unsafe fn slot(page: &Page, _: Memory, link: Link) -> &'static Slot {
        // SAFETY(I2): the caller's promise.
        unsafe { page.any_slot(link) }
    }
}

/// The page of a handle and the way to its slot, if there is such a page, with such values, of such a
/// registry, and it has the slot: then it is installed (I2).
#[inline(always)]
pub(crate) fn find<V: Value>(
    space: &'static Space,
    handle: u64,
    want: Want,
) -> Option<(&'static Page, Link)> {
    let page = space.page(handle);
    let link = page.link_of(handle)?;
    fits::<V>(page, want).then_some((page, link))
}

/// As [`find`], if the page's registry has no limit.
#[inline(always)]
pub(crate) fn find_unlimited<V: Value>(
    space: &'static Space,
    handle: u64,
    want: Want,
) -> Option<(&'static Page, Link)> {
    let page = space.page(handle);
    let link = page.unlimited_link_of(handle)?;
    fits::<V>(page, want).then_some((page, link))
}

/// The caller has seen the page installed.
#[inline(always)]
fn fits<V: Value>(page: &Page, want: Want) -> bool {
    match want {
        // SAFETY(I2): it is installed.
        Want::Type => unsafe { V::fits(page) },
        Want::Set(id) => page.set_id() == id,
    }
}
