//! What an owner's plain stores and loads order by themselves.
//!
//! Elsewhere a model's owner passes a fence where in production only the compiler keeps the order, and that fence orders more than production does. Here the
//! system's barrier fails from the moment of the race, so there is none; nobody needs it, since nobody revokes anything.

use super::*;
use crate::raw::bits;
use crate::raw::link::Link;

#[test]
fn e6_a_counted_hold_that_comes_back_is_before_the_owners_plain_removal() {
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
            move || owner.remove_own(handle).unwrap(),
        );
        assert_eq!(drops.count(), 1);
    });
}

#[test]
fn e11_sites_of_a_plain_removal_are_not_taken_for_those_of_the_handle_before() {
    explore_plain(|order| {
        let world = World::new(1);
        let owner = world.owner();
        let drops = Drops::default();
        let old = owner.insert(drops.probe());
        assert_eq!(owner.remove_own(old), Some(true));
        let probe = drops.probe();
        ASYMMETRIC.set(Asymmetric::Fails);
        order.race(
            move || {
                let page = world.space.page(old).expect("the page is the set's");
                // SAFETY(I2): the set is in use.
                let sites = unsafe { page.history(Link::of(old)) }.sites();
                if world.slot(old).state().generation() == bits::generation(old) {
                    assert_eq!((sites.created, sites.removed), (1, 2));
                }
            },
            move || {
                // SAFETY(I3): just popped, in a set of probes.
                let new = unsafe { create::fill(owner.pop(), probe, 7) }.get();
                assert_eq!(owner.remove_own(new), Some(true));
            },
        );
        assert_eq!(drops.count(), 2);
    });
}
