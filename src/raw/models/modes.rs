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
        assert_eq!(world.live(), 0);
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
        // From here on a plain publication is nothing but a store. A remover that asks for the barrier gets
        // none and drops nothing.
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
        assert_eq!(world.live(), 0);
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
        assert_eq!(world.live(), 0);
    });
}

#[test]
fn e12_a_revocation_that_ends_late_leaves_the_next_one_alone() {
    explore_bounded(2, &[Asymmetric::Works], |order| {
        let world = World::new(3);
        let owner = world.owner();
        let drops = Drops::default();
        let handles = [0; 3].map(|_| owner.insert(drops.probe()));
        // Somebody's removal of the first handle has passed its barrier, and has yet to say so; a second
        // thread does it on its behalf here, so the record may be plain again when it says so itself.
        assert!(owner.record.revoke(handles[0]));
        let late = thread::spawn(move || {
            owner.record.revoked(handles[0]);
            world.remove(world.record(), handles[1]).unwrap()
        });
        order.race(
            move || {
                // Becomes plain again, if it was shared.
                world.visit(owner.record, handles[2]);
                world.visit(owner.record, handles[2]);
            },
            move || {
                owner.record.revoked(handles[0]);
                world.remove(world.record(), handles[2]).unwrap()
            },
        );
        late.join().unwrap();
        assert_eq!(drops.count(), 2);
    });
}

#[test]
fn e12_a_remover_that_meets_anothers_revocation_makes_a_barrier_of_its_own() {
    explore_plain(|order| {
        let world = World::new(2);
        let owner = world.owner();
        let (drops, others) = (Drops::default(), Drops::default());
        let (first, second) = (owner.insert(others.probe()), owner.insert(drops.probe()));
        // Another remover has ended the mode and is on its way to its barrier.
        assert!(owner.record.revoke(first));
        let (_, removed) = order.race(
            move || world.visit(owner.record, second),
            move || {
                let me = world.record();
                // `true`: the caller needs a barrier.
                assert!(owner.record.revoke(second));
                world.remove(me, second)
            },
        );
        assert!(removed.is_some());
        // Only the first remover ends its revocation.
        assert!(owner.record.revoke(second) && !owner.record.is_plain());
        owner.record.revoked(first);
        assert!(!owner.record.revoke(second) && !owner.record.is_plain());
        assert_eq!(drops.count(), 1);
    });
}

#[test]
fn e4_two_debts_that_pass_through_one_cell_of_a_shared_record() {
    explore_three(|order| {
        let world = World::new(3);
        let owner = world.owner();
        let (drops, others) = (Drops::default(), Drops::default());
        let handles = [&others, &drops, &Drops::default()].map(|drops| owner.insert(drops.probe()));
        // The record is shared already, so that both removers are short.
        assert_eq!(world.remove(world.record(), handles[2]), Some(true));
        let first = Carried(world.get(owner.record, handles[0]).unwrap());
        let (one, two) = (world.record(), world.record());
        let third = thread::spawn(move || world.remove(one, handles[0]).unwrap());
        let (found, removed) = order.race(
            move || {
                let first = first;
                world.release(Some(owner.record), &first.0);
                world.visit(owner.record, handles[1])
            },
            move || world.remove(two, handles[1]).unwrap(),
        );
        third.join().unwrap();
        assert!(found || removed, "a debt of another handle made the removal leave the value");
        assert_eq!((drops.count(), others.count()), (1, 1));
        assert_eq!(world.live(), 0);
    });
}

#[test]
fn e4_e12_a_record_does_not_become_plain_while_a_guard_is_in_it() {
    explore_plain(|order| {
        let world = World::new(3);
        let owner = world.owner();
        let drops = Drops::default();
        let handles = [0; 3].map(|_| owner.insert(drops.probe()));
        let other = world.record();
        assert_eq!(world.remove(other, handles[0]), Some(true));
        let kept = Carried(world.get(owner.record, handles[1]).unwrap());
        // The next one lets go of the mode as well, if it may.
        assert!(world.visit(owner.record, handles[2]) && !owner.record.is_plain());
        let (_, removed) = order.race(
            move || {
                let kept = kept;
                assert!(world.visit(owner.record, handles[2]));
                world.release(Some(owner.record), &kept.0);
            },
            move || world.remove(other, handles[1]),
        );
        assert!(removed.is_some());
        assert_eq!((drops.count(), world.live()), (2, 1), "a debt was not found");
    });
}
