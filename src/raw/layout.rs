//! How the slots of one type lie in a page, and what is known about the type at run time.

use super::history::History;
use super::slot::Slot;
use std::any::{TypeId, type_name};
use std::fmt;
#[cfg(not(haft_loom))]
use std::hash::{Hash, Hasher};

/// The largest page in bytes, where one slot does not need more.
const PAGE_BYTES: usize = 128 * 1024;

const fn round_up(value: usize, align: usize) -> usize {
    (value + align - 1) & !(align - 1)
}

const fn max(a: usize, b: usize) -> usize {
    if a > b { a } else { b }
}

/// The offsets of slots and values of type `T`, known to the compiler.
pub(crate) struct Shape<T>(std::marker::PhantomData<T>);

impl<T> Shape<T> {
    const ALIGN: usize = max(align_of::<Slot>(), align_of::<T>());
    /// From a slot to its value.
    pub(crate) const VALUE: usize = round_up(size_of::<Slot>(), align_of::<T>());
    /// From a slot to the next.
    pub(crate) const STRIDE: usize = round_up(Self::VALUE + size_of::<T>(), Self::ALIGN);
}

/// A number that the compiler knows, mostly another for each type: for finding things, not for telling them apart.
#[cfg(not(haft_loom))]
#[inline(always)]
pub(crate) fn hash_of<T: 'static>() -> u64 {
    /// Takes a `TypeId`'s own bits as its hash; they are a hash already.
    struct Bits(u64);
    impl Hasher for Bits {
        fn finish(&self) -> u64 {
            self.0
        }
        fn write(&mut self, bytes: &[u8]) {
            bytes.iter().for_each(|byte| self.0 = self.0 << 8 ^ self.0 >> 56 ^ u64::from(*byte));
        }
        fn write_u64(&mut self, bits: u64) {
            self.0 ^= bits;
        }
    }
    let mut bits = Bits(0);
    TypeId::of::<T>().hash(&mut bits);
    bits.finish()
}

/// What a page knows about the type of its values.
pub(crate) struct TypeInfo {
    /// The type: a function, since not every compiler knows it in a constant.
    id: fn() -> TypeId,
    /// The description that this one is a copy of, under another name.
    plain: Option<&'static Self>,
    name: fn() -> &'static str,
    /// What it is called instead, where one type serves several kinds.
    alias: Option<&'static str>,
    /// Drops the value behind the pointer; it must be a valid value of this type, which nobody else uses.
    pub(crate) drop: unsafe fn(*mut u8),
    /// See [`Shape::VALUE`].
    pub(crate) value: usize,
    /// See [`Shape::STRIDE`].
    pub(crate) stride: usize,
    /// The size of a value in bytes.
    pub(crate) size: usize,
    /// Whether a value must be dropped at all.
    pub(crate) needs_drop: bool,
    /// The alignment of the slots.
    align: usize,
}

/// How the memory of a page is laid out: the slots' histories, backwards, then the slots.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PageLayout {
    /// All of it.
    pub(crate) bytes: usize,
    /// From its start to the first slot.
    pub(crate) front: usize,
    /// Of its start, and of the first slot.
    pub(crate) align: usize,
}

/// Slots begin at a cache line of their own.
const LINE: usize = 64;

impl TypeInfo {
    /// The description of `T`. Its address says nothing: there may be several for one type.
    pub(crate) const fn of<T: 'static>() -> &'static Self {
        const {
            &Self {
                id: TypeId::of::<T>,
                plain: None,
                name: type_name::<T>,
                alias: None,
                drop: drop_erased::<T>,
                value: Shape::<T>::VALUE,
                stride: Shape::<T>::STRIDE,
                size: size_of::<T>(),
                needs_drop: std::mem::needs_drop::<T>(),
                align: max(Shape::<T>::ALIGN, LINE),
            }
        }
    }

    /// The description of `T` for values that go by a name of their own.
    #[cfg(feature = "capi")]
    pub(crate) fn named<T: 'static>(alias: &'static str) -> Self {
        Self { alias: Some(alias), plain: Some(Self::of::<T>()), ..*Self::of::<T>() }
    }

    /// Returns `true` if this describes `T`. Mostly it is the description that is at hand; but a program may
    /// have several of one type.
    #[inline(always)]
    pub(crate) fn is_of<T: 'static>(&self) -> bool {
        std::ptr::eq(self, Self::of::<T>()) || self.has_id_of::<T>()
    }

    #[cold]
    #[inline(never)]
    fn has_id_of<T: 'static>(&self) -> bool {
        self.id() == TypeId::of::<T>()
    }

    /// The one that says the same under the type's own name, which lookups compare.
    pub(crate) fn plain(&'static self) -> &'static Self {
        self.plain.unwrap_or(self)
    }

    /// The type.
    pub(crate) fn id(&self) -> TypeId {
        (self.id)()
    }

    /// The type's name, for messages.
    pub(crate) fn name(&self) -> &'static str {
        self.alias.unwrap_or_else(self.name)
    }

    /// Slots in a page of about [`PAGE_BYTES`], at most `limit`, at least one.
    pub(crate) fn slots_per_page(&self, limit: u32) -> u32 {
        let fit = PAGE_BYTES / (self.stride + size_of::<History>());
        u32::try_from(fit).unwrap_or(u32::MAX).clamp(1, limit)
    }

    /// The memory of a page with so many slots; `None` if it would exceed the address space.
    pub(crate) fn page_layout(&self, slots: u32) -> Option<PageLayout> {
        let front = round_up((slots as usize).checked_mul(size_of::<History>())?, self.align);
        let bytes = self.stride.checked_mul(slots as usize)?.checked_add(front)?;
        (bytes <= isize::MAX as usize / 2).then_some(PageLayout { bytes, front, align: self.align })
    }
}

impl fmt::Debug for TypeInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TypeInfo").field("name", &self.name()).finish_non_exhaustive()
    }
}

/// # Safety
///
/// `value` points to a valid `T` that nobody else uses, now or later.
unsafe fn drop_erased<T>(value: *mut u8) {
    if std::mem::needs_drop::<T>() {
        // SAFETY(I3): the caller's promise, passed on.
        unsafe { value.cast::<T>().drop_in_place() }
    }
}

#[cfg(all(test, not(haft_loom)))]
mod tests {
    use super::*;
    use crate::raw::operation;
    use crate::raw::registry;
    use crate::raw::set::Set;
    use crate::raw::thread::SPACE;
    use std::panic::Location;

    #[repr(align(4096))]
    struct Page4K(#[expect(dead_code, reason = "it is looked at by its size alone")] u8);

    #[repr(align(16))]
    struct Align16(#[expect(dead_code, reason = "as above")] u8);

    #[test]
    fn s15_shapes_hold_every_alignment_and_size() {
        fn check<T: 'static>(value: usize, stride: usize) {
            let info = TypeInfo::of::<T>();
            assert_eq!((info.value, info.stride), (value, stride), "{}", info.name());
            let layout = info.page_layout(4096).unwrap();
            assert!(layout.align >= align_of::<T>() && layout.front % layout.align == 0);
        }
        check::<u64>(8, 16);
        check::<()>(8, 8);
        check::<u8>(8, 16);
        check::<Align16>(16, 32);
        check::<[u8; 4096]>(8, 4104);
        check::<Page4K>(4096, 8192);
    }

    #[test]
    fn pages_of_small_values_are_full_and_pages_of_huge_ones_have_one() {
        assert_eq!(TypeInfo::of::<u64>().slots_per_page(4096), 4096);
        assert_eq!(TypeInfo::of::<[u8; 4096]>().slots_per_page(4096), 31);
        assert_eq!(TypeInfo::of::<[u8; 1 << 24]>().slots_per_page(4096), 1);
        for info in [TypeInfo::of::<[u8; 100]>(), TypeInfo::of::<[u8; 248]>(), TypeInfo::of::<[u8; 1000]>()] {
            let slots = info.slots_per_page(4096);
            let bytes = |slots| info.page_layout(slots).unwrap().bytes;
            assert!(bytes(slots) <= PAGE_BYTES + info.align && bytes(slots + 1) > PAGE_BYTES, "{info:?}");
        }
    }

    #[test]
    fn s15_a_description_is_of_one_type_and_so_is_a_second_one_of_it() {
        let again: &'static TypeInfo = Box::leak(Box::new(TypeInfo { ..*TypeInfo::of::<u64>() }));
        assert!(TypeInfo::of::<u64>().is_of::<u64>() && again.is_of::<u64>());
        assert!(!TypeInfo::of::<u64>().is_of::<i64>() && !again.is_of::<i64>());
        assert_eq!(again.name(), "u64");
        assert!(format!("{again:?}").contains("u64"));
    }

    #[test]
    fn s15_a_page_with_another_description_of_the_type_is_one_of_that_type_all_the_same() {
        let again: &'static TypeInfo = Box::leak(Box::new(TypeInfo { ..*TypeInfo::of::<u64>() }));
        assert!(!std::ptr::eq(again.plain(), TypeInfo::of::<u64>()));
        let set = Set::of(again, &SPACE, usize::MAX);
        let here = Location::caller();
        // SAFETY(I2): the set is never parked, and its description is of `u64`.
        let created = unsafe { operation::insert(set.id(), || set, 7_u64, here, || ()) };
        let handle = created.map_err(drop).expect("there is room").get();
        assert!(registry::get::<u64>(handle).is_some() && registry::get::<i64>(handle).is_none());
        assert_eq!(registry::remove::<i64>(handle, here), None);
        assert_eq!(registry::remove::<u64>(handle, here), Some(true));
    }

    #[cfg(feature = "capi")]
    #[test]
    fn s13_values_that_go_by_a_name_of_their_own_are_called_so() {
        assert_eq!(TypeInfo::named::<u64>("session").name(), "session");
    }

    #[test]
    fn s15_a_page_has_room_for_its_histories_and_its_slots() {
        let info = TypeInfo::of::<u64>();
        for slots in [1, 32, 4096] {
            let layout = info.page_layout(slots).unwrap();
            let slots = slots as usize;
            assert!(layout.front >= slots * size_of::<History>() && layout.front % layout.align == 0);
            assert!(layout.front < slots * size_of::<History>() + info.align);
            assert_eq!(layout.bytes, layout.front + slots * info.stride);
        }
        assert!(TypeInfo::of::<[u8; 1 << 30]>().page_layout(u32::MAX).is_none_or(|_| size_of::<usize>() > 4));
    }
}
