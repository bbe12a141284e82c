//! Removers against each other and against holders.

use super::*;

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
        let (_, taken) = order.race(
            move || world.visit(world.record(), handle),
            move || {
                match world.close(owner.record, handle).unwrap() {
                    // SAFETY(I3): the page holds probes.
                    Closed::Alone(alone) => Some(unsafe { alone.take_value::<Probe>(Some(owner.record)) }),
                    Closed::Held => None,
                }
            },
        );
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
