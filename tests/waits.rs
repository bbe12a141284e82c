//! Removals that wait: when one has returned, the value is dropped, whoever did that (S4, S6, S10, S16).

use haft::{AnyHandle, ErrorKind, Handle, Ref, Registry};
use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Barrier, mpsc};
use std::thread;
use std::time::Duration;

/// How many are there.
#[derive(Clone, Default)]
struct Count(Arc<AtomicUsize>);

impl Count {
    fn value(&self) -> Value {
        self.0.fetch_add(1, SeqCst);
        Value(self.clone())
    }
    fn now(&self) -> usize {
        self.0.load(SeqCst)
    }
}

/// Its drop takes a while, so that it is seen whether somebody waits for its end.
struct Value(Count);

impl Drop for Value {
    fn drop(&mut self) {
        thread::yield_now();
        self.0.0.fetch_sub(1, SeqCst);
    }
}

const ROUNDS: usize = if cfg!(miri) { 10 } else { 2000 };

#[test]
fn s6_when_it_returns_the_value_is_dropped_whoever_held_it() {
    let registry = Registry::new();
    for round in 0..ROUNDS {
        let count = Count::default();
        let handle = registry.insert(count.value());
        let start = Barrier::new(3);
        thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| {
                    let before = registry.get_shared(handle);
                    start.wait();
                    // Some of these come before the removal, some after it.
                    for _ in 0..round % 5 {
                        if let Ok(guard) = registry.get(handle) {
                            assert_eq!(guard.0.now(), 1);
                        }
                    }
                    drop(before);
                });
            }
            start.wait();
            registry.remove_and_wait(handle).unwrap();
            assert_eq!(count.now(), 0, "somebody still has the value");
        });
        assert_eq!(registry.stats().deferred, 0);
    }
}

#[test]
fn after_it_has_returned_no_callback_runs_any_more() {
    static RUNNING: AtomicUsize = AtomicUsize::new(0);
    struct Callback;
    let (over, handle) = (AtomicBool::new(false), Handle::new(Callback));
    thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                while !over.load(SeqCst) {
                    let Ok(guard) = handle.get() else { continue };
                    RUNNING.fetch_add(1, SeqCst);
                    thread::yield_now();
                    RUNNING.fetch_sub(1, SeqCst);
                    drop(guard);
                }
            });
        }
        while RUNNING.load(SeqCst) == 0 {
            thread::yield_now();
        }
        handle.remove_and_wait().unwrap();
        assert_eq!(RUNNING.load(SeqCst), 0);
        over.store(true, SeqCst);
    });
}

#[test]
fn a_thread_that_holds_the_value_is_told_at_once_and_nothing_has_changed() {
    let (count, registry) = (Count::default(), Registry::new());
    let handle = registry.insert(count.value());
    let guard = registry.get(handle).unwrap();
    let wrong = registry.remove_and_wait(handle).unwrap_err();
    assert_eq!(wrong.kind(), ErrorKind::HeldHere);
    let text = wrong.to_string();
    assert!(text.contains("held by this very thread") && text.contains("Drop the guard first"), "{text}");
    assert!(text.contains(file!()), "it says where the value came from: {text}");
    for refused in [handle.remove_and_wait(), AnyHandle::from(handle).remove_and_wait()] {
        assert_eq!(refused.unwrap_err().kind(), ErrorKind::HeldHere);
    }
    assert!(registry.contains(handle) && count.now() == 1);

    // A guard of another handle does not matter; nor does a kept one of a handle that is removed already.
    let other = registry.insert(count.value());
    assert_eq!(registry.remove_and_wait(other), Ok(()));
    registry.remove(handle).unwrap();
    assert_eq!(registry.remove_and_wait(handle).unwrap_err().kind(), ErrorKind::Stale);
    assert_eq!(Ref::handle(&guard), handle);
    drop(guard);
    assert_eq!(count.now(), 0);
}

#[test]
fn what_is_not_live_here_fails_as_every_removal_does() {
    let (one, other) = (Registry::new(), Registry::new());
    let handle = one.insert('x');
    let kind = |result: Result<(), haft::Error>| result.unwrap_err().kind();
    let guard = one.get(handle).unwrap();
    // Also while this thread holds it: that is not what is wrong.
    assert_eq!(kind(other.remove_and_wait(handle)), ErrorKind::WrongRegistry);
    let as_number = Handle::<u32>::from_bits(handle.to_bits()).unwrap();
    assert_eq!(kind(as_number.remove_and_wait()), ErrorKind::WrongType);
    drop(guard);
    assert_eq!(kind(Handle::<char>::from_bits(8).unwrap().remove_and_wait()), ErrorKind::Malformed);
    assert_eq!(AnyHandle::from(handle).remove_and_wait(), Ok(()));
    assert_eq!(kind(handle.remove_and_wait()), ErrorKind::Stale);
}

#[test]
fn s4_of_racing_removals_one_wins_and_the_others_do_not_wait() {
    for _ in 0..ROUNDS / 10 {
        let count = Count::default();
        let handle = Handle::new(count.value());
        let (start, won) = (Barrier::new(4), AtomicUsize::new(0));
        thread::scope(|scope| {
            for index in 0..3 {
                let (start, won, count) = (&start, &won, &count);
                scope.spawn(move || {
                    start.wait();
                    let removed = match index {
                        0 => handle.remove().is_ok(),
                        _ => handle.remove_and_wait().inspect(|()| assert_eq!(count.now(), 0)).is_ok(),
                    };
                    won.fetch_add(usize::from(removed), SeqCst);
                });
            }
            let guard = handle.get();
            start.wait();
            drop(guard);
        });
        assert_eq!((won.into_inner(), count.now()), (1, 0));
    }
}

/// Panics when it is dropped.
struct Loud;

impl Drop for Loud {
    fn drop(&mut self) {
        panic!("on purpose");
    }
}

#[test]
fn s10_a_drop_that_panics_ends_the_wait_and_goes_to_the_last_holder() {
    let registry = Registry::new();
    let handle = registry.insert(Loud);
    let (held, waits) = (Barrier::new(2), AtomicBool::new(false));
    thread::scope(|scope| {
        scope.spawn(|| {
            let guard = registry.get(handle).unwrap();
            held.wait();
            while !waits.load(SeqCst) || registry.contains(handle) {
                thread::yield_now();
            }
            // By now it is removed, or just about to be counted.
            thread::sleep(Duration::from_millis(5));
            let _ = catch_unwind(AssertUnwindSafe(move || drop(guard)));
        });
        held.wait();
        waits.store(true, SeqCst);
        let removed = catch_unwind(AssertUnwindSafe(|| registry.remove_and_wait(handle)));
        assert!(removed.is_err() || removed.is_ok_and(|result| result.is_ok()));
    });
    assert_eq!((registry.stats().deferred, registry.len()), (0, 0));

    // And its own, where nobody held it.
    let handle = registry.insert(Loud);
    assert!(catch_unwind(AssertUnwindSafe(|| registry.remove_and_wait(handle))).is_err());
    assert_eq!(registry.remove_and_wait(handle).unwrap_err().kind(), ErrorKind::Stale);
}

#[test]
fn a_drop_may_itself_wait_for_another_value() {
    struct Parent(Handle<Value>);
    impl Drop for Parent {
        fn drop(&mut self) {
            self.0.remove_and_wait().unwrap();
        }
    }
    let count = Count::default();
    let parent = Handle::new(Parent(Handle::new(count.value())));
    let (shared, child) = (Ref::into_shared(parent.get().unwrap()), parent.get().unwrap().0);
    let child = Ref::into_shared(child.get().unwrap());
    thread::scope(|scope| {
        scope.spawn(move || {
            thread::sleep(Duration::from_millis(2));
            drop(child);
        });
        scope.spawn(move || drop(shared));
        parent.remove_and_wait().unwrap();
        assert_eq!(count.now(), 0);
    });
}

/// Runs this on a new thread. A thread that waits for itself would never end.
fn told(work: impl FnOnce() -> Result<(), haft::Error> + Send + 'static) -> Result<(), ErrorKind> {
    let (tell, told) = mpsc::channel();
    thread::spawn(move || tell.send(work().map_err(|error| error.kind())));
    told.recv_timeout(Duration::from_secs(60)).expect("it waits for itself")
}

#[test]
fn a_guard_that_was_there_before_the_thread_created_anything_is_known() {
    let handle = Handle::new('x');
    let result = told(move || {
        let _guard = handle.get().unwrap();
        // Only now the thread has pages, and another record.
        let _ = Handle::new('y').remove();
        handle.remove_and_wait()
    });
    assert_eq!(result, Err(ErrorKind::HeldHere));

    // Values in a row are held, too.
    let registry: &'static Registry<_> = Box::leak(Box::new(Registry::new()));
    let handle = registry.insert(3_u16);
    let result = told(move || {
        let mut result = Ok(());
        registry.for_each(|handle, _| {
            let _ = Handle::new('z').remove();
            result = registry.remove_and_wait(handle);
        });
        result
    });
    assert_eq!((result, registry.remove_and_wait(handle)), (Err(ErrorKind::HeldHere), Ok(())));
}

#[test]
fn a_guard_of_a_thread_that_ends_is_known() {
    struct Late(Cell<Option<Handle<char>>>, Cell<Option<mpsc::Sender<Result<(), ErrorKind>>>>);
    impl Drop for Late {
        fn drop(&mut self) {
            let (handle, tell) = (self.0.take().unwrap(), self.1.take().unwrap());
            let _guard = handle.get().unwrap();
            let _ = tell.send(handle.remove_and_wait().map_err(|error| error.kind()));
        }
    }
    thread_local! {
        static LATE: Late = const { Late(Cell::new(None), Cell::new(None)) };
    }
    let (handle, (tell, told)) = (Handle::new('x'), mpsc::channel());
    thread::spawn(move || {
        LATE.with(|late| (late.0.set(Some(handle)), late.1.set(Some(tell))));
        // Before this, haft knows nothing of the thread; after it, its own destructor comes first.
        drop(handle.get());
    });
    let result = told.recv_timeout(Duration::from_secs(60)).expect("it waits for itself");
    assert_eq!(result, Err(ErrorKind::HeldHere));
}
