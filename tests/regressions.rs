//! Bugs that reviews found, each as the smallest program that showed it.

use haft::{Handle, Registry, Removal};
use std::panic::{AssertUnwindSafe, catch_unwind, panic_any};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

/// So many, and a few under Miri, which is ten thousand times slower.
const fn few(count: usize) -> usize {
    if cfg!(miri) { 3 + count / 10_000 } else { count }
}

/// Counts its drops.
struct Counted(Arc<AtomicUsize>);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_add(1, SeqCst);
    }
}

/// A thread that removes what it holds itself notes that in its own cell, and must find it again.
#[test]
fn s6_a_thread_that_removes_what_it_holds_drops_it_with_the_guard() {
    let drops = Arc::new(AtomicUsize::new(0));
    for round in 0..few(1000) {
        let handle = Handle::new(Counted(drops.clone()));
        let guard = handle.get().unwrap();
        assert_eq!(handle.remove().unwrap(), Removal::Deferred);
        assert_eq!(drops.load(SeqCst), round);
        drop(guard);
        assert_eq!(drops.load(SeqCst), round + 1);
    }
}

/// A record must not return to plain stores while a remover has counted one of its guards.
#[test]
fn s6_a_guard_is_not_forgotten_however_many_lookups_follow() {
    let drops = Arc::new(AtomicUsize::new(0));
    let handle = Handle::new(Counted(drops.clone()));
    let other = Handle::new(1_u64);
    let guard = handle.get().unwrap();
    assert_eq!(std::thread::spawn(move || handle.remove()).join().unwrap().unwrap(), Removal::Deferred);
    for _ in 0..few(100_000) {
        assert_eq!(*other.get().unwrap(), 1);
    }
    assert_eq!(drops.load(SeqCst), 0);
    drop(guard);
    assert_eq!(drops.load(SeqCst), 1);
    other.delete();
}

/// `clear` asks for the thread's record anew: a drop that creates the thread's first handle changes it.
#[test]
fn s10_a_drop_inside_clear_may_create_the_threads_first_handle() {
    struct Creates(Arc<AtomicUsize>);
    impl Drop for Creates {
        fn drop(&mut self) {
            Handle::new(0_u8).delete();
            self.0.fetch_add(1, SeqCst);
        }
    }
    for _ in 0..few(100) {
        let drops = Arc::new(AtomicUsize::new(0));
        let registry = Registry::new();
        let fill = || (0..50).map(|_| registry.insert(Creates(drops.clone()))).collect::<Vec<_>>();
        let handles = std::thread::scope(|scope| scope.spawn(fill).join().unwrap());
        std::thread::scope(|scope| {
            // A thread that has only looked up clears; another one keeps looking up.
            scope.spawn(|| handles.iter().for_each(|handle| drop(registry.get(*handle))));
            scope.spawn(|| {
                let _ = registry.contains(handles[0]);
                registry.clear();
            });
        });
        assert_eq!(drops.load(SeqCst), 50);
        assert!(registry.is_empty());
    }
}

/// The payload of a second panic may panic when it is dropped.
#[test]
fn s10_clear_goes_on_whatever_the_payloads_of_panics_do() {
    struct Payload;
    impl Drop for Payload {
        fn drop(&mut self) {
            panic!("a payload's own panic");
        }
    }
    struct Panics(Arc<AtomicUsize>);
    impl Drop for Panics {
        fn drop(&mut self) {
            self.0.fetch_add(1, SeqCst);
            panic_any(Payload);
        }
    }
    let drops = Arc::new(AtomicUsize::new(0));
    let registry = Registry::new();
    let handles: Vec<_> = (0..5).map(|_| registry.insert(Panics(drops.clone()))).collect();
    let payload = catch_unwind(AssertUnwindSafe(|| registry.clear())).unwrap_err();
    std::mem::forget(payload);
    assert_eq!(drops.load(SeqCst), 5);
    assert!(handles.iter().all(|handle| !registry.contains(*handle)));
}

/// An error names the type of the registry that issued the handle, and no other: a page keeps its type.
#[test]
fn s13_a_handle_of_a_dropped_registry_is_not_told_as_one_of_its_successor() {
    let words = Registry::new();
    let word = words.insert(String::from("word"));
    drop(words);
    let numbers = Registry::new();
    let kept: Vec<_> = (0..10).map(|number: u64| numbers.insert(number)).collect();
    let error = word.get().unwrap_err();
    assert_eq!(error.kind(), haft::ErrorKind::Stale);
    assert_eq!(error.found_type(), Some("alloc::string::String"), "{error}");
    assert_eq!(kept.len(), 10);
}

/// A reservation whose closure panicked is told with its own line.
#[test]
fn s13_a_handle_that_was_given_up_names_its_own_line() {
    let registry: Registry<String> = Registry::new();
    let before = registry.insert(String::new());
    registry.remove(before).unwrap();
    let mut disclosed = None;
    let line = line!() + 2;
    let _ = catch_unwind(AssertUnwindSafe(|| {
        registry.insert_with(|handle| {
            disclosed = Some(handle);
            panic!("no value")
        })
    }));
    let error = registry.get(disclosed.unwrap()).unwrap_err();
    assert_eq!(error.kind(), haft::ErrorKind::Stale);
    assert_eq!(error.created_at().unwrap().line(), line);
}

/// What was created in registries that are gone still counts.
#[test]
fn stats_count_what_was_created_in_registries_that_are_gone() {
    let before = haft::stats().created;
    for _ in 0..10 {
        let registry = Registry::new();
        for number in 0..100_u16 {
            let _ = registry.insert(number);
        }
    }
    assert!(haft::stats().created >= before + 1000);
}

/// The first lookup of a thread in the destructor of a pthread key: too late for thread-local destructors.
/// Only for Linux does haft have such a key itself; Windows has no keys of that kind.
#[cfg(target_os = "linux")]
#[cfg_attr(miri, ignore = "under Miri haft has no key of its own, so a late lookup keeps its record")]
#[test]
fn s9_threads_that_look_up_first_in_a_key_destructor_leave_nothing_behind() {
    use std::ffi::c_void;
    use std::ptr;

    static SHARED: Registry<i16> = Registry::new();
    static HANDLE: std::sync::OnceLock<Handle<i16>> = std::sync::OnceLock::new();

    unsafe extern "C" fn at_end(_: *mut c_void) {
        let handle = *HANDLE.get().unwrap();
        assert_eq!(*SHARED.get(handle).unwrap(), 7);
    }
    HANDLE.set(SHARED.insert(7)).unwrap();

    extern "C" fn run(key: *mut c_void) -> *mut c_void {
        // SAFETY: a key that exists; the pointer is only not null.
        unsafe { libc::pthread_setspecific(key.addr() as libc::pthread_key_t, ptr::without_provenance(1)) };
        ptr::null_mut()
    }
    let mut key = 0;
    // SAFETY: a place for the key, and a function that any thread may call.
    assert_eq!(unsafe { libc::pthread_key_create(&mut key, Some(at_end)) }, 0);
    let mut records = [0, 0];
    for round in &mut records {
        for _ in 0..200 {
            // SAFETY: a valid thread function, and an argument that is only a number; each thread is joined.
            unsafe {
                let mut thread = std::mem::zeroed();
                let argument = ptr::without_provenance_mut(key as usize);
                assert_eq!(libc::pthread_create(&mut thread, ptr::null(), run, argument), 0);
                assert_eq!(libc::pthread_join(thread, ptr::null_mut()), 0);
            }
        }
        *round = haft::stats().records;
    }
    // Other tests run at the same time and may add a few of their own.
    assert!(records[1] < records[0] + 50, "records grow with the threads: {records:?}");
}

/// A removal once met the debts that it had left itself, because it looked at the owner's record twice, and waited for the owner.
#[test]
fn s4_s11_a_removal_of_what_its_owner_holds_in_all_cells_does_not_wait() {
    // Miri takes half a minute for each: one in a cell, and one that finds them taken.
    for guards in (1..=7).step_by(if cfg!(miri) { 6 } else { 1 }) {
        let handle = Handle::new(String::from("x"));
        let held: Vec<_> = (0..guards).map(|_| handle.get().unwrap()).collect();
        // Enough threads at once that one of them is in the owner's group.
        let together = std::sync::Barrier::new(16);
        std::thread::scope(|scope| {
            for _ in 0..16 {
                scope.spawn(|| {
                    drop(handle.get().unwrap());
                    together.wait();
                });
            }
        });
        let removed = std::thread::spawn(move || handle.remove().unwrap()).join().unwrap();
        assert_eq!(removed, Removal::Deferred, "{guards} guards");
        drop(held);
    }
}
