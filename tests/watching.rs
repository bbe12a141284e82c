//! Counters and the hook: what a process can watch without stopping.

use haft::{AnyHandle, Error, ErrorKind, Handle, Registry, Stats};
use std::cell::RefCell;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::sync::{Mutex, MutexGuard};
use std::thread;
use std::time::{Duration, Instant};

/// The hook and the counters of errors belong to the process: one test at a time.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

struct Value;

fn stale() -> Handle<Value> {
    let handle = Handle::new(Value);
    handle.delete();
    handle
}

fn remove(registry: &Registry<u64>, handles: &[Handle<u64>]) {
    for handle in handles {
        registry.remove(*handle).unwrap();
    }
}

/// Waits for the next second to begin for the hook, so that its calls are not used up.
fn next_second() {
    thread::sleep(Duration::from_millis(1100));
}

fn growth(before: &Stats, kind: ErrorKind) -> u64 {
    haft::stats().errors.get(kind) - before.errors.get(kind)
}

#[test]
fn counters_of_a_registry_are_exact_when_nothing_moves() {
    let _alone = alone();
    let registry = Registry::new();
    assert_eq!(registry.stats(), Stats::default());
    let handles: Vec<_> = (0..100_u64).map(|value| registry.insert(value)).collect();
    let guard = registry.get(handles[0]).unwrap();
    remove(&registry, &handles[..10]);
    let stats = registry.stats();
    assert_eq!((stats.created, stats.removed, stats.live, stats.deferred), (100, 10, 90, 1));
    assert_eq!((stats.returned, stats.retired), (0, 0));
    assert!(stats.pages >= 2 && stats.bytes > 100 * 24, "{stats:?}");
    drop(guard);
    assert_eq!((registry.stats().deferred, registry.len()), (0, 90));
    // Another thread's removals wait until this one takes the slots back.
    thread::scope(|scope| {
        scope.spawn(|| remove(&registry, &handles[10..30]));
    });
    let stats = registry.stats();
    assert_eq!((stats.returned, stats.live, stats.removed), (20, 70, 30));
    let _more: Vec<_> = (0..5000).map(|value| registry.insert(value)).collect();
    assert_eq!(registry.stats().returned, 0, "taken back");
}

#[test]
fn counters_of_the_process_see_every_registry_and_every_thread() {
    let _alone = alone();
    let before = haft::stats();
    let (one, two) = (Registry::new(), Registry::new());
    let created = thread::scope(|scope| {
        let make = |registry: &'static Registry<u32>| {
            move || (0..500).map(|value| registry.insert(value)).collect::<Vec<_>>()
        };
        let leak = |registry| -> &'static Registry<u32> { Box::leak(Box::new(registry)) };
        let threads = [one, two].map(|registry| scope.spawn(make(leak(registry))));
        threads.map(|thread| thread.join().unwrap())
    });
    let guard = created[0][0].get().unwrap();
    created[0].iter().for_each(|handle| handle.delete());
    let after = haft::stats();
    assert_eq!(after.created - before.created, 1000);
    assert_eq!(after.removed - before.removed, 500);
    assert_eq!((after.live - before.live, after.deferred - before.deferred), (500, 1));
    assert!(
        after.pages > before.pages && after.bytes > before.bytes && after.shards >= 1 && after.records >= 1
    );
    drop(guard);
}

#[test]
fn counters_add_up_while_threads_go_on() {
    let _alone = alone();
    static REGISTRY: Registry<u64> = Registry::new();
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while !stop.load(SeqCst) {
                    let handles: Vec<_> = (0..100).map(|value| REGISTRY.insert(value)).collect();
                    remove(&REGISTRY, &handles);
                }
            });
        }
        let (begun, mut last, mut looks) = (Instant::now(), 0, 0);
        while begun.elapsed() < Duration::from_millis(300) || looks < 100 {
            let (stats, all) = (REGISTRY.stats(), haft::stats());
            for stats in [stats, all] {
                assert_eq!(stats.created, stats.removed + stats.live as u64, "{stats:?}");
            }
            assert!(stats.created >= last, "it never goes back: {stats:?} after {last}");
            (last, looks) = (stats.created, looks + 1);
        }
        stop.store(true, SeqCst);
    });
    let stats = REGISTRY.stats();
    assert_eq!((stats.live, stats.created - stats.removed), (0, 0));
}

#[test]
fn every_error_is_counted_once_by_its_kind() {
    let _alone = alone();
    let before = haft::stats();
    let (here, there) = (Registry::new(), Registry::new());
    let handle = there.insert(Value);
    for _ in 0..3 {
        assert!(Handle::<Value>::try_from(0).is_err());
        assert!(Handle::<Value>::from_bits(2).unwrap().get().is_err());
        assert!(AnyHandle::from_bits(handle.to_bits() + (1 << 34)).unwrap().remove().is_err());
        assert!(here.get(handle).is_err());
        assert!(AnyHandle::from(handle).downcast::<u8>().is_err());
    }
    let removed = stale();
    assert!(removed.get().is_err() && removed.remove().is_err() && removed.take().is_err());
    assert!(AnyHandle::from(removed).type_name().is_err());
    let expected = [
        (ErrorKind::Null, 3),
        (ErrorKind::Malformed, 3),
        (ErrorKind::Unissued, 3),
        (ErrorKind::Stale, 4),
        (ErrorKind::WrongType, 3),
        (ErrorKind::WrongRegistry, 3),
        (ErrorKind::TooManyHolds, 0),
    ];
    for (kind, count) in expected {
        assert_eq!(growth(&before, kind), count, "{kind:?}");
    }
    // Asking is no error, and reading an error makes none.
    assert!(!removed.is_live() && !here.contains(handle) && !AnyHandle::from(removed).is_live());
    assert!(AnyHandle::try_from(handle.to_bits()).is_ok() && AnyHandle::from(handle).type_name().is_ok());
    let after = haft::stats().errors;
    assert_eq!(after.total() - before.errors.total(), 19);
    assert_eq!(after.iter().map(|(_, count)| count).sum::<u64>(), after.total());
    // From other threads as well, each exactly once.
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| (0..1000).for_each(|_| assert!(removed.get().is_err())));
        }
    });
    assert_eq!(growth(&before, ErrorKind::Stale), 4004);
}

static TOLD: Mutex<Vec<(u64, ErrorKind)>> = Mutex::new(Vec::new());

fn tell(error: &Error) {
    TOLD.lock().unwrap().push((error.bits(), error.kind()));
}

fn told() -> Vec<(u64, ErrorKind)> {
    std::mem::take(&mut *TOLD.lock().unwrap())
}

#[test]
fn the_hook_is_told_of_every_kind_and_a_flood_is_cut() {
    let _alone = alone();
    haft::on_misuse(tell);
    next_second();
    told();
    let (removed, before) = (stale(), haft::stats());
    for _ in 0..10_000 {
        assert!(removed.get().is_err());
    }
    assert!(Handle::<Value>::try_from(0).is_err(), "a flood of one kind does not hide another");
    let calls = told();
    assert_eq!(calls.last(), Some(&(0, ErrorKind::Null)));
    let of_flood = calls.iter().filter(|call| **call == (removed.to_bits(), ErrorKind::Stale)).count();
    // A new second may have begun meanwhile, on a slow machine more than one.
    assert!(of_flood >= 16 && of_flood % 16 == 0 && of_flood < 10_000, "{of_flood}");
    assert_eq!(growth(&before, ErrorKind::Stale), 10_000, "all are counted");
    next_second();
    assert!(removed.get().is_err());
    assert_eq!(told(), [(removed.to_bits(), ErrorKind::Stale)], "the next second begins anew");
    // It is replaced, and gives the one before back.
    let before = haft::on_misuse(|_| ()).unwrap();
    assert!(removed.get().is_err());
    assert_eq!(told(), []);
    before(&removed.get().err().unwrap());
    assert_eq!(told(), [(removed.to_bits(), ErrorKind::Stale)], "it is the function that was set");
}

#[test]
fn errors_that_the_hook_makes_are_counted_and_not_told() {
    static CALLS: AtomicUsize = AtomicUsize::new(0);
    let _alone = alone();
    haft::on_misuse(|error| {
        CALLS.fetch_add(1, SeqCst);
        // Everything works in it (S10), also the same mistake again.
        assert!(Handle::<Value>::from_bits(error.bits()).unwrap().remove().is_err());
        let handle = Handle::new(1_u8);
        assert_eq!(*handle.get().unwrap(), 1);
        handle.delete();
        assert!(error.to_string().contains("is stale") && !haft::leaks().to_string().is_empty());
    });
    next_second();
    let (removed, before) = (stale(), haft::stats());
    assert!(removed.get().is_err());
    assert_eq!((CALLS.load(SeqCst), growth(&before, ErrorKind::Stale)), (1, 2));
    haft::on_misuse(|_| ());
}

#[test]
fn s3_a_panic_in_the_hook_goes_no_further() {
    static CALLS: AtomicUsize = AtomicUsize::new(0);
    let _alone = alone();
    haft::on_misuse(|_| {
        CALLS.fetch_add(1, SeqCst);
        panic!("the hook panics, on purpose");
    });
    next_second();
    let removed = stale();
    for _ in 0..2 {
        assert_eq!(removed.get().err().unwrap().kind(), ErrorKind::Stale);
    }
    assert_eq!(CALLS.load(SeqCst), 2, "and it is called again after that");
    haft::on_misuse(|_| ());
}

#[test]
fn s8_the_hook_is_told_on_threads_that_end() {
    struct AtTheEnd;
    impl Drop for AtTheEnd {
        fn drop(&mut self) {
            assert!(Handle::<Value>::from_bits(0xABCD_EF02).unwrap().get().is_err());
        }
    }
    thread_local!(static AT_THE_END: RefCell<Option<AtTheEnd>> = const { RefCell::new(None) });
    let _alone = alone();
    haft::on_misuse(tell);
    next_second();
    told();
    thread::spawn(|| {
        // Before haft's own, so that it is destroyed after it.
        AT_THE_END.set(Some(AtTheEnd));
        stale();
    })
    .join()
    .unwrap();
    assert_eq!(told(), [(0xABCD_EF02, ErrorKind::Malformed)]);
    haft::on_misuse(|_| ());
}
