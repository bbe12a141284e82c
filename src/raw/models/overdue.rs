//! Removals whose barrier fails (S20): the threads concerned answer, and then the value is dropped.

use super::*;

#[test]
fn s20_e17_a_value_is_dropped_when_the_thread_that_was_summoned_lets_go() {
    explore_plain(|order| {
        let world = World::new(2);
        let owner = world.owner();
        let drops = Drops::default();
        let (handle, other) = (owner.insert(drops.probe()), owner.insert(Drops::default().probe()));
        let hold = Carried(world.get(owner.record, handle).unwrap());
        let remover = world.record();
        ASYMMETRIC.set(Asymmetric::Fails);
        order.race(
            move || {
                let hold = hold;
                world.release(Some(owner.record), &hold.0);
                world.visit(owner.record, other);
            },
            move || world.remove(remover, handle).unwrap(),
        );
        // At the latest now, when it has heard of everything.
        assert!(world.visit(owner.record, other));
        assert_eq!(drops.count(), 1);
    });
}

#[test]
fn s20_e17_a_lookup_that_overlaps_keeps_the_value_until_its_guard_goes() {
    explore_plain(|order| {
        let world = World::new(2);
        let owner = world.owner();
        let drops = Drops::default();
        let (handle, other) = (owner.insert(drops.probe()), owner.insert(Drops::default().probe()));
        let remover = world.record();
        ASYMMETRIC.set(Asymmetric::Fails);
        order.race(
            move || {
                let hold = world.get(owner.record, handle);
                world.visit(owner.record, other);
                hold.inspect(|hold| world.release(Some(owner.record), hold));
            },
            move || world.remove(remover, handle).unwrap(),
        );
        assert!(world.visit(owner.record, other));
        assert_eq!(drops.count(), 1);
    });
}

#[test]
fn s20_e17_a_value_is_dropped_when_the_thread_that_was_summoned_ends() {
    explore_plain(|order| {
        let (world, owner, drops, handle) = one_live();
        let remover = world.record();
        ASYMMETRIC.set(Asymmetric::Fails);
        order.race(
            move || {
                world.visit(owner.record, handle);
                raw_lookup::disclaim(world.space, owner.record);
            },
            move || world.remove(remover, handle).unwrap(),
        );
        assert_eq!((drops.count(), world.live()), (1, 0));
    });
}

#[test]
fn s20_e17_two_values_wait_for_one_thread() {
    explore_bounded(2, &[Asymmetric::Works], |order| {
        let world = World::new(3);
        let owner = world.owner();
        let drops = Drops::default();
        let handles = [0; 3].map(|_| owner.insert(drops.probe()));
        let hold = Carried(world.get(owner.record, handles[0]).unwrap());
        let removers = [world.record(), world.record()];
        ASYMMETRIC.set(Asymmetric::Fails);
        let third = thread::spawn(move || world.remove(removers[0], handles[1]).unwrap());
        order.race(
            move || {
                let hold = hold;
                world.release(Some(owner.record), &hold.0);
                world.visit(owner.record, handles[2]);
            },
            move || world.remove(removers[1], handles[0]).unwrap(),
        );
        third.join().unwrap();
        assert!(world.visit(owner.record, handles[2]));
        assert_eq!((drops.count(), world.live()), (2, 1));
    });
}
