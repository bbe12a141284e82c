//! Plain and shared cells: revocation, and the way back.

use super::*;

#[test]
fn e12_a_plain_lookup_against_revocation() {
    explore_plain(|order| {
        let (world, owner, drops, handle) = one_live();
        assert!(owner.record.is_plain());
        order.race(
            move || world.visit(owner.record, handle),
            move || world.remove(world.record(), handle).unwrap(),
        );
        assert_eq!(drops.count(), 1);
    });
}

#[test]
fn e12_a_plain_release_against_revocation_loses_no_debt() {
    explore_plain(|order| {
        let (world, owner, drops, handle) = one_live();
        let hold = Carried(world.get(owner.record, handle).unwrap());
        order.race(
            move || {
                let hold = hold;
                world.release(Some(owner.record), &hold.0);
            },
            move || world.remove(world.record(), handle).unwrap(),
        );
        assert_eq!(drops.count(), 1);
        assert_eq!(world.set().totals().live(), 0);
    });
}

#[test]
fn e12_a_record_that_becomes_plain_again_against_removal() {
    explore_plain(|order| {
        let world = World::new(2);
        let owner = world.owner();
        let (drops, others) = (Drops::default(), Drops::default());
        let (first, second) = (owner.insert(others.probe()), owner.insert(drops.probe()));
        let other = world.record();
        assert_eq!(world.remove(other, first), Some(true));
        assert!(!owner.record.is_plain());
        order.race(
            move || {
                // The patience of a model is short: the second lookup is plain again.
                world.visit(owner.record, second);
                world.visit(owner.record, second);
                world.visit(owner.record, second);
            },
            move || assert!(world.remove(other, second).is_some()),
        );
        assert_eq!((drops.count(), others.count()), (1, 1));
    });
}

#[test]
fn e12_a_record_that_becomes_plain_again_needs_no_barrier_in_later_lookups() {
    explore_plain(|order| {
        let world = World::new(2);
        let owner = world.owner();
        let (drops, others) = (Drops::default(), Drops::default());
        let (first, second) = (owner.insert(others.probe()), owner.insert(drops.probe()));
        let other = world.record();
        assert_eq!(world.remove(other, first), Some(true));
        assert!(!owner.record.is_plain());
        // From here on a plain publication is nothing but a store. A remover that asks for the barrier gets none and drops nothing.
        ASYMMETRIC.set(Asymmetric::Fails);
        order.race(
            move || {
                world.visit(owner.record, second);
                world.visit(owner.record, second);
                world.visit(owner.record, second);
            },
            move || assert!(world.remove(other, second).is_some()),
        );
        assert!(drops.count() <= 1);
    });
}

#[test]
fn e12_two_removers_revoke_the_same_record() {
    explore_three(|order| {
        let world = World::new(2);
        let owner = world.owner();
        let (drops, others) = (Drops::default(), Drops::default());
        let handles = [owner.insert(others.probe()), owner.insert(drops.probe())];
        let third = thread::spawn(move || world.remove(world.record(), handles[0]).unwrap());
        order.race(
            move || world.visit(owner.record, handles[1]),
            move || world.remove(world.record(), handles[1]).unwrap(),
        );
        third.join().unwrap();
        assert_eq!((drops.count(), others.count()), (1, 1));
    });
}

#[test]
fn e4_a_debt_that_outlives_its_reader_is_settled_once() {
    explore_three(|order| {
        let world = World::new(2);
        let owner = world.owner();
        let (drops, others) = (Drops::default(), Drops::default());
        let handles = [owner.insert(others.probe()), owner.insert(drops.probe())];
        let first = Carried(world.get(owner.record, handles[0]).unwrap());
        // One cell is used for two handles in turn, while each is removed by somebody else.
        let third = thread::spawn(move || world.remove(world.record(), handles[0]).unwrap());
        order.race(
            move || {
                let first = first;
                world.release(Some(owner.record), &first.0);
                world.visit(owner.record, handles[1]);
            },
            move || world.remove(world.record(), handles[1]).unwrap(),
        );
        third.join().unwrap();
        assert_eq!((drops.count(), others.count()), (1, 1));
        assert_eq!(world.set().totals().live(), 0);
    });
}

#[test]
fn e8_a_guard_that_its_thread_left_behind_against_the_next_claim() {
    explore(|order| {
        let world = World::new(2);
        let owner = world.owner();
        let drops = Drops::default();
        let handle = owner.insert(drops.probe());
        let left = Carried(world.get(owner.record, handle).unwrap());
        // The thread is ending: its record is claimed by the next one before its guard is dropped.
        raw_lookup::disclaim(world.space, owner.record);
        order.race(
            move || {
                let left = left;
                world.release(None, &left.0);
            },
            move || {
                assert!(owner.record.claim());
                owner.remove(handle).unwrap()
            },
        );
        assert_eq!(drops.count(), 1);
    });
}

#[test]
fn e4_e12_a_lookup_that_fails_in_a_record_that_is_plain_again_finds_its_debt() {
    explore_plain(|order| {
        let world = World::new(2);
        let owner = world.owner();
        let (drops, others) = (Drops::default(), Drops::default());
        let (first, second) = (owner.insert(others.probe()), owner.insert(drops.probe()));
        let other = world.record();
        assert_eq!(world.remove(other, first), Some(true));
        // The next one lets go of the mode as well.
        assert!(world.visit(owner.record, second) && !owner.record.is_plain());
        let (_, removed) = order.race(
            move || {
                world.visit(owner.record, second);
                // In a plain record; the remover may have seen it shared.
                world.visit(owner.record, second);
            },
            move || world.remove(other, second),
        );
        assert!(removed.is_some());
        assert_eq!(drops.count(), 1, "a debt was not found, or a hold given back twice");
        assert_eq!(world.set().totals().live(), 0);
    });
}
