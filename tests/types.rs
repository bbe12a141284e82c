//! Values of every kind (S15), and what their drops may do (S5 to S7, S10). One thread each: this is what memcheck runs.

use haft::{AnyHandle, Handle, Ref, Registry, Removal, SharedRef};
use std::cell::RefCell;
use std::cmp::Ordering::{Greater, Less};
use std::collections::HashSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

/// So many, and a few under Miri, which is ten thousand times slower.
const fn few(count: usize) -> usize {
    if cfg!(miri) { 3 + count / 10_000 } else { count }
}

/// Counts its drops.
#[derive(Clone, Default)]
struct Drops(Arc<AtomicUsize>);

struct Counted(Drops);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.0.fetch_add(1, SeqCst);
    }
}

impl Drops {
    fn value(&self) -> Counted {
        Counted(self.clone())
    }
    fn count(&self) -> usize {
        self.0.load(SeqCst)
    }
}

#[test]
fn s15_values_of_every_kind_go_in_and_come_out() {
    fn round<T: Send + Sync + PartialEq + std::fmt::Debug + 'static>(make: impl Fn() -> T) {
        let handle = Handle::new(make());
        assert_eq!(*handle.get().unwrap(), make());
        assert_eq!(handle.take().unwrap(), Some(make()));
        let registry = Registry::new();
        let handles: Vec<_> = (0..few(100)).map(|_| registry.insert(make())).collect();
        for handle in handles {
            assert_eq!(*registry.get(handle).unwrap(), make());
            assert_eq!(*handle.get().unwrap(), make());
        }
    }
    round(|| ());
    round(|| None::<String>);
    round(|| Some(String::from("text")));
    round(|| [7_u8; 4096]);
    round(|| 0_u128);
    round(|| Box::new([1_u64; 100]));
    round(|| vec![3_u8; if cfg!(miri) { 1 << 10 } else { 1 << 20 }]);
    round(|| 'x');
    round(|| [1_u8; 3]);
}

#[test]
fn s15_alignment_is_kept() {
    #[repr(align(64))]
    struct Line(u8);
    #[repr(align(4096))]
    struct Page(u8);
    let lines: Vec<_> = (0..few(100) as u8).map(|value| Handle::new(Line(value))).collect();
    let pages: Vec<_> = (0..few(40) as u8).map(|value| Handle::new(Page(value))).collect();
    for (value, handle) in (0..).zip(&lines) {
        let line = handle.get().unwrap();
        assert_eq!(((&raw const *line).addr() % 64, line.0), (0, value));
    }
    for (value, handle) in (0..).zip(&pages) {
        let page = handle.get().unwrap();
        assert_eq!(((&raw const *page).addr() % 4096, page.0), (0, value));
    }
    lines.into_iter().for_each(Handle::delete);
    pages.into_iter().for_each(Handle::delete);
}

#[test]
fn s15_closures_and_trait_objects() {
    let offset = 40;
    let closure: Handle<Box<dyn Fn(i32) -> i32 + Send + Sync>> = Handle::new(Box::new(move |x| x + offset));
    assert_eq!(closure.get().unwrap()(2), 42);
    closure.delete();
    fn keep<F: Fn() -> usize + Send + Sync + 'static>(function: F) -> usize {
        let handle = Handle::new(function);
        let result = handle.get().unwrap()();
        handle.delete();
        result
    }
    let text = String::from("captured");
    assert_eq!(keep(move || text.len()), 8);
    let any: Handle<Box<dyn std::any::Any + Send + Sync>> = Handle::new(Box::new(5_u8));
    assert_eq!(any.get().unwrap().downcast_ref::<u8>(), Some(&5));
    any.delete();
}

#[test]
fn s15_a_large_value() {
    let handle = Handle::new([1_u8; 1 << 16]);
    // Miri would take minutes for all of them.
    let step = if cfg!(miri) { 1_024 } else { 1 };
    let guard = handle.get().unwrap();
    let sum: usize = guard.iter().step_by(step).map(|byte| usize::from(*byte)).sum();
    drop(guard);
    assert_eq!(sum, (1 << 16) / step);
    handle.delete();
}

#[test]
fn s5_s6_a_value_is_dropped_before_remove_returns() {
    let drops = Drops::default();
    for round in 0..few(100) {
        let handle = Handle::new(drops.value());
        assert_eq!(handle.remove().unwrap(), Removal::Dropped);
        assert_eq!(drops.count(), round + 1);
    }
}

#[test]
fn s5_s6_a_value_in_use_is_dropped_by_its_last_holder() {
    let drops = Drops::default();
    let handle = Handle::new(drops.value());
    let (one, two) = (handle.get().unwrap(), handle.get().unwrap());
    let shared = Ref::into_shared(handle.get().unwrap());
    let copy = shared.clone();
    assert_eq!(handle.remove().unwrap(), Removal::Deferred);
    drop(one);
    drop(shared);
    drop(two);
    assert_eq!(drops.count(), 0);
    drop(copy);
    assert_eq!(drops.count(), 1);
}

#[test]
fn s7_take_gives_the_value_or_leaves_it_to_the_holder() {
    let drops = Drops::default();
    let handle = Handle::new(drops.value());
    let value = handle.take().unwrap().unwrap();
    assert_eq!(drops.count(), 0);
    drop(value);
    assert_eq!(drops.count(), 1);
    let handle = Handle::new(drops.value());
    let mine = handle.get().unwrap();
    assert!(handle.take().unwrap().is_none());
    assert_eq!(drops.count(), 1);
    drop(mine);
    assert_eq!(drops.count(), 2);
}

#[test]
fn s9_many_guards_at_once_on_one_thread_in_any_order() {
    let drops = Drops::default();
    let handles: Vec<_> = (0..10).map(|_| Handle::new(drops.value())).collect();
    let mut guards: Vec<_> = (0..50).map(|index| handles[index % 10].get().unwrap()).collect();
    for (index, guard) in guards.iter().enumerate() {
        assert_eq!(Ref::handle(guard), handles[index % 10]);
    }
    for handle in &handles {
        assert_eq!(handle.remove().unwrap(), Removal::Deferred);
    }
    let mut random = 12345_u64;
    while !guards.is_empty() {
        assert!(guards.len() >= 10 || drops.count() > 0);
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        drop(guards.swap_remove((random >> 33) as usize % guards.len()));
    }
    assert_eq!(drops.count(), 10);
}

#[test]
fn s10_a_drop_that_panics_removes_the_handle_all_the_same() {
    struct Panics;
    impl Drop for Panics {
        fn drop(&mut self) {
            panic!("in a drop");
        }
    }
    let registry = Registry::new();
    let mut slots = HashSet::new();
    for _ in 0..few(1000) {
        let handle = registry.insert(Panics);
        slots.insert(handle.to_bits() as u32);
        assert!(catch_unwind(AssertUnwindSafe(|| registry.remove(handle))).is_err());
        assert!(!registry.contains(handle) && registry.is_empty());
    }
    assert!(slots.len() <= 32 && registry.stats().pages == 1, "the slots come back");
    let handle = registry.insert(Panics);
    let guard = registry.get(handle).unwrap();
    registry.remove(handle).unwrap();
    assert!(catch_unwind(AssertUnwindSafe(|| drop(guard))).is_err());
    assert!(registry.is_empty());
    assert_eq!(registry.stats().deferred, 0);
}

#[test]
fn s10_a_drop_may_use_haft() {
    struct Evil {
        me: Handle<Evil>,
        other: Handle<Counted>,
        registry: RefCellSync,
        drops: Drops,
    }
    /// A registry to drop in the drop.
    struct RefCellSync(std::sync::Mutex<Option<Registry<Counted>>>);
    impl Drop for Evil {
        fn drop(&mut self) {
            assert!(self.me.get().is_err() && self.me.remove().is_err());
            assert_eq!(self.other.remove().unwrap(), Removal::Dropped);
            Handle::new(self.drops.value()).delete();
            drop(self.registry.0.lock().unwrap().take());
        }
    }
    let drops = Drops::default();
    let all = Registry::new();
    for _ in 0..few(100) {
        let inner = Registry::new();
        for _ in 0..3 {
            let _ = inner.insert(drops.value());
        }
        let handle = all.insert_with(|me| Evil {
            me,
            other: Handle::new(drops.value()),
            registry: RefCellSync(std::sync::Mutex::new(Some(inner))),
            drops: drops.clone(),
        });
        all.remove(handle).unwrap();
    }
    assert_eq!(drops.count(), 5 * few(100));
}

#[test]
fn s10_clear_and_the_drop_of_a_registry_drop_everything_and_pass_the_first_panic_on() {
    struct Sometimes(Drops, u32);
    impl Drop for Sometimes {
        fn drop(&mut self) {
            self.0.0.fetch_add(1, SeqCst);
            assert!(self.1 % 3 != 1, "number {}", self.1);
        }
    }
    let drops = Drops::default();
    let registry = Registry::new();
    let fill = || (0..10).map(|number| registry.insert(Sometimes(drops.clone(), number))).collect::<Vec<_>>();
    let handles = fill();
    let panic = catch_unwind(AssertUnwindSafe(|| registry.clear())).unwrap_err();
    assert!(panic.downcast_ref::<String>().unwrap().starts_with("number "));
    assert_eq!((drops.count(), registry.len()), (10, 0));
    assert!(handles.iter().all(|handle| handle.get().is_err()));
    let handles = fill();
    assert!(catch_unwind(AssertUnwindSafe(|| drop(registry))).is_err());
    assert_eq!(drops.count(), 20);
    assert!(handles.iter().all(|handle| handle.get().is_err()));
}

#[test]
fn s10_the_closure_of_insert_with_may_do_anything() {
    let registry = Registry::new();
    let inner = RefCell::new(Vec::new());
    let outer = registry.insert_with(|me| {
        inner.borrow_mut().push(registry.insert(1));
        inner.borrow_mut().push(registry.insert_with(|_| 2));
        assert!(registry.get(me).is_err());
        3
    });
    assert_eq!(*registry.get(outer).unwrap(), 3);
    assert_eq!(registry.len(), 3);
    let mut disclosed = HashSet::new();
    for _ in 0..10 {
        let closure = |me: Handle<i32>| {
            disclosed.insert(me);
            panic!("no value")
        };
        assert!(catch_unwind(AssertUnwindSafe(|| registry.insert_with(closure))).is_err());
    }
    assert_eq!(disclosed.len(), 10, "a disclosed handle is never issued again");
    let later: Vec<_> = (0..40).map(|value| registry.insert(value)).collect();
    assert!(later.iter().all(|handle| !disclosed.contains(handle)));
    assert_eq!(registry.len(), 43);
}

#[test]
fn s10_a_panicking_closure_gives_its_place_under_the_limit_back() {
    let registry: Registry<u8> = Registry::with_limit(1);
    assert!(catch_unwind(AssertUnwindSafe(|| registry.insert_with(|_| panic!("no value")))).is_err());
    assert!(registry.try_insert(1).is_ok());
    assert!(registry.try_insert(2).is_err());
}

#[test]
fn a_leaked_guard_keeps_its_value_and_nothing_else() {
    let drops = Drops::default();
    let handle = Handle::new(Box::new(drops.value()));
    let guard = handle.get().unwrap();
    let kept = &raw const **guard;
    std::mem::forget(guard);
    assert_eq!(handle.remove().unwrap(), Removal::Deferred);
    assert_eq!(drops.count(), 0);
    let _ = kept;
    let other = Handle::new(drops.value());
    assert_eq!(other.remove().unwrap(), Removal::Dropped);
}

#[test]
fn s1_one_slot_never_gives_the_same_handle_twice() {
    let mut seen = HashSet::new();
    let registry = Registry::new();
    for value in 0..few(100_000) {
        let handle = registry.insert(value);
        assert!(seen.insert(handle.to_bits()));
        registry.remove(handle).unwrap();
    }
    assert_eq!(registry.stats().created, few(100_000) as u64);
}

#[test]
fn s1_registries_that_come_and_go_never_give_the_same_handle_twice() {
    let mut seen = HashSet::new();
    for round in 0..few(2_000) {
        let registry = Registry::new();
        for value in 0..5 {
            assert!(seen.insert(registry.insert(value).to_bits()), "round {round}");
        }
    }
    assert!(haft::stats().pages < 100, "memory comes back: {:?}", haft::stats());
}

#[test]
fn a_registry_counts_lists_and_clears() {
    static STATIC: Registry<u32> = Registry::new();
    assert!(STATIC.is_empty() && STATIC.live().len() == 0);
    STATIC.clear();
    const COUNT: usize = if cfg!(miri) { 8 } else { 1_000 };
    let handles: Vec<_> = (0..COUNT as u32).map(|value| STATIC.insert(value)).collect();
    let line = line!() - 1;
    STATIC.remove(handles[COUNT / 2]).unwrap();
    assert_eq!(STATIC.len(), COUNT - 1);
    let live: HashSet<_> = STATIC.live().map(|live| live.handle).collect();
    assert_eq!(live.len(), COUNT - 1);
    assert!(handles.iter().all(|handle| live.contains(handle) == (*handle != handles[COUNT / 2])));
    assert!(STATIC.live().all(|live| live.created_at.unwrap().line() == line));
    let stats = STATIC.stats();
    assert_eq!((stats.created, stats.removed, stats.live, stats.deferred), (COUNT as u64, 1, COUNT - 1, 0));
    STATIC.clear();
    assert!(STATIC.is_empty());
    assert_eq!(format!("{STATIC:?}"), "Registry { type: \"u32\", .. }");
}

#[test]
fn handles_are_plain_values_of_every_type() {
    struct NotSend(#[allow(dead_code)] *const u8);
    fn plain<T: Copy + Ord + std::hash::Hash + Send + Sync + std::fmt::Debug + std::fmt::Display>() {}
    plain::<Handle<NotSend>>();
    plain::<AnyHandle>();
    let handle = Handle::<NotSend>::from_bits(0xABC1).unwrap();
    assert_eq!(format!("{handle}"), "0x000000000000abc1");
    assert_eq!(format!("{handle:x} {handle:#X}"), "abc1 0xABC1");
    assert!(format!("{handle:?}").ends_with("NotSend>(0x000000000000abc1)"));
    assert_eq!(u64::from(handle), 0xABC1);
    assert_eq!(Handle::try_from(0xABC1), Ok(handle));
    #[cfg(target_pointer_width = "64")]
    assert_eq!(Handle::from_ptr(handle.to_ptr()), Some(handle));
    assert_eq!(AnyHandle::from(handle).to_bits(), 0xABC1);
    // (Where pointers have 32 bits, a handle takes two of them.)
    #[cfg(target_pointer_width = "64")]
    assert_eq!(size_of::<Ref<'static, u64>>(), 2 * size_of::<usize>());
}

#[test]
fn any_handle_serves_every_kind() {
    let drops = Drops::default();
    let registry = Registry::new();
    let bits = [
        Handle::new(drops.value()).to_bits(),
        registry.insert(drops.value()).to_bits(),
        Handle::new(Box::new(drops.value())).to_bits(),
    ];
    for bits in bits {
        let any = AnyHandle::from_bits(bits).unwrap();
        assert!(any.is_live() && any.type_name().unwrap().contains("Counted"));
        assert_eq!(any.remove().unwrap(), Removal::Dropped);
        assert!(!any.is_live());
    }
    assert_eq!(drops.count(), 3);
    let handle = Handle::new(1_u8);
    assert_eq!(AnyHandle::from(handle).downcast::<u8>(), Ok(handle));
    handle.delete();
}

#[test]
fn a_handle_of_any_type_is_a_pointer_for_c_and_back() {
    let any = AnyHandle::from_bits(0xABC1).unwrap();
    #[cfg(target_pointer_width = "64")]
    {
        assert_eq!((any.to_ptr().addr(), AnyHandle::from_ptr(any.to_ptr())), (0xABC1, Some(any)));
        assert!(AnyHandle::from_ptr(std::ptr::null_mut()).is_none());
    }
    assert_eq!(u64::from(any), 0xABC1);
    assert_eq!(AnyHandle::try_from(0xABC1), Ok(any));
    assert_eq!(format!("{any} {any:x} {any:#X}"), "0x000000000000abc1 abc1 0xABC1");
    assert!(format!("{any:?}").contains("0x000000000000abc1"));
}

#[test]
fn guards_are_shown_as_their_values() {
    let handle = Handle::new("text");
    let guard = handle.get().unwrap();
    assert_eq!(format!("{guard} {guard:?} {}", AsRef::<&str>::as_ref(&guard)), "text \"text\" text");
    let shared = Ref::into_shared(guard);
    assert_eq!(format!("{shared} {shared:?} {}", AsRef::<&str>::as_ref(&shared)), "text \"text\" text");
    let again = shared.clone();
    assert_eq!(handle.remove().unwrap(), Removal::Deferred);
    drop(shared);
    assert_eq!((SharedRef::handle(&again), *again), (handle, "text"));
}

#[test]
fn handles_are_compared_by_their_bits() {
    use std::collections::HashSet;
    let [low, high] = [0xABC1, 0xABC3].map(|bits| Handle::<u8>::from_bits(bits).unwrap());
    assert_ne!(low, high);
    assert_eq!(Clone::clone(&low), low);
    assert_eq!((low.cmp(&high), high.partial_cmp(&low)), (Less, Some(Greater)));
    assert_eq!([low, high, low].into_iter().collect::<HashSet<_>>().len(), 2);
    assert_eq!(std::num::NonZeroU64::from(low).get(), 0xABC1);
    assert_eq!(Handle::from(std::num::NonZeroU64::new(0xABC1).unwrap()), low);
    #[cfg(target_pointer_width = "64")]
    {
        assert_eq!(Handle::try_from(low.to_ptr()).unwrap(), low);
        assert_eq!(<*mut std::ffi::c_void>::from(low).addr(), 0xABC1);
        assert!(Handle::<u8>::try_from(std::ptr::null_mut()).is_err());
    }
}
