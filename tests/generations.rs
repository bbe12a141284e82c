//! A slot of the real layout to its end: each generation is issued once, and then never one again (S1).
//!
//! `cargo test --release --test generations -- --ignored --nocapture`: a minute or two.

use haft::{ErrorKind, Handle, Registry};
use std::time::Instant;

/// Slots of a registry's first page: with all but one taken, that one is used again and again.
const PAGE: usize = 16;

const LAST: u64 = (1 << 30) - 1;
const SLOT: u64 = (1 << 33) - 1;

fn generation(handle: Handle<()>) -> u64 {
    handle.to_bits() >> 33
}

fn slot(handle: Handle<()>) -> u64 {
    handle.to_bits() & SLOT
}

#[test]
#[ignore = "a minute or two, with optimisation"]
fn s1_a_slot_of_the_real_layout_ends_with_its_last_generation_and_never_comes_back() {
    let begun = Instant::now();
    let registry = Registry::new();
    let mut kept: Vec<_> = (0..PAGE).map(|_| registry.insert(())).collect();
    let first = kept.pop().unwrap();
    assert!(generation(first) <= LAST / 2 + 1, "first generations are in the lower half");
    let mut last = first;
    while generation(last) < LAST {
        registry.remove(last).unwrap();
        let next = registry.insert(());
        // One test for all: the same slot, and the next generation.
        assert_eq!(next.to_bits(), last.to_bits() + (1 << 33));
        if generation(next) % (1 << 28) == 0 {
            println!(
                "{:>10} in {:.0} s",
                generation(next) - generation(first),
                begun.elapsed().as_secs_f64()
            );
            assert_eq!(last.get().err().map(|error| error.kind()), Some(ErrorKind::Stale));
        }
        last = next;
    }
    println!(
        "{} generations of one slot, from {} to {LAST}, in {:.0} s",
        LAST - generation(first) + 1,
        generation(first),
        begun.elapsed().as_secs_f64()
    );
    // It was the last one: it still works, and when it goes nothing comes back.
    assert!(registry.get(last).is_ok());
    registry.remove(last).unwrap();
    let stale = |handle: Handle<()>| handle.get().err().map(|error| error.kind()) == Some(ErrorKind::Stale);
    let all_stale = || stale(first) && stale(last);
    let others: Vec<_> = (0..100).map(|_| registry.insert(())).collect();
    assert!(others.iter().all(|other| slot(*other) != slot(first)) && all_stale());
    assert!(kept.iter().all(|kept| registry.get(*kept).is_ok()));
    registry.clear();
    assert!(slot(registry.insert(())) != slot(first) && all_stale());
    // Nor in another registry, which gets the same places.
    drop(registry);
    for _ in 0..10 {
        let successor = Registry::new();
        let others: Vec<_> = (0..200).map(|_| successor.insert(())).collect();
        assert!(others.iter().all(|other| slot(*other) != slot(first)) && all_stale());
    }
    // Nor on another thread, after this one.
    let retired = slot(first);
    let elsewhere = move || (0..200).all(|_| slot(Handle::new(())) != retired);
    assert!(std::thread::spawn(elsewhere).join().unwrap() && elsewhere() && all_stale());
}
