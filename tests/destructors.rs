//! Operations while a thread ends (S8): in thread-local destructors that run before haft's own, after it, or first of all.

mod joined;

use haft::{Handle, Ref, Registry, Removal, SharedRef};
use std::cell::RefCell;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::thread;

static REGISTRY: Registry<String> = Registry::new();

/// So many, and a few under Miri, which is ten thousand times slower.
const fn few(count: usize) -> usize {
    if cfg!(miri) { 3 } else { count }
}

struct Counted(Arc<AtomicUsize>);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_add(1, SeqCst);
    }
}

/// Runs a closure when the thread ends.
struct AtEnd(Option<Box<dyn FnOnce()>>);

impl Drop for AtEnd {
    fn drop(&mut self) {
        if let Some(work) = self.0.take() {
            work();
        }
    }
}

thread_local! {
    static FIRST: RefCell<AtEnd> = const { RefCell::new(AtEnd(None)) };
    static SECOND: RefCell<AtEnd> = const { RefCell::new(AtEnd(None)) };
    static GUARD: RefCell<Option<Ref<'static, Counted>>> = const { RefCell::new(None) };
    static SHARED: RefCell<Option<SharedRef<'static, Counted>>> = const { RefCell::new(None) };
}

/// Everything that there is to do, checked.
fn everything(shared: Handle<u64>, drops: &Arc<AtomicUsize>) {
    assert_eq!(*shared.get().unwrap(), 7);
    let guards: Vec<_> = (0..20).map(|_| shared.get().unwrap()).collect();
    drop(guards);
    let mine = Handle::new(Counted(drops.clone()));
    let guard = mine.get().unwrap();
    assert_eq!(mine.remove().unwrap(), Removal::Deferred);
    assert!(mine.get().is_err());
    drop(guard);
    let word = REGISTRY.insert("word".to_string());
    assert_eq!(*REGISTRY.get(word).unwrap(), "word");
    assert_eq!(REGISTRY.take(word).unwrap().as_deref(), Some("word"));
    let own = Registry::new();
    let _left = own.insert(Counted(drops.clone()));
    drop(own);
}

#[test]
fn s8_everything_works_in_destructors_before_and_after_hafts_own() {
    let shared = Handle::new(7_u64);
    let drops = Arc::new(AtomicUsize::new(0));
    let threads = few(300);
    for index in 0..threads {
        let drops = drops.clone();
        thread::spawn(move || {
            let at_end = |drops: Arc<AtomicUsize>| AtEnd(Some(Box::new(move || everything(shared, &drops))));
            // Touched first, a thread-local is destroyed last.
            let use_haft = || everything(shared, &drops);
            match index % 3 {
                0 => {
                    FIRST.set(at_end(drops.clone()));
                    use_haft();
                    SECOND.set(at_end(drops.clone()));
                }
                1 => {
                    SECOND.set(at_end(drops.clone()));
                    FIRST.set(at_end(drops.clone()));
                    use_haft();
                }
                _ => {
                    // First of all in a destructor.
                    FIRST.set(at_end(drops.clone()));
                    SECOND.set(at_end(drops.clone()));
                    drops.fetch_add(2, SeqCst);
                }
            }
        })
        .join()
        .unwrap();
    }
    assert_eq!(drops.load(SeqCst), 3 * 2 * threads);
    assert!(REGISTRY.is_empty());
    assert_eq!(shared.remove().unwrap(), Removal::Dropped);
}

#[test]
fn s8_guards_that_are_kept_to_the_end_of_the_thread() {
    for early in [false, true] {
        let drops = Arc::new(AtomicUsize::new(0));
        for round in 1..=few(300) {
            let (one, two) = (Handle::new(Counted(drops.clone())), Handle::new(Counted(drops.clone())));
            thread::spawn(move || {
                if early {
                    GUARD.set(None);
                    SHARED.set(None);
                }
                let guard = one.get().unwrap();
                GUARD.set(Some(guard));
                SHARED.set(Some(Ref::into_shared(two.get().unwrap())));
                assert_eq!(one.remove().unwrap(), Removal::Deferred);
            })
            .join()
            .unwrap();
            assert_eq!(drops.load(SeqCst), 2 * round - 1);
            assert_eq!(two.remove().unwrap(), Removal::Dropped);
            assert_eq!(drops.load(SeqCst), 2 * round);
        }
    }
}

#[test]
fn s8_a_guard_left_behind_while_the_next_thread_works() {
    // The record is adopted with a taken cell; the late guard frees it.
    let drops = Arc::new(AtomicUsize::new(0));
    let kept = Handle::new(Counted(drops.clone()));
    joined::scope(|scope| {
        for _ in 0..few(200) {
            scope.spawn(|| GUARD.set(kept.get().ok()));
            scope.spawn(|| {
                for _ in 0..few(50) {
                    let handle = Handle::new(Counted(drops.clone()));
                    let guard = handle.get().unwrap();
                    handle.delete();
                    drop(guard);
                }
            });
        }
    });
    assert_eq!(drops.load(SeqCst), few(200) * few(50));
    kept.delete();
    // The threads' destructors may still run when their closures have returned.
    while drops.load(SeqCst) < few(200) * few(50) + 1 {
        thread::yield_now();
    }
}
