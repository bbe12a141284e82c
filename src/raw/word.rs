//! Words: values that are read and written as a whole, so that a copy of one needs no guard.
//!
//! Whoever copies a word may meet its slot's next creator, who writes another one there. So both do it by one atomic access. Which types are words is known
//! when `T` is: a store is the same instruction either way, on the processors that haft is built for.

use super::slot::Slot;
use crate::sync::Ordering;
#[cfg(not(haft_loom))]
use crate::sync::{Word1, Word2, Word4, Word8};
use std::any::TypeId;
use std::mem::{needs_drop, transmute_copy};
use std::num::{
    NonZeroI8, NonZeroI16, NonZeroI32, NonZeroI64, NonZeroIsize, NonZeroU8, NonZeroU16, NonZeroU32,
    NonZeroU64, NonZeroUsize,
};
use std::ptr::NonNull;

#[cfg_attr(haft_loom, allow(unreachable_pub, reason = "a model has no shell"))]
mod sealed {
    pub trait Sealed {}
}

/// A value that a processor reads in one go, which [`Handle::copied`](crate::Handle::copied) does without a guard.
///
/// The integers of up to 64 bits and their `NonZero` forms, the floats, `bool` and `char`. A type of your own is none, also where it has nothing but such a number in it:
/// haft has to know already when it stores a value that it may be copied so, and can ask the compiler only about types that it knows by name.
///
/// ```
/// # use haft::Handle;
/// let handle = Handle::new(7_u32);
/// assert_eq!(handle.copied().unwrap(), 7);
/// ```
///
/// ```compile_fail,E0277
/// # use haft::Handle;
/// #[derive(Clone, Copy, Debug, PartialEq)]
/// struct Id(u32);
/// let handle = Handle::new(Id(7));
/// assert_eq!(handle.copied().unwrap(), Id(7));   // not a `Word`: use `get`
/// ```
#[cfg_attr(haft_loom, allow(unreachable_pub, reason = "a model has no shell"))]
pub trait Word: Copy + Send + Sync + 'static + sealed::Sealed {}

macro_rules! words {
    ($($word:ty)*) => {
        $(
            impl sealed::Sealed for $word {}
            impl Word for $word {}
            const _: () = assert!(matches!(size_of::<$word>(), 1 | 2 | 4 | 8));
        )*

        /// Whether `T` is a [`Word`]; known to the compiler. (Without optimisation types are compared, but only with those of one size.)
        #[inline]
        fn is<T: 'static>() -> bool {
            false $(|| const { size_of::<T>() == size_of::<$word>() } && TypeId::of::<T>() == TypeId::of::<$word>())*
        }
    };
}

words! {
    u64 usize u32 u16 u8 i64 isize i32 i16 i8 f64 f32 bool char
    NonZeroU64 NonZeroUsize NonZeroU32 NonZeroU16 NonZeroU8 NonZeroI64 NonZeroIsize NonZeroI32 NonZeroI16 NonZeroI8
}

/// Where the word of a slot is.
struct Place<'a, T> {
    #[cfg_attr(not(haft_loom), expect(dead_code, reason = "in a model the word is in the slot"))]
    slot: &'a Slot,
    #[cfg_attr(haft_loom, expect(dead_code, reason = "in a model the word is in the slot"))]
    at: NonNull<T>,
}

/// Moves a slot's value in; in one go where it is a word.
///
/// # Safety
///
/// The value of `slot`, whose page stays, is at `at` (I2). The slot is vacant or reserved and the caller's (I3). `value` points to a valid value, which is not used
/// any more.
#[inline(always)]
pub(super) unsafe fn write<T: 'static>(slot: &Slot, at: NonNull<T>, value: *const T) {
    slot.value.write();
    if const { !needs_drop::<T>() && matches!(size_of::<T>(), 1 | 2 | 4 | 8) } && is::<T>() {
        let word = Place { slot, at };
        // Release (E15): the slot was closed before, and whoever copies this word sees that.
        // SAFETY(I3): the caller's promise; it is a word.
        unsafe { word.store(&*value, Ordering::Release) }
        #[cfg(not(haft_loom))]
        return;
    }
    // SAFETY(I3): the caller's promise: nobody reads or writes it. (In a model guards read words here, too.)
    unsafe { at.as_ptr().copy_from_nonoverlapping(value, 1) }
}

/// Copies the word of a slot that the caller found live; or one that was written there later.
///
/// # Safety
///
/// The value of `slot`, whose page stays, is at `at` (I2), and was visible to the caller once (E1).
#[inline(always)]
pub(super) unsafe fn read<T: Word>(slot: &Slot, at: NonNull<T>) -> T {
    #[cfg(not(haft_loom))]
    slot.value.read();
    let word = Place { slot, at };
    // Acquire (E15): where it is a later one, the next look at the state sees that the slot was closed.
    // SAFETY(I2): the caller's promise.
    unsafe { word.load(Ordering::Acquire) }
}

#[cfg(not(haft_loom))]
impl<T> Place<'_, T> {
    /// # Safety
    ///
    /// As for [`write`], and `T` is a [`Word`].
    #[inline(always)]
    unsafe fn store(&self, value: &T, order: Ordering) {
        let at = self.at.as_ptr();
        // SAFETY(I3): nobody else writes there, and what others read meanwhile they read in one go as well. The value has no padding, and lies after the state, on a
        // multiple of eight bytes.
        unsafe {
            match size_of::<T>() {
                1 => Word1::from_ptr(at.cast()).store(transmute_copy(value), order),
                2 => Word2::from_ptr(at.cast()).store(transmute_copy(value), order),
                4 => Word4::from_ptr(at.cast()).store(transmute_copy(value), order),
                _ => Word8::from_ptr(at.cast()).store(transmute_copy(value), order),
            }
        }
    }

    /// # Safety
    ///
    /// As for [`read`].
    #[inline(always)]
    unsafe fn load(&self, order: Ordering) -> T
    where
        T: Word,
    {
        let at = self.at.as_ptr();
        // SAFETY(I3): as in `store`. Only values of `T` are ever written there, and one was.
        unsafe {
            match size_of::<T>() {
                1 => transmute_copy(&Word1::from_ptr(at.cast()).load(order)),
                2 => transmute_copy(&Word2::from_ptr(at.cast()).load(order)),
                4 => transmute_copy(&Word4::from_ptr(at.cast()).load(order)),
                _ => transmute_copy(&Word8::from_ptr(at.cast()).load(order)),
            }
        }
    }
}

/// Models have words of eight bytes alone.
#[cfg(haft_loom)]
impl<T> Place<'_, T> {
    /// # Safety
    ///
    /// As for [`write`], and `T` is a [`Word`].
    unsafe fn store(&self, value: &T, order: Ordering) {
        assert_eq!(size_of::<T>(), 8);
        // SAFETY(I3): it is as large.
        self.slot.word.store(unsafe { transmute_copy(value) }, order);
    }

    /// # Safety
    ///
    /// As for [`read`].
    unsafe fn load(&self, order: Ordering) -> T
    where
        T: Word,
    {
        assert_eq!(size_of::<T>(), 8);
        // SAFETY(I3): it is as large, and only values of `T` are ever stored there.
        unsafe { transmute_copy(&self.slot.word.load(order)) }
    }
}
