//! Lookups against creation and against removal.

use super::*;
use crate::raw::record::CELLS;
use crate::sync::{AtomicU64, Ordering};

/// Passes a handle on without ordering anything, so that only the table and the slot do.
fn passage() -> &'static AtomicU64 {
    Box::leak(Box::new(AtomicU64::new(0)))
}

#[test]
fn e1_e2_a_published_handle_finds_its_value() {
    explore(|order| {
        let world = World::new(1);
        let drops = Drops::default();
        let passed = passage();
        let probe = drops.probe();
        let me = world.record();
        order.race(
            move || passed.store(world.owner().insert(probe), Ordering::Relaxed),
            move || match passed.load(Ordering::Relaxed) {
                0 => false,
                handle => world.visit(me, handle),
            },
        );
        assert_eq!(world.remove(me, passed.load(Ordering::Relaxed)), Some(true));
        assert_eq!(drops.count(), 1);
    });
}

#[test]
fn e1_a_reader_finds_the_value_also_where_another_was_first() {
    explore_three(|order| {
        let world = World::new(1);
        let drops = Drops::default();
        let passed = passage();
        let (owner, first, second) = (world.owner(), world.record(), world.record());
        let probe = drops.probe();
        let early = thread::spawn(move || match passed.load(Ordering::Relaxed) {
            0 => false,
            handle => world.visit(first, handle),
        });
        order.race(
            move || passed.store(owner.insert(probe), Ordering::Relaxed),
            move || match passed.load(Ordering::Relaxed) {
                0 => false,
                handle => world.visit(second, handle),
            },
        );
        early.join().unwrap();
        assert_eq!(drops.count(), 0);
    });
}

#[test]
fn e3_e4_e5_a_foreign_lookup_against_the_owners_removal() {
    explore(|order| {
        let (world, owner, drops, handle) = one_live();
        let seen = drops.clone();
        order.race(
            move || world.visit(world.record(), handle),
            move || {
                if owner.remove(handle).unwrap() {
                    assert_eq!(seen.count(), 1, "dropped before the removal returned");
                }
            },
        );
        assert_eq!(drops.count(), 1);
    });
}

#[test]
fn e3_e5_the_owners_lookup_against_a_foreign_removal() {
    explore(|order| {
        let (world, owner, drops, handle) = one_live();
        order.race(
            move || world.visit(owner.record, handle),
            move || world.remove(world.record(), handle).unwrap(),
        );
        assert_eq!(drops.count(), 1);
    });
}

#[test]
fn e3_a_reader_that_is_known_already_is_found_again() {
    explore(|order| {
        let (world, owner, drops, handle) = one_live();
        let me = world.record();
        // The first lookup announces the thread; only the second is raced.
        assert!(world.visit(me, handle));
        order.race(move || world.visit(me, handle), move || owner.remove(handle).unwrap());
        assert_eq!(drops.count(), 1);
    });
}

#[test]
fn s1_s3_a_stale_lookup_against_immediate_reuse_of_the_slot() {
    explore_long(|order| {
        let world = World::new(1);
        let owner = world.owner();
        let (drops, later) = (Drops::default(), Drops::default());
        let old = owner.insert(drops.probe());
        let probe = later.probe();
        let (_, new) = order.race(
            move || {
                let me = world.record();
                if let Some(hold) = world.get(me, old) {
                    assert_eq!(hold.token.handle(), old);
                    world.release(Some(me), &hold);
                }
            },
            move || {
                let was_dropped = owner.remove(old).unwrap();
                let new = owner.insert(probe);
                assert!(!was_dropped || bits::place(new) == bits::place(old), "the slot is used again");
                new
            },
        );
        assert_ne!(new, old);
        assert_eq!((drops.count(), later.count()), (1, 0));
        assert_eq!(owner.remove(new), Some(true));
    });
}

#[test]
fn i7_a_guess_of_the_next_handle_against_its_creation() {
    explore(|order| {
        let world = World::new(1);
        let owner = world.owner();
        let (drops, later) = (Drops::default(), Drops::default());
        let old = owner.insert(drops.probe());
        assert_eq!(owner.remove(old), Some(true));
        // The generation is above the 33 low bits, so this names the next occupant of the slot.
        let next = old + (1 << 33);
        let probe = later.probe();
        let (guessed, ()) = order.race(
            move || {
                let me = world.record();
                world.visit(me, next);
                world.remove(me, next)
            },
            move || assert_eq!(owner.insert(probe), next),
        );
        let removed = owner.remove(next);
        assert!(guessed.is_some() != removed.is_some(), "one winner: {guessed:?}, {removed:?}");
        assert_eq!(later.count(), 1);
    });
}

#[test]
fn e4_without_a_free_cell_a_lookup_counts() {
    explore(|order| {
        let world = World::new(2);
        let owner = world.owner();
        let (drops, others) = (Drops::default(), Drops::default());
        let other = owner.insert(others.probe());
        let handle = owner.insert(drops.probe());
        order.race(
            move || {
                let me = world.record();
                let kept: Vec<_> = (0..CELLS).map(|_| world.get(me, other).unwrap()).collect();
                assert!(me.free_cell().is_none());
                world.visit(me, handle);
                kept.iter().for_each(|hold| world.release(Some(me), hold));
            },
            move || owner.remove(handle).unwrap(),
        );
        assert_eq!((drops.count(), others.count()), (1, 0));
    });
}

#[test]
fn e11_sites_are_never_those_of_another_handle() {
    explore(|order| {
        let world = World::new(1);
        let owner = world.owner();
        let drops = Drops::default();
        let old = owner.insert(drops.probe());
        assert_eq!(owner.remove(old), Some(true));
        let probe = drops.probe();
        order.race(
            move || walks::sites_are_its_own(world, old, (1, 2)),
            move || {
                // SAFETY(I3): just popped, in a set of probes.
                unsafe { create::fill(owner.pop(), probe, 7) }.get()
            },
        );
    });
}
