//! Values in a row, reservations, and what other languages keep of a handle.

use haft::{AnyHandle, ErrorKind, Full, Handle, Ref, Registry, Removal, SharedRef, ffi};
use std::collections::HashSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::thread;

/// Counts its drops, and panics in them if it is told to.
struct Counted(usize, Arc<AtomicUsize>, bool);

impl Drop for Counted {
    fn drop(&mut self) {
        self.1.fetch_add(1, SeqCst);
        assert!(!self.2, "this one panics");
    }
}

fn counted(registry: &Registry<Counted>, count: usize) -> (Vec<Handle<Counted>>, Arc<AtomicUsize>) {
    let drops = Arc::new(AtomicUsize::new(0));
    let handles = (0..count).map(|number| registry.insert(Counted(number, drops.clone(), false))).collect();
    (handles, drops)
}

#[test]
fn for_each_shows_every_handle_once_with_its_value() {
    let registry = Registry::new();
    let handles: Vec<_> = (0..3000).map(|number| registry.insert(number)).collect();
    handles.iter().step_by(3).for_each(|handle| assert!(registry.remove(*handle).is_ok()));
    let mut seen = HashSet::new();
    registry.for_each(|handle, number| {
        assert_eq!(handles[*number], handle);
        assert!(number % 3 != 0 && seen.insert(*number));
    });
    assert_eq!(seen.len(), 2000);
    Registry::<u8>::new().for_each(|_, _| panic!("there is nothing"));
}

#[test]
fn s16_values_in_a_row_make_no_errors_of_what_goes_meanwhile() {
    let registry = Registry::new();
    let kept: Vec<_> = (0..500).map(|number: usize| registry.insert(number)).collect();
    let stop = AtomicBool::new(false);
    // Of this thread: other tests make errors on purpose.
    static MINE: AtomicBool = AtomicBool::new(false);
    thread_local!(static IS_ME: std::cell::Cell<bool> = const { std::cell::Cell::new(false) });
    IS_ME.set(true);
    haft::on_misuse(|_| MINE.store(MINE.load(SeqCst) || IS_ME.get(), SeqCst));
    thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(SeqCst) {
                let others: Vec<_> = (0..100).map(|_| registry.insert(usize::MAX)).collect();
                others.iter().for_each(|handle| assert!(registry.remove(*handle).is_ok()));
            }
        });
        for _ in 0..50 {
            let mut seen = HashSet::new();
            registry.for_each(|handle, number| {
                assert!(*number == usize::MAX || kept[*number] == handle && seen.insert(*number));
            });
            assert_eq!(seen.len(), kept.len(), "what is there throughout is shown once");
        }
        stop.store(true, SeqCst);
    });
    assert!(!MINE.load(SeqCst));
}

#[test]
fn for_each_may_create_and_remove() {
    let registry = Registry::new();
    let (handles, drops) = counted(&registry, 100);
    let mut made = Vec::new();
    registry.for_each(|handle, value| {
        if value.0 < 100 && made.len() < 100 {
            made.push(registry.insert(Counted(1000, drops.clone(), false)));
        }
        if value.0 < 100 {
            // Its own guard holds it.
            assert_eq!(registry.remove(handle).unwrap(), Removal::Deferred);
        }
    });
    assert_eq!(drops.load(SeqCst), 100);
    assert!(handles.iter().all(|handle| handle.get().is_err()));
    assert_eq!(registry.len(), made.len());
}

#[test]
fn s5_retain_says_what_it_dropped_and_what_is_still_held() {
    let registry = Registry::new();
    let (handles, drops) = counted(&registry, 1000);
    let held: Vec<_> = handles.iter().step_by(100).map(|handle| registry.get(*handle).unwrap()).collect();
    let removed = registry.retain(|_, value| value.0 % 2 == 1);
    assert_eq!((removed.dropped, removed.deferred), (490, 10));
    assert_eq!((drops.load(SeqCst), registry.len()), (490, 500));
    assert!(handles[0].get().err().unwrap().removed_at().unwrap().file().ends_with("values.rs"));
    drop(held);
    assert_eq!(drops.load(SeqCst), 500);
    assert_eq!(registry.retain(|_, _| true), haft::Removals::default());
    // A handle that somebody else removes first is not counted.
    let removed = registry.retain(|handle, _| {
        registry.remove(handle).unwrap();
        false
    });
    assert_eq!((removed.dropped, removed.deferred, registry.len()), (0, 0, 0));
    assert_eq!(drops.load(SeqCst), 1000);
}

#[test]
fn s5_drain_gives_out_what_nobody_holds() {
    let registry = Registry::new();
    let (handles, drops) = counted(&registry, 10);
    let held = registry.get(handles[4]).unwrap();
    let later = registry.insert(Counted(99, drops.clone(), false));
    let mut drain = registry.drain();
    let new = registry.insert(Counted(100, drops.clone(), false));
    // Somebody else's.
    assert!(registry.remove(later).is_ok());
    let mut out: Vec<_> = drain.by_ref().take(3).collect();
    assert_eq!((drops.load(SeqCst), drain.size_hint().0), (1, 0));
    out.extend(drain);
    let mut numbers: Vec<_> = out.iter().map(|value| value.0).collect();
    numbers.sort_unstable();
    assert_eq!(numbers, [0, 1, 2, 3, 5, 6, 7, 8, 9]);
    assert_eq!((drops.load(SeqCst), registry.len(), held.0), (1, 1, 4));
    drop((out, held));
    assert_eq!(drops.load(SeqCst), 11);
    assert!(registry.get(new).is_ok());
}

#[test]
fn s10_a_drain_that_is_dropped_removes_the_rest_whatever_panics() {
    let registry = Registry::new();
    let (_, drops) = counted(&registry, 5);
    for _ in 0..2 {
        let _ = registry.insert(Counted(0, drops.clone(), true));
    }
    let _ = counted(&registry, 5);
    let panicked = catch_unwind(AssertUnwindSafe(|| drop(registry.drain())));
    assert!(panicked.is_err() && registry.is_empty());
    assert_eq!(drops.load(SeqCst), 7);
}

#[test]
fn s3_a_reservation_is_live_when_it_is_filled_and_never_comes_again_when_it_is_dropped() {
    let registry = Registry::with_limit(2);
    let vacant = registry.reserve().unwrap();
    let handle = vacant.handle();
    assert_eq!(handle.get().unwrap_err().kind(), ErrorKind::Unissued);
    assert!(!registry.contains(handle) && registry.remove(handle).is_err());
    // It counts against the limit.
    let other = registry.insert(1);
    assert_eq!(registry.reserve().err(), Some(Full(())));
    assert_eq!(vacant.fill(2), handle);
    assert_eq!(*registry.get(handle).unwrap(), 2);
    registry.remove(other).unwrap();
    let given_up: Vec<_> = (0..100).map(|_| registry.reserve().unwrap().handle()).collect();
    assert_eq!(given_up.iter().collect::<HashSet<_>>().len(), 100, "each slot has another generation");
    assert!(given_up.iter().all(|handle| handle.get().is_err()));
    registry.remove(handle).unwrap();
    assert!(registry.is_empty());
}

#[test]
fn s8_a_reservation_that_outlives_its_threads_record_gives_its_slot_up() {
    static REGISTRY: Registry<u32> = Registry::new();
    thread_local!(static LATE: std::cell::Cell<Option<haft::Vacant<'static, u32>>> = const { std::cell::Cell::new(None) });
    for _ in 0..100 {
        let handle = thread::spawn(|| {
            // Destroyed after haft's own, which is used later.
            LATE.set(None);
            let vacant = REGISTRY.reserve().unwrap();
            let handle = vacant.handle();
            LATE.set(Some(vacant));
            handle
        });
        assert!(REGISTRY.get(handle.join().unwrap()).is_err());
        let next = REGISTRY.insert(1);
        assert_eq!(*REGISTRY.get(next).unwrap(), 1);
        REGISTRY.remove(next).unwrap();
    }
    assert!(REGISTRY.is_empty());
}

#[test]
fn a_value_that_cannot_be_made_leaves_nothing_behind() {
    #[derive(Debug, PartialEq)]
    enum Why {
        Full,
        Bad,
    }
    impl From<Full<()>> for Why {
        fn from(_: Full<()>) -> Self {
            Self::Full
        }
    }
    let registry = Registry::with_limit(1);
    let mut told = None;
    let bad = registry.try_insert_with(|handle| {
        told = Some(handle);
        Err(Why::Bad)
    });
    assert_eq!(bad, Err(Why::Bad));
    assert!(registry.is_empty() && registry.get(told.unwrap()).is_err());
    let good = registry.try_insert_with(|handle| Ok::<_, Why>(handle.to_bits())).unwrap();
    assert_eq!(*registry.get(good).unwrap(), good.to_bits());
    assert_eq!(registry.try_insert_with(|_| Ok(0)), Err(Why::Full));
    assert!(catch_unwind(AssertUnwindSafe(|| Handle::<String>::new_with(|_| panic!("no")))).is_err());
}

#[test]
fn s2_signed_numbers_come_back_and_those_that_are_none_are_told() {
    let handle = Handle::new_with(|me: Handle<u64>| me.to_bits());
    let signed = handle.to_i64();
    assert!(signed > 0 && Handle::from_i64(signed) == Some(handle));
    assert_eq!(*handle.get().unwrap(), signed as u64);
    let any = AnyHandle::from(handle);
    assert_eq!(AnyHandle::from_i64(any.to_i64()), Some(any));
    for none in [0, -1, i64::MIN, -signed] {
        assert!(Handle::<u64>::from_i64(none).is_none() && AnyHandle::from_i64(none).is_none());
    }
    handle.delete();
}

#[test]
fn s5_shared_guards_come_from_a_registry_at_once_and_from_a_guard_that_stays() {
    let registry = Registry::new();
    let (handles, drops) = counted(&registry, 2);
    let other = Registry::new();
    let foreign = other.insert(Counted(7, drops.clone(), false));
    let wrong = registry.get_shared(foreign).err().unwrap();
    assert_eq!(wrong.kind(), ErrorKind::WrongRegistry);
    let shared = registry.get_shared(handles[0]).unwrap();
    let guard = registry.get(handles[1]).unwrap();
    let of_guard = Ref::to_shared(&guard);
    assert_eq!(SharedRef::handle(&of_guard), handles[1]);
    assert_eq!(registry.remove(handles[1]).unwrap(), Removal::Deferred);
    drop(guard);
    assert_eq!((drops.load(SeqCst), of_guard.0), (0, 1));
    thread::scope(|scope| {
        scope.spawn(move || drop(of_guard));
    });
    assert_eq!(drops.load(SeqCst), 1);
    drop(registry);
    thread::spawn(move || assert_eq!(shared.0, 0)).join().unwrap();
    assert_eq!(drops.load(SeqCst), 2);
}

#[test]
fn functions_that_return_a_value_keep_the_error() {
    let handle = Handle::new(5_u8);
    let length = |bits: u64| ffi::call_or(-1, || Ok(i64::from(*Handle::<u8>::try_from(bits)?.get()?)));
    assert_eq!(length(handle.to_bits()), 5);
    handle.delete();
    assert_eq!(length(handle.to_bits()), -1);
    // SAFETY: haft's own text.
    let text = || unsafe { std::ffi::CStr::from_ptr(ffi::last_error()) }.to_str().unwrap().to_owned();
    assert!(text().contains("stale"), "{}", text());
    assert_eq!(ffi::try_call(|| -> Result<u8, _> { panic!("out of cheese") }), Err(ffi::HAFT_PANIC));
    assert_eq!(text(), "panicked: out of cheese");
}

#[test]
fn s1_s2_narrow_handles_fit_and_are_never_issued_twice() {
    for bits in [47, 48, 53, 63] {
        let narrow = Registry::<u32>::narrow(bits);
        let wide = Registry::<u32>::new();
        let mut seen = HashSet::new();
        let mut all = Vec::new();
        for number in 0..200_000_u32 {
            let handle = narrow.insert(number);
            assert!(handle.to_bits() >> bits == 0 && seen.insert(handle.to_bits()));
            if number % 3 == 0 {
                all.push((handle, number));
            } else {
                assert_eq!(*narrow.get(handle).unwrap(), number);
                narrow.remove(handle).unwrap();
                assert_eq!(narrow.get(handle).unwrap_err().kind(), ErrorKind::Stale);
            }
            if bits <= 53 {
                assert_eq!(handle.to_bits() as f64 as u64, handle.to_bits());
            }
        }
        assert!(all.iter().all(|(handle, number)| *narrow.get(*handle).unwrap() == *number));
        // What a dropped one leaves goes to none of another width.
        let of_wide: Vec<_> = (0..100).map(|number| wide.insert(number).to_bits()).collect();
        drop((narrow, wide));
        let (narrow, wide) = (Registry::narrow(bits), Registry::new());
        for number in 0..5000 {
            let handle = narrow.insert(number).to_bits();
            assert!(handle >> bits == 0 && seen.insert(handle) && !of_wide.contains(&handle));
            assert!(!seen.contains(&wide.insert(number).to_bits()));
        }
    }
}

#[test]
fn s1_a_narrow_slot_that_has_had_all_its_handles_is_not_used_any_more() {
    let narrow = Registry::narrow(47);
    let mut seen = HashSet::new();
    // A cycle uses few slots, which are used up one after the other.
    for number in 0..300_000 {
        let handle = narrow.insert(number);
        assert!(handle.to_bits() >> 47 == 0 && seen.insert(handle.to_bits()));
        assert_eq!(narrow.take(handle).unwrap(), Some(number));
    }
    assert!(narrow.stats().retired > 0);
    assert!(
        catch_unwind(|| Registry::<u8>::narrow(46)).is_err()
            && catch_unwind(|| Registry::<u8>::narrow(64)).is_err()
    );
}
