//! Removers against each other and against holders.

use super::*;
use crate::sync::{AtomicU64, Ordering};

#[test]
fn s4_of_two_removers_one_wins() {
    explore(|order| {
        let (world, owner, drops, handle) = one_live();
        let (mine, theirs) =
            order.race(move || owner.remove(handle), move || world.remove(world.record(), handle));
        assert!(mine.is_some() != theirs.is_some(), "{mine:?} {theirs:?}");
        assert_eq!(drops.count(), 1);
    });
}

#[test]
fn s4_s5_two_foreign_removers_while_the_owner_holds() {
    explore_three(|order| {
        let (world, owner, drops, handle) = one_live();
        let hold = world.get(owner.record, handle).unwrap();
        let third = thread::spawn(move || world.remove(world.record(), handle));
        let hold = Carried(hold);
        let ((), second) = order.race(
            move || {
                let hold = hold;
                world.release(Some(owner.record), &hold.0);
            },
            move || world.remove(world.record(), handle),
        );
        assert!(second.is_some() != third.join().unwrap().is_some());
        assert_eq!(drops.count(), 1);
    });
}

#[test]
fn s6_e4_e6_the_last_holder_against_the_remover() {
    explore(|order| {
        let (world, owner, drops, handle) = one_live();
        let reader = world.record();
        let hold = Carried(world.get(reader, handle).unwrap());
        order.race(
            move || {
                let hold = hold;
                world.release(Some(reader), &hold.0);
            },
            move || owner.remove(handle).unwrap(),
        );
        assert_eq!(drops.count(), 1);
    });
}

#[test]
fn s6_a_value_in_use_is_dropped_by_the_last_of_two_holders() {
    explore(|order| {
        let (world, owner, drops, handle) = one_live();
        let (one, two) = (world.record(), world.record());
        let first = Carried(world.get(one, handle).unwrap());
        let second = Carried(world.get(two, handle).unwrap());
        assert_eq!(owner.remove(handle), Some(false));
        assert_eq!(drops.count(), 0);
        order.race(
            move || {
                let first = first;
                world.release(Some(one), &first.0);
            },
            move || {
                let second = second;
                world.release(Some(two), &second.0);
            },
        );
        assert_eq!(drops.count(), 1);
    });
}

#[test]
fn s7_take_against_a_lookup() {
    explore(|order| {
        let (world, owner, drops, handle) = one_live();
        let (_, taken) =
            order.race(move || world.visit(world.record(), handle), move || owner.take(handle).unwrap());
        assert_eq!(drops.count(), usize::from(taken.is_none()));
    });
}

#[test]
fn e5_turning_a_guard_into_a_shared_one_against_removal() {
    explore(|order| {
        let (world, owner, drops, handle) = one_live();
        let reader = world.record();
        let hold = Carried(world.get(reader, handle).unwrap());
        let seen = drops.clone();
        order.race(
            move || {
                let Carried(mut hold) = { hold };
                assert!(hold.token.count(world.space, Some(reader)));
                // The shared guard keeps the value, whatever the remover saw.
                assert_eq!(seen.count(), 0);
                let copy = hold.duplicate(world.space).unwrap();
                world.release(Some(reader), &hold);
                assert_eq!(seen.count(), 0);
                world.release(Some(reader), &copy);
            },
            move || owner.remove(handle).unwrap(),
        );
        assert_eq!(drops.count(), 1);
    });
}

#[test]
fn e6_a_shared_guard_on_another_thread_against_removal() {
    explore(|order| {
        let (world, owner, drops, handle) = one_live();
        let mut hold = world.get(owner.record, handle).unwrap();
        assert!(hold.token.count(world.space, Some(owner.record)));
        let hold = Carried(hold);
        let seen = drops.clone();
        order.race(
            move || {
                let hold = hold;
                world.release(None, &hold.0);
            },
            move || {
                let dropped = owner.remove(handle).unwrap();
                assert!(!dropped || seen.count() == 1);
            },
        );
        assert_eq!(drops.count(), 1);
    });
}

#[test]
fn s4_the_owners_quick_removal_against_a_foreign_one() {
    explore(|order| {
        let (world, owner, drops, handle) = one_live();
        let (mine, theirs) = order.race(
            move || owner.remove(handle),
            move || {
                let me = world.record();
                let removed = world.remove(me, handle);
                // Who has lost sees the handle removed from then on.
                assert!(!world.visit(me, handle));
                removed
            },
        );
        assert!(mine.is_some() != theirs.is_some(), "{mine:?} {theirs:?}");
        assert_eq!((drops.count(), world.live()), (1, 0));
    });
}

#[test]
fn s5_the_owners_quick_removal_against_two_foreign_lookups() {
    explore(|order| {
        let (world, owner, drops, handle) = one_live();
        let seen = drops.clone();
        order.race(
            move || {
                let me = world.record();
                let (first, second) = (world.visit(me, handle), world.visit(me, handle));
                assert!(first || !second, "a handle that was removed is live again");
            },
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
fn s4_s5_the_owner_removes_while_one_looks_up_and_one_removes() {
    explore_three(|order| {
        let (world, owner, drops, handle) = one_live();
        let third = thread::spawn(move || world.remove(world.record(), handle));
        let (mine, _) = order.race(move || owner.remove(handle), move || world.visit(world.record(), handle));
        let theirs = third.join().unwrap();
        assert!(mine.is_some() != theirs.is_some(), "{mine:?} {theirs:?}");
        assert_eq!(drops.count(), 1);
    });
}

#[test]
fn s5_a_thread_that_holds_another_handle_removes_quickly() {
    explore(|order| {
        let world = World::new(2);
        let owner = world.owner();
        let (drops, others) = (Drops::default(), Drops::default());
        let (gone, stays) = (owner.insert(drops.probe()), owner.insert(others.probe()));
        let _kept = Carried(world.get(owner.record, stays).unwrap());
        let seen = drops.clone();
        let (removed, found) = order.race(
            move || {
                let removed = owner.remove(gone).unwrap();
                assert!(!removed || seen.count() == 1);
                removed
            },
            move || world.visit(world.record(), gone),
        );
        assert!(removed || found, "deferred, and nobody held it");
        assert_eq!((drops.count(), others.count()), (1, 0));
    });
}

#[test]
fn s5_a_thread_that_removes_what_it_holds_keeps_it_against_a_foreign_lookup() {
    explore(|order| {
        let (world, owner, drops, handle) = one_live();
        let mine = Carried(world.get(owner.record, handle).unwrap());
        order.race(
            move || {
                let mine = mine;
                assert_eq!(owner.remove(handle), Some(false));
                world.release(Some(owner.record), &mine.0);
            },
            move || world.visit(world.record(), handle),
        );
        assert_eq!((drops.count(), world.live()), (1, 0));
    });
}

#[test]
fn i3_a_value_without_a_drop_is_removed_and_freed_at_once_against_a_foreign_lookup() {
    explore_long(|order| {
        let (world, owner) = plain::world();
        let old = plain::insert(&owner, 7);
        let (_, new) = order.race(
            move || plain::visit(&world, world.record(), old, 7),
            move || {
                assert!(plain::remove(&world, owner.record, old));
                plain::insert(&owner, 8)
            },
        );
        assert_ne!(new, old);
        assert!(plain::visit(&world, owner.record, new, 8));
    });
}

#[test]
fn s4_a_value_without_a_drop_is_removed_by_one_and_its_slot_used_again() {
    explore_long(|order| {
        let (world, owner) = plain::world();
        let old = plain::insert(&owner, 7);
        let ((mine, new), theirs) = order.race(
            move || (plain::remove(&world, owner.record, old), plain::insert(&owner, 8)),
            move || plain::remove(&world, world.record(), old),
        );
        assert!(mine != theirs);
        assert_ne!(bits::generation(new), bits::generation(old));
        assert!(plain::visit(&world, owner.record, new, 8));
    });
}

#[test]
fn s3_a_lookup_after_a_removal_that_returned_finds_nothing() {
    explore(|order| {
        let (world, owner, drops, handle) = one_live();
        let gone: &'static AtomicU64 = Box::leak(Box::new(AtomicU64::new(0)));
        order.race(
            move || {
                // Acquire: the removal comes before.
                let gone = gone.load(Ordering::Acquire) == 1;
                assert!(!world.visit(owner.record, handle) || !gone);
            },
            move || {
                world.remove(world.record(), handle).unwrap();
                // Release: what the other side's load acquires.
                gone.store(1, Ordering::Release);
            },
        );
        assert_eq!(drops.count(), 1);
    });
}
