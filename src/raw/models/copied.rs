//! Copies of words against creation, removal and reuse.

use super::bias::plain::{insert, remove, remove_own, visit, world};
use super::*;
use crate::raw::copied;
use crate::raw::create::Reservation;
use crate::sync::{AtomicU64, Ordering};

/// A copy, from the set that is in use.
fn copy(world: &World, handle: u64) -> Option<u64> {
    // SAFETY(I2): the set is never dropped, and holds integers.
    unsafe { copied::get(world.space, handle, Want::Set(world.set().id)) }
}

/// A copy, and another one after it: nothing, or what the handle has. Once it is gone it stays so.
fn copy_twice(world: &World, handle: u64, value: u64) {
    let copies = [copy(world, handle), copy(world, handle)];
    assert!(copies.iter().flatten().all(|copy| *copy == value), "{copies:?}");
    assert!(copies[0].is_some() || copies[1].is_none(), "a handle that was removed is live again");
}

/// Passes a handle on without ordering anything.
fn passage() -> &'static AtomicU64 {
    Box::leak(Box::new(AtomicU64::new(0)))
}

#[test]
fn e1_a_copy_finds_the_value_and_not_the_one_before_it() {
    explore(|order| {
        let (world, owner) = world();
        let passed = passage();
        let old = insert(&owner, 7);
        assert!(remove_own(&owner, old));
        order.race(
            move || passed.store(insert(&owner, 8), Ordering::Relaxed),
            move || match passed.load(Ordering::Relaxed) {
                0 => assert_eq!(copy(&world, old), None),
                handle => assert!(copy(&world, handle).is_none_or(|copied| copied == 8)),
            },
        );
    });
}

#[test]
fn e15_a_copy_against_the_owners_removal_and_reuse() {
    explore(|order| {
        let (world, owner) = world();
        let old = insert(&owner, 7);
        let (_, new) = order.race(
            move || copy_twice(&world, old, 7),
            move || {
                assert!(remove_own(&owner, old));
                assert_eq!(copy(&world, old), None);
                insert(&owner, 8)
            },
        );
        assert_eq!(bits::slot(new), bits::slot(old), "the slot is used again");
        assert_eq!((copy(&world, old), copy(&world, new)), (None, Some(8)));
    });
}

#[test]
fn e15_a_copy_against_a_removal_by_exchange_and_reuse() {
    explore(|order| {
        let (world, owner) = world();
        let old = insert(&owner, 7);
        // The owner closes by an exchange from now on.
        assert!(visit(&world, world.record(), old, 7));
        order.race(
            move || copy_twice(&world, old, 7),
            move || {
                assert!(remove_own(&owner, old));
                insert(&owner, 8)
            },
        );
    });
}

#[test]
fn e7_e15_a_copy_against_a_foreign_removal_and_the_owners_reuse() {
    explore_three(|order| {
        let (world, owner) = world();
        let old = insert(&owner, 7);
        let third = thread::spawn(move || remove(&world, world.record(), old, Want::Type));
        // While the third revokes the page's bias there is no copy, of a live handle either; so what is gone is not told here.
        let copies = move || [copy(&world, old), copy(&world, old)];
        let (copies, _) = order.race(copies, move || insert(&owner, 8));
        assert!(copies.iter().flatten().all(|copied| *copied == 7), "{copies:?}");
        assert!(third.join().unwrap());
        assert_eq!(copy(&world, old), None);
    });
}

#[test]
fn e15_a_copy_against_a_creation_whose_value_comes_later() {
    explore(|order| {
        let (world, owner) = world();
        let passed = passage();
        let old = insert(&owner, 7);
        assert!(remove_own(&owner, old));
        let (copied, new) = order.race(
            move || match passed.load(Ordering::Relaxed) {
                0 => None,
                handle => copy(&world, handle),
            },
            move || {
                // SAFETY(I6): the owner is on this thread.
                let popped = unsafe { create::pop::<u64>(owner.shard) }.expect("room");
                // SAFETY(I8): just popped, of this set.
                let reserved = unsafe { Reservation::new(popped, world.set(), Some(owner.record), 1) };
                passed.store(reserved.handle(), Ordering::Relaxed);
                assert_eq!(copy(&world, reserved.handle()), None, "its value is not there yet");
                // SAFETY(I3): the set holds integers.
                unsafe { reserved.fill(8_u64) }
            },
        );
        assert!(copied.is_none_or(|copied| copied == 8), "{copied:?}");
        assert_eq!(copy(&world, new), Some(8));
    });
}

#[test]
fn e13_who_met_the_owners_intent_finds_nothing_to_copy() {
    explore(|order| {
        let (world, owner) = world();
        let handle = insert(&owner, 7);
        let (mine, theirs) = order.race(
            move || remove_own(&owner, handle),
            move || {
                let removed = remove(&world, world.record(), handle, Want::Type);
                // Removed by this thread, or taken as removed by it.
                assert_eq!(copy(&world, handle), None);
                removed
            },
        );
        assert!(mine != theirs);
    });
}
