//! Those who walk over everything, and those who explain, against creation and removal.

use super::*;

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
                world.set.clear(3, &|lend: &mut dyn FnMut(&'static Record)| lend(me));
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
    explore_long(|order| {
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
                world.set.clear(3, &|lend: &mut dyn FnMut(&'static Record)| lend(me));
            },
        );
        owner.remove(new);
        assert_eq!(drops.count(), 2);
    });
}

/// What is told of a handle's lines is of that handle.
pub(super) fn sites_are_its_own(world: World, handle: u64, (created, removed): (u32, u32)) {
    // SAFETY(I2): the page is installed.
    let history = unsafe { world.space.page(handle).history(Link::of(handle)) };
    let (state, sites) = history.with_state(world.slot(handle));
    if state.generation() == bits::generation(handle) {
        assert!([0, created].contains(&sites.created()), "{sites:?}");
        assert!([0, removed].contains(&sites.removed()), "{sites:?}");
    }
}

#[test]
fn e11_a_handle_that_nothing_orders_has_its_own_lines() {
    explore(|order| {
        let world = World::new(1);
        let owner = world.owner();
        let drops = Drops::default();
        let old = owner.insert(drops.probe());
        assert_eq!(owner.remove(old), Some(true));
        let popped = owner.pop();
        // SAFETY(I2): popped slots are in installed pages.
        let told = unsafe { popped.page.handle(popped.link, popped.generation) };
        let probe = drops.probe();
        order.race(
            move || sites_are_its_own(world, told, (7, 9)),
            move || {
                // SAFETY(I3): just popped, in a set of probes.
                let new = unsafe { create::fill(popped, probe, 7) }.get();
                let removed = remove::close::<Typed<Probe>>(world.space, owner.record, new, Want::Type, 9);
                drop(removed.unwrap().end(|alone| alone.drop_value(Some(owner.record))));
            },
        );
    });
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
            move || sites_are_its_own(world, old, (1, 2)),
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
            move || sites_are_its_own(world, old, (1, 2)),
            move || {
                // SAFETY(I8): just popped, in this set.
                drop(unsafe { create::Reservation::new(owner.pop(), world.set, Some(owner.record), 7) });
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
        // SAFETY(I2): popped slots are in installed pages.
        let disclosed = unsafe { popped.page.handle(popped.link, popped.generation) };
        let probe = drops.probe();
        let (removed, handle) = order.race(
            move || world.remove(world.record(), disclosed),
            move || {
                // SAFETY(I8): just popped, in this set.
                let reserved = unsafe { create::Reservation::new(popped, world.set, Some(owner.record), 1) };
                // SAFETY(I3): a set of probes.
                unsafe { reserved.fill(probe) }
            },
        );
        assert_eq!(handle, disclosed);
        // SAFETY(I2): the set is in use.
        let sites = unsafe { popped.page.history(popped.link) }.with_state(world.slot(handle)).1;
        assert_eq!((sites.created(), sites.removed()), (1, if removed.is_some() { 2 } else { 0 }));
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
        let reader = thread::spawn(move || sites_are_its_own(world, old, (1, 2)));
        // SAFETY(I3): just popped, in a set of probes.
        let new = unsafe { create::fill(owner.pop(), drops.probe(), 7) }.get();
        let remover = thread::spawn(move || world.remove(world.record(), new));
        reader.join().unwrap();
        assert_eq!(remover.join().unwrap(), Some(true));
    });
}
