//! What goes wrong in a program that uses haft: drops and closures that panic, threads that die, guards that are never given back (S5, S6, S10).

#![allow(dropping_copy_types)]

use haft::{AnyHandle, ErrorKind, Handle, Ref, Registry, Removal, SharedRef};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::mpsc;
use std::thread;

/// Panics when it is dropped, and counts that. (Without a message: the hook is not called.)
struct Panics(Arc<AtomicUsize>);

impl Drop for Panics {
    fn drop(&mut self) {
        self.0.fetch_add(1, SeqCst);
        resume_unwind(Box::new("in a drop"));
    }
}

/// Counts its drops.
struct Counted(Arc<AtomicUsize>);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_add(1, SeqCst);
    }
}

type DropsIt = fn(&Registry<Panics>, Handle<Panics>);

/// Every place that drops a value. Each gets the registry and a handle in it, and panics by the value's drop.
const PLACES: [(&str, DropsIt); 11] = [
    ("Handle::remove", |_, handle| drop(handle.remove())),
    ("Handle::delete", |_, handle| handle.delete()),
    ("Handle::take, whose value is the caller's", |_, handle| drop(handle.take())),
    ("Registry::remove", |registry, handle| drop(registry.remove(handle))),
    ("Registry::take", |registry, handle| drop(registry.take(handle))),
    ("AnyHandle::remove", |_, handle| drop(AnyHandle::from(handle).remove())),
    ("Registry::clear", |registry, _| registry.clear()),
    ("ffi::destroy, which catches it", |_, handle| {
        assert_eq!(haft::ffi::destroy(handle.to_bits()), haft::ffi::HAFT_PANIC);
        resume_unwind(Box::new("in a drop"));
    }),
    ("the last guard", |_, handle| {
        let guard = handle.get().unwrap();
        assert_eq!(handle.remove().unwrap(), Removal::Deferred);
        drop(guard);
    }),
    ("the last guard beyond the cells", |_, handle| {
        let guards: Vec<_> = (0..8).map(|_| handle.get().unwrap()).collect();
        assert!(handle.take().unwrap().is_none());
        drop(guards);
    }),
    ("the last shared guard, on another thread", |_, handle| {
        let shared = Ref::into_shared(handle.get().unwrap());
        handle.delete();
        let passed = thread::spawn(move || drop(shared)).join();
        resume_unwind(passed.unwrap_err());
    }),
];

#[test]
fn s10_a_drop_that_panics_panics_once_wherever_it_is_and_everything_goes_on() {
    for (place, drops_it) in PLACES {
        let drops = Arc::new(AtomicUsize::new(0));
        let registry = Registry::with_limit(1);
        for round in 1..=3 {
            // With a limit of one, only what is really gone makes room.
            let handle = registry.try_insert(Panics(drops.clone())).map_err(std::mem::forget);
            let handle = handle.unwrap_or_else(|()| panic!("{place}: no room in round {round}"));
            let panic = catch_unwind(AssertUnwindSafe(|| drops_it(&registry, handle))).unwrap_err();
            assert_eq!(panic.downcast_ref::<&str>(), Some(&"in a drop"), "{place}");
            assert_eq!(drops.load(SeqCst), round, "{place}");
            assert_eq!(handle.get().err().map(|error| error.kind()), Some(ErrorKind::Stale), "{place}");
            let stats = registry.stats();
            assert_eq!((stats.live, stats.deferred, stats.removed), (0, 0, round as u64), "{place}");
        }
    }
}

#[test]
fn s10_a_registry_that_is_dropped_drops_all_and_passes_one_panic_on() {
    let (drops, held) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let registry = Registry::new();
    let handles: Vec<_> = (0..100).map(|_| registry.insert(Panics(drops.clone()))).collect();
    let last = registry.insert(Panics(held.clone()));
    let guard = last.get().unwrap();
    let panic = catch_unwind(AssertUnwindSafe(|| drop(registry))).unwrap_err();
    assert_eq!(panic.downcast_ref::<&str>(), Some(&"in a drop"));
    assert_eq!((drops.load(SeqCst), held.load(SeqCst)), (100, 0));
    assert!(handles.iter().all(|handle| handle.get().is_err()));
    // The one that was held panics where it is let go, in a registry that is gone.
    assert!(catch_unwind(AssertUnwindSafe(|| drop(guard))).is_err());
    assert_eq!(held.load(SeqCst), 1);
}

#[test]
fn s10_a_panic_inside_insert_with_lets_everything_go_that_the_closure_had() {
    let drops = Arc::new(AtomicUsize::new(0));
    let registry = Registry::with_limit(2);
    let other = registry.insert(Counted(drops.clone()));
    for _ in 0..100 {
        let mut told = None;
        let panicked = catch_unwind(AssertUnwindSafe(|| {
            registry.insert_with(|me| {
                told = Some(me);
                let (_value, _guard) = (Counted(drops.clone()), other.get().unwrap());
                // A drop that panics is as good a reason as any.
                let inner = Registry::new();
                let handle = inner.insert(Panics(drops.clone()));
                drop(inner.remove(handle));
                unreachable!("the drop panics")
            })
        }));
        assert!(panicked.is_err());
        assert_eq!(told.unwrap().get().err().map(|error| error.kind()), Some(ErrorKind::Stale));
    }
    assert_eq!(drops.load(SeqCst), 200);
    // Room for exactly one more, and nobody holds the other.
    assert!(registry.try_insert(Counted(drops.clone())).is_ok());
    assert!(registry.try_insert(Counted(drops.clone())).is_err());
    assert_eq!(other.remove().unwrap(), Removal::Dropped);
}

#[test]
fn s5_a_thread_that_dies_of_a_panic_lets_its_guards_go() {
    for round in 0..100 {
        let drops = Arc::new(AtomicUsize::new(0));
        let handles: Vec<_> = (0..10).map(|_| Handle::new(Counted(drops.clone()))).collect();
        let (ready, wait) = mpsc::channel();
        let (removed, go) = mpsc::channel::<()>();
        let theirs = handles.clone();
        let thread = thread::spawn(move || {
            // More guards than cells, and shared ones.
            let _guards: Vec<_> = theirs.iter().map(|handle| handle.get().unwrap()).collect();
            let _shared: Vec<SharedRef<'_, _>> =
                theirs.iter().map(|handle| Ref::into_shared(handle.get().unwrap())).collect();
            let _own = Handle::new(round).get().unwrap();
            ready.send(()).unwrap();
            go.recv().unwrap();
            resume_unwind(Box::new(()));
        });
        wait.recv().unwrap();
        let (early, late) = handles.split_at(5);
        assert!(early.iter().all(|handle| handle.remove().unwrap() == Removal::Deferred));
        assert_eq!(drops.load(SeqCst), 0);
        removed.send(()).unwrap();
        assert!(thread.join().is_err());
        assert_eq!(drops.load(SeqCst), 5, "those that were removed");
        assert!(late.iter().all(|handle| handle.remove().unwrap() == Removal::Dropped));
    }
}

#[test]
fn s5_a_guard_that_is_leaked_keeps_its_value_and_nothing_else() {
    type Leak = fn(Handle<Counted>);
    let leaks: [(&str, Leak); 4] = [
        ("a guard", |handle| std::mem::forget(handle.get())),
        ("a shared guard", |handle| std::mem::forget(handle.get().map(Ref::into_shared))),
        ("guards beyond the cells", |handle| {
            (0..10).for_each(|_| std::mem::forget(handle.get()));
        }),
        ("a guard of a thread that ends", |handle| {
            thread::spawn(move || std::mem::forget(handle.get())).join().unwrap();
        }),
    ];
    for (what, leak) in leaks {
        let (drops, kept) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        // On a thread of its own, whose cells stay taken for ever.
        let work = || {
            for round in 1..=20 {
                let registry = Registry::new();
                let others: Vec<_> = (0..10).map(|_| registry.insert(Counted(drops.clone()))).collect();
                let leaked = registry.insert(Counted(kept.clone()));
                leak(leaked);
                assert_eq!(registry.remove(leaked).unwrap(), Removal::Deferred, "{what}");
                assert_eq!(registry.stats().deferred, 1, "{what}");
                for other in &others[..5] {
                    drop(other.get().unwrap());
                    assert_eq!(registry.remove(*other).unwrap(), Removal::Dropped, "{what}");
                }
                drop(registry);
                assert_eq!((drops.load(SeqCst), kept.load(SeqCst)), (10 * round, 0), "{what}");
            }
        };
        thread::scope(|scope| scope.spawn(work).join().unwrap());
        // The next thread has the record, with its cells taken.
        let next = || {
            let handle = Handle::new(Counted(drops.clone()));
            let guard = handle.get().unwrap();
            assert_eq!(handle.remove().unwrap(), Removal::Deferred);
            drop(guard);
        };
        thread::scope(|scope| scope.spawn(next).join().unwrap());
        assert_eq!((drops.load(SeqCst), kept.load(SeqCst)), (201, 0), "{what}");
    }
}

#[test]
fn s9_thousands_of_threads_at_once_that_only_look_up() {
    // Each holds more guards than it has cells, at the same time as all others.
    let drops = Arc::new(AtomicUsize::new(0));
    let hot = Handle::new(Counted(drops.clone()));
    let (ready, here) = mpsc::channel();
    let threads: Vec<_> = (0..3000)
        .map(|_| {
            let (ready, (go, wait)) = (ready.clone(), mpsc::channel::<()>());
            let work = move || {
                let guards: [_; 8] = std::array::from_fn(|_| hot.get().unwrap());
                ready.send(()).unwrap();
                drop(wait.recv());
                drop(guards);
            };
            (go, thread::Builder::new().stack_size(64 * 1024).spawn(work).unwrap())
        })
        .collect();
    threads.iter().for_each(|_| here.recv().unwrap());
    assert_eq!(hot.remove().unwrap(), Removal::Deferred);
    assert!(hot.get().is_err());
    let (last, others) = threads.split_first().map(|(last, others)| (last.0.clone(), others.len())).unwrap();
    let mut threads = threads.into_iter();
    let first = threads.next().unwrap();
    for (go, thread) in threads {
        drop(go);
        thread.join().unwrap();
    }
    assert_eq!((others, drops.load(SeqCst)), (2999, 0), "one of 3000 still has it");
    drop((last, first.0));
    first.1.join().unwrap();
    assert_eq!(drops.load(SeqCst), 1);
}
