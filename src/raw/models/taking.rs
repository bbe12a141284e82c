//! `take` against everything: the value comes out whole to one, or is dropped by the last holder.

use super::*;

#[test]
fn i3_take_against_take() {
    explore(|order| {
        let (world, owner, drops, handle) = one_live();
        let (mine, theirs) =
            order.race(move || owner.take(handle), move || world.take(world.record(), handle));
        assert!(mine.is_some() != theirs.is_some(), "one winner");
        assert_eq!(drops.count(), 0);
        drop((mine, theirs));
        assert_eq!(drops.count(), 1);
    });
}

#[test]
fn s4_s7_take_against_remove() {
    explore(|order| {
        let (world, owner, drops, handle) = one_live();
        let (taken, removed) =
            order.race(move || world.take(world.record(), handle).map(drop), move || owner.remove(handle));
        assert!(taken.is_some() != removed.is_some(), "one winner");
        assert_eq!(drops.count(), 1);
    });
}

#[test]
fn s7_a_foreign_take_against_the_owners_lookup() {
    explore(|order| {
        let (world, owner, drops, handle) = one_live();
        let seen = drops.clone();
        order.race(
            move || world.visit(owner.record, handle),
            move || {
                if let Some(value) = world.take(world.record(), handle).unwrap() {
                    assert_eq!(seen.count(), 0);
                    drop(value);
                }
            },
        );
        assert_eq!(drops.count(), 1);
    });
}

#[test]
fn s7_take_against_a_guard_that_becomes_a_shared_one() {
    explore(|order| {
        let (world, owner, drops, handle) = one_live();
        let reader = world.record();
        let hold = Carried(world.get(reader, handle).unwrap());
        order.race(
            move || {
                let Carried(mut hold) = { hold };
                assert!(hold.token.count(world.space, Some(reader)));
                world.release(Some(reader), &hold);
            },
            move || drop(owner.take(handle).unwrap()),
        );
        assert_eq!(drops.count(), 1);
        assert_eq!(world.live(), 0);
    });
}

#[test]
fn s7_take_by_a_holder_against_another_holder() {
    explore(|order| {
        let (world, owner, drops, handle) = one_live();
        let other = world.record();
        let mine = Carried(world.get(owner.record, handle).unwrap());
        let theirs = Carried(world.get(other, handle).unwrap());
        order.race(
            move || {
                let mine = mine;
                // It does not wait for itself.
                assert!(owner.take(handle).unwrap().is_none());
                world.release(Some(owner.record), &mine.0);
            },
            move || {
                let theirs = theirs;
                world.release(Some(other), &theirs.0);
            },
        );
        assert_eq!(drops.count(), 1);
    });
}

#[test]
fn s7_take_against_the_registrys_clear() {
    explore(|order| {
        let (world, owner, drops, handle) = one_live();
        let (taken, ()) = order.race(
            move || world.take(world.record(), handle),
            move || world.set.clear(3, &|lend: &mut dyn FnMut(&'static Record)| lend(owner.record)),
        );
        assert_eq!(drops.count(), usize::from(taken.is_none()));
        drop(taken);
        assert_eq!(drops.count(), 1);
    });
}
