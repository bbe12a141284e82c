//! Those who walk over everything, and those who explain, against creation and removal.

use super::*;
use crate::raw::bits;
use crate::raw::link::Link;

#[test]
fn e2_clearing_against_a_shard_that_grows() {
    explore(|order| {
        let world = World::new(2);
        let drops = Drops::default();
        let probes = [drops.probe(), drops.probe()];
        let (handles, ()) = order.race(
            move || {
                let owner = world.owner();
                probes.map(|probe| owner.insert(probe))
            },
            move || {
                let me = world.record();
                world.set().clear(3, &|lend: &mut dyn FnMut(&'static Record)| lend(me));
            },
        );
        let me = world.record();
        let left = handles.iter().filter(|handle| world.remove(me, **handle).is_some()).count();
        assert!(left <= 2);
        assert_eq!(drops.count(), 2, "each is dropped once, by one or the other");
    });
}

#[test]
fn s4_clearing_against_a_removal_and_reuse() {
    explore(|order| {
        let world = World::new(1);
        let owner = world.owner();
        let drops = Drops::default();
        let old = owner.insert(drops.probe());
        let probe = drops.probe();
        let (new, ()) = order.race(
            move || {
                owner.remove(old);
                owner.insert(probe)
            },
            move || {
                let me = world.record();
                world.set().clear(3, &|lend: &mut dyn FnMut(&'static Record)| lend(me));
            },
        );
        owner.remove(new);
        assert_eq!(drops.count(), 2);
    });
}

/// As `explain` does: the sites, then the state. While that is still the one of this handle, so are the sites.
fn sites_are_its_own(world: World, handle: u64) {
    let page = world.space.page(handle).expect("the page is the set's");
    // SAFETY(I2): the set is in use.
    let sites = unsafe { page.history(Link::of(handle)) }.sites();
    if world.slot(handle).state().generation() == bits::generation(handle) {
        assert_eq!((sites.created, sites.removed), (1, 2));
    }
}

#[test]
fn e11_sites_of_the_next_handles_removal_are_not_taken_for_the_one_befores() {
    explore(|order| {
        let world = World::new(1);
        let owner = world.owner();
        let drops = Drops::default();
        let old = owner.insert(drops.probe());
        assert_eq!(owner.remove(old), Some(true));
        let probe = drops.probe();
        order.race(
            move || sites_are_its_own(world, old),
            move || {
                // SAFETY(I3): just popped, in a set of probes.
                let new = unsafe { create::fill(owner.pop(), probe, 7) }.get();
                assert!(world.remove(owner.record, new).is_some());
            },
        );
    });
}

#[test]
fn e11_sites_of_a_reservation_that_is_given_up_are_not_taken_for_the_one_befores() {
    explore(|order| {
        let world = World::new(1);
        let owner = world.owner();
        let drops = Drops::default();
        let old = owner.insert(drops.probe());
        assert_eq!(owner.remove(old), Some(true));
        order.race(
            move || sites_are_its_own(world, old),
            move || {
                // SAFETY(I8): just popped, in this set.
                drop(unsafe { create::Reservation::new(owner.pop(), world.set(), Some(owner.record), 7) });
            },
        );
    });
}

#[test]
fn e11_s13_a_disclosed_handle_that_is_removed_as_soon_as_it_is_live_has_both_lines() {
    explore(|order| {
        let world = World::new(1);
        let owner = world.owner();
        let drops = Drops::default();
        let popped = owner.pop();
        // SAFETY(I2): the set is in use.
        let disclosed = unsafe { popped.page.header() }.handle(popped.link, popped.generation);
        let probe = drops.probe();
        let (removed, handle) = order.race(
            move || world.remove(world.record(), disclosed),
            move || {
                // SAFETY(I8): just popped, in this set.
                let reserved =
                    unsafe { create::Reservation::new(popped, world.set(), Some(owner.record), 1) };
                // SAFETY(I3): a set of probes.
                unsafe { reserved.fill(probe) }
            },
        );
        assert_eq!(handle, disclosed);
        // SAFETY(I2): the set is in use.
        let sites = unsafe { popped.page.history(popped.link) }.sites();
        assert_eq!((sites.created, sites.removed), (1, if removed.is_some() { 2 } else { 0 }));
    });
}

#[test]
fn e9_s13_a_place_that_is_found_empty_tells_what_it_issued() {
    explore(|order| {
        let (world, owner, drops, handle) = one_live();
        order.race(
            move || {
                let me = world.record();
                let _stay = raw_lookup::Stay::begin(me, handle);
                if world.space.page(handle).is_none() {
                    assert!(world.space.was_issued_before(handle));
                    assert!(!world.space.was_issued_before(handle + (1 << 33)));
                }
            },
            move || world.retire(owner.record),
        );
        assert_eq!(drops.count(), 1);
    });
}

#[test]
fn i2_i8_a_holder_on_another_thread_returns_its_slot_while_the_registry_goes() {
    explore(|order| {
        let (world, owner, drops, handle) = one_live();
        let reader = world.record();
        let hold = Carried(world.get(reader, handle).unwrap());
        order.race(
            move || {
                let Carried(mut hold) = { hold };
                // A guard, a shared one, and its end, whatever has become of the page's registry.
                assert!(hold.token.count(world.space, Some(reader)));
                world.release(None, &hold);
            },
            move || world.retire(owner.record),
        );
        assert_eq!(drops.count(), 1);
        world.another().retire(reader);
        assert!(world.space.leftovers.lock().is_none());
    });
}

#[test]
fn e11_sites_of_a_foreign_removal_are_not_taken_for_those_of_the_one_before() {
    explore_three(|_| {
        let world = World::new(1);
        let owner = world.owner();
        let drops = Drops::default();
        let old = owner.insert(drops.probe());
        assert_eq!(owner.remove(old), Some(true));
        let reader = thread::spawn(move || sites_are_its_own(world, old));
        // SAFETY(I3): just popped, in a set of probes.
        let new = unsafe { create::fill(owner.pop(), drops.probe(), 7) }.get();
        let remover = thread::spawn(move || world.remove(world.record(), new));
        reader.join().unwrap();
        assert_eq!(remover.join().unwrap(), Some(true));
    });
}

#[test]
fn e2_what_a_place_remembers_is_whole_also_for_who_never_saw_its_page() {
    explore(|order| {
        let world = World::new(1);
        let drops = Drops::default();
        let probe = drops.probe();
        let handle = world.first_handle(0, 0);
        order.race(
            move || {
                // As `explain` does where it finds the place empty: perhaps because it sees it as it was before the page came.
                if world.space.page(handle).is_none() {
                    world.space.was_issued_before(handle);
                }
            },
            move || {
                let owner = world.owner();
                assert_eq!(owner.insert(probe), handle);
                world.retire(owner.record);
            },
        );
        assert_eq!(drops.count(), 1);
        assert!(world.space.was_issued_before(handle));
    });
}
