//! Removals that wait until the value is dropped.

use super::*;

/// A removal that waits, as a thread does it. Whether it has won.
fn remove_and_wait(world: World, me: &'static Record, handle: u64) -> bool {
    let entered = world.space.waits().enter(handle);
    let won = world.remove_slowly(me, handle);
    if won == Some(false) {
        entered.until_dropped();
    }
    won.is_some()
}

#[test]
fn e18_when_it_returns_the_value_is_dropped_by_whoever_was_last() {
    explore(|order| {
        let (world, owner, drops, handle) = one_live();
        let remover = world.record();
        let told = drops.clone();
        order.race(
            move || {
                world.visit(owner.record, handle);
            },
            move || {
                assert!(remove_and_wait(world, remover, handle));
                assert_eq!(told.count(), 1, "it has not waited");
            },
        );
    });
}

#[test]
fn e18_a_guard_that_was_there_before_is_waited_for() {
    explore_long(|order| {
        let (world, owner, drops, handle) = one_live();
        let hold = Carried(world.get(owner.record, handle).unwrap());
        let remover = world.record();
        order.race(
            move || {
                let hold = hold;
                world.release(Some(owner.record), &hold.0);
            },
            move || {
                assert!(remove_and_wait(world, remover, handle));
                assert_eq!(drops.count(), 1, "it has not waited");
            },
        );
    });
}

#[test]
fn e18_counted_guards_of_two_threads_are_waited_for() {
    explore_crowd(|order| {
        let (world, owner, drops, handle) = one_live();
        let hold = |me: &'static Record| {
            let mut hold = world.get(me, handle).unwrap();
            assert!(hold.token.count(world.space, Some(me)));
            Carried(hold)
        };
        let (one, two) = (hold(owner.record), hold(owner.record));
        let remover = world.record();
        let third = thread::spawn(move || {
            let two = two;
            world.release(None, &two.0);
        });
        order.race(
            move || {
                let one = one;
                world.release(None, &one.0);
            },
            move || {
                assert!(remove_and_wait(world, remover, handle));
                assert_eq!(drops.count(), 1, "it has not waited");
            },
        );
        third.join().unwrap();
    });
}

#[test]
fn s4_e18_one_of_two_that_would_wait_wins_and_the_other_fails_at_once() {
    explore_long(|order| {
        let (world, _, drops, handle) = one_live();
        let (one, two) = (world.record(), world.record());
        let (first, second) = order
            .race(move || remove_and_wait(world, one, handle), move || remove_and_wait(world, two, handle));
        assert!(first != second && drops.count() == 1);
    });
}
