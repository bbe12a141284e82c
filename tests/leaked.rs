//! A guard that is leaked keeps its value, and is in nobody's way. Alone in its process, so that it can count
//! records.

use haft::{Handle, Registry, Removal};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::thread;

/// Guards that a thread holds without counting them; one more is counted.
const CELLS: usize = 6;

struct Value(Arc<AtomicUsize>);

impl Drop for Value {
    fn drop(&mut self) {
        self.0.fetch_add(1, SeqCst);
    }
}

/// Everything works, and values are dropped at once, while this thread has leaked this many guards.
fn works(registry: &Registry<Value>, other: &(impl Fn(Handle<Value>) -> Removal + Sync)) {
    let drops = Arc::new(AtomicUsize::new(0));
    for round in 0..200 {
        let count = || drops.load(SeqCst);
        let before = count();
        // Never looked up; looked up; held by this thread; removed by another.
        let [new, seen, held, moved] = [(); 4].map(|()| registry.insert(Value(drops.clone())));
        assert_eq!(registry.remove(new).unwrap(), Removal::Dropped);
        assert_eq!(count(), before + 1);
        for _ in 0..10 {
            drop(seen.get().unwrap());
        }
        assert!(registry.take(seen).unwrap().is_some());
        assert_eq!(count(), before + 2);
        let guard = registry.get(held).unwrap();
        assert_eq!(held.remove().unwrap(), Removal::Deferred);
        assert_eq!(count(), before + 2);
        drop(guard);
        assert_eq!(count(), before + 3);
        if round % 20 == 0 {
            drop(moved.get().unwrap());
            assert_eq!(other(moved), Removal::Dropped);
        } else {
            moved.delete();
        }
        assert_eq!(count(), before + 4);
    }
    assert!(registry.is_empty());
}

#[test]
fn s6_a_leaked_guard_is_in_nobodys_way_here_or_in_the_next_thread_with_the_same_record() {
    let leaked = Arc::new(AtomicUsize::new(0));
    let registry = Registry::new();
    let other = |handle: Handle<Value>| {
        thread::scope(|scope| scope.spawn(|| handle.remove().unwrap()).join().unwrap())
    };
    for leaks in 0..=CELLS + 2 {
        let handles: Vec<_> = (0..leaks).map(|_| Handle::new(Value(leaked.clone()))).collect();
        let begin = thread::scope(|scope| {
            let first = scope.spawn(|| {
                // It creates, so that the next one has its record.
                works(&registry, &other);
                handles.iter().for_each(|handle| std::mem::forget(handle.get().unwrap()));
                works(&registry, &other);
                haft::stats().records
            });
            first.join().unwrap()
        });
        thread::scope(|scope| scope.spawn(|| works(&registry, &other)).join().unwrap());
        // Three at a time: the test's own, the first or second, and its other. An ending one may overlap.
        assert!(haft::stats().records <= begin + 3, "{begin} {:?}", haft::stats());
        // What is leaked stays, also where its handle is removed.
        for handle in handles {
            assert!(handle.get().is_ok());
            assert_eq!(handle.remove().unwrap(), Removal::Deferred);
            assert!(handle.get().is_err());
        }
        assert_eq!(leaked.load(SeqCst), 0);
    }
}
