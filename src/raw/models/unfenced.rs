//! What an owner's plain stores and loads order by themselves.
//!
//! Elsewhere a model's thread passes a fence where in production only the compiler keeps the order, and
//! that fence orders more than production does. Here the system's barrier fails from the moment of the
//! race, so there is none; nobody needs it, since nobody revokes anything.

use super::*;

#[test]
fn e6_a_counted_hold_that_comes_back_is_before_the_owners_quick_removal() {
    explore_plain(|order| {
        let (world, owner, drops, handle) = one_live();
        let mut hold = world.get(owner.record, handle).unwrap();
        assert!(hold.token.count(world.space, Some(owner.record)));
        let hold = Carried(hold);
        ASYMMETRIC.set(Asymmetric::Fails);
        order.race(
            move || {
                let hold = hold;
                world.release(None, &hold.0);
            },
            move || owner.remove(handle).unwrap(),
        );
        assert_eq!(drops.count(), 1);
    });
}

#[test]
fn e11_sites_of_a_quick_removal_are_not_taken_for_those_of_the_handle_before() {
    explore_plain(|order| {
        let world = World::new(1);
        let owner = world.owner();
        let drops = Drops::default();
        let old = owner.insert(drops.probe());
        assert_eq!(owner.remove(old), Some(true));
        let probe = drops.probe();
        ASYMMETRIC.set(Asymmetric::Fails);
        order.race(
            move || walks::sites_are_its_own(world, old, (1, 2)),
            move || {
                // SAFETY(I3): just popped, in a set of probes.
                let new = unsafe { create::fill(owner.pop(), probe, 7) }.get();
                assert_eq!(owner.remove(new), Some(true));
            },
        );
        assert_eq!(drops.count(), 2);
    });
}
