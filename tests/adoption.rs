//! What an ended thread leaves is adopted by the next (S9). Alone in its process, so that it can count shards.

use haft::{Registry, Removal};
use std::sync::Arc;
use std::thread;

#[test]
fn s9_the_handles_of_an_ended_thread_stay_and_its_shard_is_adopted() {
    let registry = Arc::new(Registry::new());
    let mut handles = Vec::new();
    let before = haft::stats();
    // Miri is ten thousand times slower.
    for round in 0..if cfg!(miri) { 6 } else { 200_u32 } {
        let registry = registry.clone();
        let mine = thread::spawn(move || {
            (0..10).map(|value| registry.insert(round * 10 + value)).collect::<Vec<_>>()
        });
        handles.extend(mine.join().unwrap());
    }
    let after = haft::stats();
    // A thread may still be ending when the next one begins, so a few may be there at the same time. Each
    // is given sixteen places at a time.
    assert!(after.shards <= before.shards + 4, "{before:?} {after:?}");
    assert!(after.records <= before.records + 4, "{before:?} {after:?}");
    for (value, handle) in (0..).zip(&handles) {
        assert_eq!(*registry.get(*handle).unwrap(), value);
        assert_eq!(registry.remove(*handle).unwrap(), Removal::Dropped);
    }
    assert!(registry.is_empty());
}
