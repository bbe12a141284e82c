//! That the models see all schedules: small scenarios of which bare loom misses a part.

use super::check;
use crate::sync::{AtomicU64, Ordering, fence};
use loom::sync::atomic;
use loom::thread;
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

/// All results of a scenario.
fn results<T: Ord + Send + 'static>(scenario: impl Fn() -> T + Sync + Send + 'static) -> BTreeSet<T> {
    let seen = Arc::new(Mutex::new(BTreeSet::new()));
    let results = seen.clone();
    check(4, move || {
        let result = scenario();
        results.lock().unwrap().insert(result);
    });
    std::mem::take(&mut seen.lock().unwrap())
}

macro_rules! a_load_against_a_load_and_an_exchange {
    ($word:ty) => {
        results(|| {
            let word = Arc::new(<$word>::new(0));
            let others = word.clone();
            let other = thread::spawn(move || {
                others.load(Ordering::Relaxed);
                others.swap(1, Ordering::Relaxed);
            });
            let loaded = word.load(Ordering::Relaxed);
            other.join().unwrap();
            loaded
        })
    };
}

#[test]
fn an_exchange_is_tried_before_the_load_of_another_thread_also_where_a_load_precedes_it() {
    assert_eq!(a_load_against_a_load_and_an_exchange!(AtomicU64), BTreeSet::from([0, 1]));
}

/// If this fails, loom has learned it, and `sync/schedules.rs` has one reason less.
#[test]
fn bare_loom_misses_an_exchange_that_follows_a_load() {
    assert_eq!(a_load_against_a_load_and_an_exchange!(atomic::AtomicU64), BTreeSet::from([0]));
}

macro_rules! two_stores_and_a_fence_against_two_loads_around_one {
    ($fence:path) => {
        results(|| {
            let words = Arc::new([AtomicU64::new(0), AtomicU64::new(0)]);
            let others = words.clone();
            let other = thread::spawn(move || {
                others[0].store(1, Ordering::Relaxed);
                others[1].store(1, Ordering::Relaxed);
                // SeqCst: what the scenario is about.
                $fence(Ordering::SeqCst);
            });
            let second = words[1].load(Ordering::Relaxed);
            // SeqCst: as above.
            $fence(Ordering::SeqCst);
            let first = words[0].load(Ordering::Relaxed);
            other.join().unwrap();
            (second, first)
        })
    };
}

/// The second store may be seen and the first one not: nothing orders them until the other
/// thread's fence, and that may come last.
#[test]
fn the_fence_of_another_thread_is_tried_between_a_store_and_the_fence_that_follows_it() {
    let all = BTreeSet::from([(0, 0), (0, 1), (1, 0), (1, 1)]);
    assert_eq!(two_stores_and_a_fence_against_two_loads_around_one!(fence), all);
}

/// If this fails, loom has learned it, and `sync/schedules.rs` has one reason less.
#[test]
fn bare_loom_never_switches_between_a_store_and_the_fence_that_follows_it() {
    let some = BTreeSet::from([(0, 0), (0, 1), (1, 1)]);
    assert_eq!(two_stores_and_a_fence_against_two_loads_around_one!(atomic::fence), some);
}
