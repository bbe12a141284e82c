//! No allocation on lookup or removal (S11).

#![allow(dropping_copy_types)]

use haft::{AnyHandle, Handle, Ref, Registry};
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

struct Counting;

thread_local! {
    static ALLOCATIONS: Cell<usize> = const { Cell::new(0) };
    static LARGEST: Cell<usize> = const { Cell::new(0) };
}

// SAFETY: everything is the system allocator's; the count is beside it.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.set(ALLOCATIONS.get() + 1);
        LARGEST.set(LARGEST.get().max(layout.size()));
        // SAFETY: the caller's promises, passed on.
        unsafe { System.alloc(layout) }
    }
    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller's promises, passed on.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn allocations(work: impl FnOnce()) -> usize {
    let before = ALLOCATIONS.get();
    work();
    ALLOCATIONS.get() - before
}

#[test]
fn s11_lookups_and_removals_allocate_nothing() {
    let registry = Registry::new();
    let handles: Vec<_> = (0..1000_u64).map(|value| registry.insert(value)).collect();
    let default: Vec<_> = (0..1000_u64).map(Handle::new).collect();
    // The thread has used both; that was the last time something may be allocated for it.
    assert!(allocations(|| drop(std::hint::black_box(Box::new(1)))) == 1, "the count works");
    let count = allocations(|| {
        for (one, two) in handles.iter().zip(&default) {
            assert_eq!(*registry.get(*one).unwrap(), *two.get().unwrap());
            let shared = Ref::into_shared(two.get().unwrap());
            drop(shared.clone());
            let guards: [_; 10] = std::array::from_fn(|_| two.get().unwrap());
            drop(guards);
            assert!(registry.get(*two).is_err() && AnyHandle::from(*one).type_name().is_ok());
        }
        for (one, two) in handles.iter().zip(&default) {
            let guard = two.get().unwrap();
            two.remove().unwrap();
            drop(guard);
            registry.take(*one).unwrap();
            assert!(one.get().is_err() && two.remove().is_err());
        }
    });
    assert_eq!(count, 0);
    // Slots that came back are used again without any.
    assert_eq!(allocations(|| (0..1000).for_each(|value| drop(registry.insert(value)))), 0);
}

#[test]
fn s11_removal_from_another_thread_allocates_nothing() {
    let handles: Vec<_> = (0..1000_u32).map(Handle::new).collect();
    let warm = Handle::new(0_u32);
    let count = std::thread::spawn(move || {
        drop(warm.get());
        allocations(|| handles.iter().for_each(|handle| drop(handle.remove().unwrap())))
    });
    assert_eq!(count.join().unwrap(), 0);
    warm.delete();
}

#[test]
fn s14_a_report_takes_memory_for_the_lines_and_not_for_the_handles() {
    let registry = Registry::new();
    let mut counts = Vec::new();
    for size in [1_000, 100_000] {
        while registry.len() < size {
            (0..1000_u64).for_each(|value| drop(registry.insert(value)));
        }
        counts.push(allocations(|| assert_eq!(registry.leaks().iter().next().unwrap().count, size)));
    }
    assert_eq!(counts[0], counts[1], "a hundred times the handles, the same allocations");
    assert!(counts[0] < 20, "{counts:?}");
}

#[cfg(target_pointer_width = "64")]
#[test]
fn s14_lists_of_handles_take_the_bytes_for_each_that_their_documentation_says() {
    use haft::Removal;
    const HANDLES: usize = 10_000;
    let registry = Registry::new();
    let handles: Vec<_> = (0..HANDLES as u64).map(|value| registry.insert(value)).collect();
    // The largest allocation is the list itself, made once.
    let largest = |list: &dyn Fn() -> usize| {
        LARGEST.set(0);
        let allocations = allocations(|| assert_eq!(list(), HANDLES));
        assert!(allocations < 5, "{allocations}");
        LARGEST.get()
    };
    assert_eq!(largest(&|| registry.live().len()), HANDLES * 40);
    let guards: Vec<_> = handles.iter().map(|handle| registry.get(*handle).unwrap()).collect();
    handles.iter().for_each(|handle| assert_eq!(registry.remove(*handle), Ok(Removal::Deferred)));
    assert_eq!(largest(&|| registry.deferred().len()), HANDLES * 56);
    drop(guards);
}
