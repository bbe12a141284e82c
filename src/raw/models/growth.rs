//! Pages that come: publication, and lists of several pages.

use super::*;
use crate::sync::{AtomicU64, Ordering};

#[test]
fn e2_a_second_page_is_found_whole() {
    explore(|order| {
        let world = World::new(1);
        let owner = world.owner();
        let drops = Drops::default();
        let first = owner.insert(drops.probe());
        let passed: &'static AtomicU64 = Box::leak(Box::new(AtomicU64::new(0)));
        let probe = drops.probe();
        let me = world.record();
        order.race(
            move || passed.store(owner.insert(probe), Ordering::Relaxed),
            move || match passed.load(Ordering::Relaxed) {
                0 => false,
                handle => world.visit(me, handle),
            },
        );
        let second = passed.load(Ordering::Relaxed);
        assert_ne!(bits::place(first), bits::place(second));
        assert_eq!(world.remove(me, second), Some(true));
        assert_eq!(drops.count(), 1);
    });
}

#[test]
fn i7_guesses_against_the_first_creation() {
    explore_long(|order| {
        let world = World::new(2);
        let drops = Drops::default();
        let probe = drops.probe();
        let ((), handle) = order.race(
            move || {
                let me = world.record();
                // The handle that will be there, and the one after.
                let right = world.first_handle(0, 0);
                for guess in [right, right + (1 << 33)] {
                    if let Some(hold) = world.get(me, guess) {
                        assert_eq!(hold.token.handle(), guess);
                        world.release(Some(me), &hold);
                    }
                }
            },
            move || world.owner().insert(probe),
        );
        assert_eq!(drops.count(), 0);
        assert!(world.visit(world.record(), handle));
    });
}

#[test]
fn e7_two_pages_in_the_queue_lose_no_slot() {
    explore_lists(|order| {
        let world = World::new(1);
        let owner = world.owner();
        let drops = Drops::default();
        let [one, two] = [owner.lend(), owner.lend()];
        let old = [one.handle(), two.handle()];
        let probe = drops.probe();
        let (_, new) = order.race(move || drop([one, two]), move || owner.insert(probe));
        // One or two slots are free, and there is at most one page more.
        let mut issued = vec![old[0], old[1], new];
        while issued.len() < 5 {
            issued.push(owner.insert(drops.probe()));
        }
        issued.sort_unstable();
        issued.dedup();
        let totals = world.set.totals();
        assert_eq!((issued.len(), totals.live(), totals.pages), (5, 3, 3), "a slot was lost: {totals:?}");
    });
}

#[test]
fn e7_two_pages_queued_by_two_threads_lose_no_slot() {
    explore_crowd(|order| {
        let world = World::new(1);
        let owner = world.owner();
        let drops = Drops::default();
        let [one, two] = [owner.lend(), owner.lend()];
        let old = [one.handle(), two.handle()];
        let third = thread::spawn(move || drop(two));
        let probe = drops.probe();
        let (_, new) = order.race(move || drop(one), move || owner.insert(probe));
        third.join().unwrap();
        let rest = [owner.insert(drops.probe()), owner.insert(drops.probe())];
        all_differ(&[old[0], old[1], new, rest[0], rest[1]]);
        let pages = world.space.pages().count();
        assert_eq!((world.live(), pages), (3, 3), "a slot was lost");
    });
}

#[test]
fn s1_a_slot_that_goes_back_and_forth_is_never_issued_twice() {
    explore(|order| {
        // The owner pops and pushes one and the same slot while another thread pushes its neighbour. A
        // comparison of heads would not notice.
        let world = World::new(2);
        let owner = world.owner();
        let drops = Drops::default();
        let (mine, theirs) = (owner.insert(drops.probe()), owner.insert(drops.probe()));
        let probes = [drops.probe(), drops.probe()];
        let (_, new) = order.race(
            move || assert_eq!(world.remove(world.record(), theirs), Some(true)),
            move || {
                assert_eq!(owner.remove(mine), Some(true));
                probes.map(|probe| {
                    let handle = owner.insert(probe);
                    assert_eq!(owner.remove(handle), Some(true));
                    handle
                })
            },
        );
        let rest = [owner.insert(drops.probe()), owner.insert(drops.probe())];
        let mut issued = vec![mine, theirs, new[0], new[1], rest[0], rest[1]];
        issued.sort_unstable();
        issued.dedup();
        assert_eq!(issued.len(), 6, "a handle was issued twice");
        assert_eq!((drops.count(), world.live()), (4, 2));
    });
}
