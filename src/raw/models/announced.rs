//! Who has looked: threads that announce themselves against those who remove.

use super::*;

/// A world whose page opens its handles without announcing the owner, as a page does after other threads
/// have removed handles of it.
pub(super) fn unannounced() -> (World, Owner, Drops, u64) {
    let world = World::new(1);
    let (owner, other, gone) = (world.owner(), world.record(), Drops::default());
    let first = owner.insert(gone.probe());
    assert_eq!(world.reader(first), owner.record.only());
    assert_eq!(world.remove(other, first), Some(true));
    let drops = Drops::default();
    let handle = owner.insert(drops.probe());
    assert_eq!(world.reader(handle), Reader::NOBODY);
    (world, owner, drops, handle)
}

#[test]
fn e3_the_creator_announces_itself_against_a_foreign_removal() {
    explore(|order| {
        let (world, owner, drops, handle) = unannounced();
        let (found, dropped) = order.race(
            move || world.visit(owner.record, handle),
            move || world.remove(world.record(), handle).unwrap(),
        );
        assert!(found || dropped, "deferred, and nobody held it");
        assert_eq!((drops.count(), world.live()), (1, 0));
    });
}

#[test]
fn e3_the_first_reader_announces_itself_against_the_owners_removal() {
    explore(|order| {
        let (world, owner, drops, handle) = unannounced();
        let (found, dropped) =
            order.race(move || world.visit(world.record(), handle), move || owner.remove(handle).unwrap());
        assert!(found || dropped, "deferred, and nobody held it");
        assert_eq!((drops.count(), world.live()), (1, 0));
    });
}

#[test]
fn e3_the_first_reader_announces_itself_against_another_threads_removal() {
    explore(|order| {
        let (world, _, drops, handle) = unannounced();
        let (found, dropped) = order.race(
            move || world.visit(world.record(), handle),
            move || world.remove(world.record(), handle).unwrap(),
        );
        assert!(found || dropped, "deferred, and nobody held it");
        assert_eq!((drops.count(), world.live()), (1, 0));
    });
}

#[test]
fn e3_two_first_readers_against_the_owners_removal() {
    explore_three(|order| {
        let (world, owner, drops, handle) = unannounced();
        let third = thread::spawn(move || world.visit(world.record(), handle));
        let (second, dropped) =
            order.race(move || world.visit(world.record(), handle), move || owner.remove(handle).unwrap());
        assert!(third.join().unwrap() || second || dropped, "deferred, and nobody held it");
        assert_eq!((drops.count(), world.live()), (1, 0));
    });
}

#[test]
fn e3_a_second_reader_makes_it_several_against_a_foreign_removal() {
    explore_three(|order| {
        let (world, owner, drops, handle) = one_live();
        // The creator is announced, and looks up again; another thread does so for the first time.
        let third = thread::spawn(move || world.visit(owner.record, handle));
        let (second, dropped) = order.race(
            move || world.visit(world.record(), handle),
            move || world.remove(world.record(), handle).unwrap(),
        );
        assert!(third.join().unwrap() || second || dropped, "deferred, and nobody held it");
        assert_eq!((drops.count(), world.live()), (1, 0));
    });
}

#[test]
fn e3_two_readers_are_several_whichever_came_first() {
    explore(|order| {
        let (world, _, _, handle) = unannounced();
        let look = move || assert!(world.visit(world.record(), handle));
        order.race(look, look);
        assert_eq!(world.reader(handle), Reader::SEVERAL);
    });
}

#[test]
fn e3_a_handle_that_only_its_remover_has_looked_up_makes_nobody_pass_a_barrier() {
    explore_plain(|order| {
        let (world, owner, drops, handle) = unannounced();
        let others = Drops::default();
        let other = owner.insert(others.probe());
        let was_plain = owner.record.is_plain();
        // The owner is in the middle of something else all the time.
        order.race(
            move || assert!(world.visit(owner.record, other)),
            move || {
                let me = world.record();
                assert!(world.visit(me, handle));
                assert_eq!(world.remove(me, handle), Some(true));
                assert!(me.is_plain());
            },
        );
        assert_eq!(owner.record.is_plain(), was_plain, "the owner's mode was ended for nothing");
        assert_eq!(drops.count(), 1);
    });
}

#[test]
fn s7_a_remover_that_has_looked_the_handle_up_itself_takes_the_value() {
    explore(|order| {
        let (world, owner, drops, handle) = unannounced();
        let (taken, _) = order.race(
            move || {
                let me = world.record();
                assert!(world.visit(me, handle));
                world.take(me, handle).unwrap().is_some()
            },
            move || world.visit(owner.record, handle + (1 << 33)),
        );
        assert!(taken, "nobody held it");
        assert_eq!(drops.count(), 1);
    });
}

#[test]
fn e3_a_slot_that_is_used_again_knows_nobody_of_before() {
    explore_long(|order| {
        let world = World::new(1);
        let (owner, reader) = (world.owner(), world.record());
        let (drops, later) = (Drops::default(), Drops::default());
        let old = owner.insert(drops.probe());
        assert!(world.visit(reader, old));
        let probe = later.probe();
        let (_, new) = order.race(
            move || {
                // It has seen the word in which it is announced.
                world.visit(reader, old);
                world.visit(reader, old + (1 << 33))
            },
            move || {
                owner.remove(old).unwrap();
                let new = owner.insert(probe);
                owner.remove(new).unwrap();
                new
            },
        );
        assert_ne!(new, old);
        assert_eq!((drops.count(), later.count()), (1, 1));
    });
}
