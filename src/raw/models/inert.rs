//! Lookups that fail (S16): they delay no drop, make no removal `Deferred`, and run no user code.

use super::*;
use std::sync::atomic::AtomicBool;

/// A lookup that must fail, beside a removal and a `take` of the handle: neither notices it.
fn fails_beside_a_removal(look: impl Fn(World, &'static Record, u64) -> bool + Send + Sync + Copy + 'static) {
    explore(move |order| {
        let (world, owner, drops, handle) = one_live();
        let reader = world.record();
        let seen = drops.clone();
        let (found, removed) = order.race(
            move || {
                let found = look(world, reader, handle);
                assert!(!seen.by_this_thread(), "a lookup that fails ran user code");
                found
            },
            move || owner.remove(handle),
        );
        assert!(!found);
        assert_eq!((removed, drops.count()), (Some(true), 1), "a lookup that fails delayed a drop");
    });
    explore(move |order| {
        let (world, _, drops, handle) = one_live();
        let reader = world.record();
        let (found, taken) = order
            .race(move || look(world, reader, handle), move || world.take(world.record(), handle).unwrap());
        assert!(!found);
        assert!(taken.is_some(), "a lookup that fails made `take` give nothing");
        drop(taken);
        assert_eq!(drops.count(), 1);
    });
}

#[test]
fn s16_a_lookup_of_a_handle_that_was_never_issued_delays_nothing() {
    // The next generation of the slot, a slot that the page has not, a place without a page, and what is
    // no handle at all.
    fails_beside_a_removal(|world, me, handle| {
        [handle + (1 << 33), handle + 2, handle + (1 << 13), handle ^ 1, handle | 1 << 63, 0]
            .map(|guess| world.visit(me, guess))
            .contains(&true)
    });
}

#[test]
fn s16_a_lookup_of_another_type_delays_nothing() {
    fails_beside_a_removal(|world, me, handle| {
        raw_lookup::get::<u64>(world.space, me, handle, Want::Type).is_some()
    });
}

#[test]
fn s16_a_lookup_in_another_registry_delays_nothing() {
    fails_beside_a_removal(|world, me, handle| {
        let other = Want::Set(world.set.id() + 1);
        raw_lookup::get::<Probe>(world.space, me, handle, other).is_some()
    });
}

#[test]
fn s16_a_lookup_of_a_stale_handle_delays_nothing_of_the_next_one() {
    explore(|order| {
        let world = World::new(1);
        let (owner, reader) = (world.owner(), world.record());
        let (gone, drops) = (Drops::default(), Drops::default());
        let old = owner.insert(gone.probe());
        assert!(world.visit(reader, old));
        assert_eq!(owner.remove(old), Some(true));
        let new = owner.insert(drops.probe());
        assert_eq!(bits::slot(new), bits::slot(old), "the slot is used again");
        let (found, removed) = order.race(
            move || world.visit(reader, old) | world.visit(reader, old),
            move || world.remove(world.record(), new),
        );
        assert!(!found);
        assert_eq!((removed, drops.count()), (Some(true), 1));
    });
}

#[test]
fn s16_a_lookup_that_fails_writes_nothing() {
    explore_plain(|_| {
        let (world, _, _, handle) = one_live();
        let (state, other) = (world.slot(handle).state(), world.record());
        assert!(!world.visit(other, handle + (1 << 33)));
        assert!(raw_lookup::get::<u64>(world.space, other, handle, Want::Type).is_none());
        assert_eq!(world.slot(handle).state(), state);
    });
}

/// One lookup beside one removal: whether the lookup has found the value, and whether the removal has
/// dropped it.
///
/// The lookup alone may make the removal leave the value, and only if it has found it.
fn one_lookup_beside_a_removal(
    begin: impl Fn() -> (World, Owner, Drops, u64) + Send + Sync + Copy + 'static,
    remove: impl Fn(Owner, u64) -> Option<bool> + Send + Sync + Copy + 'static,
) {
    explore(move |order| {
        let (world, owner, drops, handle) = begin();
        let reader = world.record();
        let seen = drops.clone();
        let (found, removed) = order.race(
            move || match world.get(reader, handle) {
                Some(hold) => {
                    world.release(Some(reader), &hold);
                    true
                }
                None => {
                    assert!(!seen.by_this_thread(), "a lookup that fails ran user code");
                    false
                }
            },
            move || remove(owner, handle).unwrap(),
        );
        assert!(found || removed, "a lookup that fails made the removal leave the value");
        assert_eq!((drops.count(), world.live()), (1, 0));
    });
}

#[test]
fn s16_a_lookup_that_overlaps_the_owners_removal_finds_the_value_or_delays_nothing() {
    one_lookup_beside_a_removal(one_live, |owner, handle| owner.remove(handle));
}

#[test]
fn s16_a_lookup_that_overlaps_another_threads_removal_finds_the_value_or_delays_nothing() {
    one_lookup_beside_a_removal(one_live, |owner, handle| {
        let world = owner.world;
        world.remove(world.record(), handle)
    });
}

#[test]
fn s16_s7_a_lookup_that_overlaps_take_finds_the_value_or_take_does() {
    one_lookup_beside_a_removal(one_live, |owner, handle| {
        let taken = owner.take(handle)?;
        Some(taken.is_some())
    });
}

#[test]
fn s16_a_counted_lookup_that_overlaps_a_removal_finds_the_value_or_delays_nothing() {
    explore(|order| {
        let world = World::new(2);
        let (owner, reader) = (world.owner(), world.record());
        let (drops, others) = (Drops::default(), Drops::default());
        let (handle, other) = (owner.insert(drops.probe()), owner.insert(others.probe()));
        let _kept = world.fill_cells(reader, other);
        let (found, removed) =
            order.race(move || world.visit(reader, handle), move || owner.remove(handle).unwrap());
        assert!(found || removed, "a lookup that fails made the removal leave the value");
        assert_eq!((drops.count(), others.count()), (1, 0));
    });
}

#[test]
fn s16_e4_a_lookup_that_finds_the_handle_closed_and_counted_has_the_value() {
    static COUNTED: AtomicBool = AtomicBool::new(false);
    explore(|order| {
        let (world, owner, drops, handle) = one_live();
        let reader = world.record();
        let seen = drops.clone();
        order.race(
            move || {
                let hold = world.get(reader, handle)?;
                assert_eq!(seen.count(), 0);
                // While the handle is live a lookup with a free cell is kept by that.
                let counted = hold.token.cell().is_err();
                COUNTED.fetch_or(counted, SeqCst);
                world.release(Some(reader), &hold);
                Some(())
            },
            move || owner.remove(handle).unwrap(),
        );
        assert_eq!((drops.count(), world.live()), (1, 0));
    });
    // Random schedules may miss it.
    assert!(cfg!(haft_shuttle) || COUNTED.load(SeqCst), "no schedule came to the case that this is about");
}

#[test]
fn s16_two_lookups_that_overlap_a_removal_find_the_value_or_delay_nothing() {
    explore_three(|order| {
        let (world, owner, drops, handle) = one_live();
        let third = thread::spawn(move || world.visit(world.record(), handle));
        let (second, removed) =
            order.race(move || world.visit(world.record(), handle), move || owner.remove(handle).unwrap());
        assert!(third.join().unwrap() || second || removed, "deferred, and nobody held it");
        assert_eq!((drops.count(), world.live()), (1, 0));
    });
}
