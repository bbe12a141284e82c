//! Free lists: slots that others free, and what the owner makes of them.

use super::*;

#[test]
fn e7_a_remote_free_against_the_owners_reuse() {
    explore_lists(|order| {
        let world = World::new(2);
        let owner = world.owner();
        let drops = Drops::default();
        let old = [owner.insert(drops.probe()), owner.insert(drops.probe())];
        let probes = [drops.probe(), drops.probe()];
        let ((), new) = order.race(
            move || assert_eq!(world.remove(world.record(), old[0]), Some(true)),
            move || {
                assert_eq!(owner.remove(old[1]), Some(true));
                probes.map(|probe| owner.insert(probe))
            },
        );
        assert_eq!(drops.count(), 2);
        all_differ(&[old[0], old[1], new[0], new[1]]);
        for handle in new {
            assert_eq!(owner.remove(handle), Some(true));
        }
        assert_eq!(world.live(), 0);
    });
}

#[test]
fn e7_two_remote_frees_lose_no_slot() {
    explore(|order| {
        let world = World::new(2);
        let owner = world.owner();
        let drops = Drops::default();
        let handles = [owner.insert(drops.probe()), owner.insert(drops.probe())];
        order.race(
            move || assert_eq!(world.remove(world.record(), handles[0]), Some(true)),
            move || assert_eq!(world.remove(world.record(), handles[1]), Some(true)),
        );
        // Both slots come back: the same page serves again, and no second one is made.
        owner.insert(drops.probe());
        owner.insert(drops.probe());
        assert_eq!(world.set.totals().pages, 1);
    });
}

#[test]
fn e7_a_remote_free_while_the_owner_collects() {
    explore_long(|order| {
        let world = World::new(1);
        let owner = world.owner();
        let drops = Drops::default();
        let first = owner.insert(drops.probe());
        let probe = drops.probe();
        // In time for the slot, or too early: then a second page is made.
        let ((), second) = order.race(
            move || assert_eq!(world.remove(world.record(), first), Some(true)),
            move || owner.insert(probe),
        );
        let (third, fourth) = (owner.insert(drops.probe()), owner.insert(drops.probe()));
        let totals = world.set.totals();
        assert_eq!((totals.live(), totals.pages), (3, 3), "a slot was lost: {totals:?}");
        all_differ(&[first, second, third, fourth]);
    });
}

#[test]
fn e7_a_free_that_joins_a_queued_page_is_ordered_by_the_list_itself() {
    explore_lists(|order| {
        let world = World::new(2);
        let owner = world.owner();
        let drops = Drops::default();
        let [one, two] = [owner.lend(), owner.lend()];
        let old = [one.handle(), two.handle()];
        let probes = [drops.probe(), drops.probe()];
        // Only the first of the two frees tells the shard; the second is in the list alone.
        let (_, new) = order.race(move || drop([one, two]), move || probes.map(|probe| owner.insert(probe)));
        all_differ(&[old[0], old[1], new[0], new[1]]);
    });
}

#[test]
fn e7_frees_by_two_threads_while_the_owner_collects() {
    explore_crowd(|order| {
        let world = World::new(2);
        let owner = world.owner();
        let drops = Drops::default();
        let [one, two] = [owner.lend(), owner.lend()];
        let old = [one.handle(), two.handle()];
        let third = thread::spawn(move || drop(two));
        let probe = drops.probe();
        let (_, new) = order.race(move || drop(one), move || owner.insert(probe));
        third.join().unwrap();
        all_differ(&[old[0], old[1], new]);
        let rest = [owner.insert(drops.probe()), owner.insert(drops.probe())];
        all_differ(&[old[0], old[1], new, rest[0], rest[1]]);
    });
}

#[test]
fn e8_a_threads_exit_and_the_adoption_of_its_shard() {
    explore(|order| {
        let world = World::new(2);
        let owner = world.owner();
        let drops = Drops::default();
        let probes = (drops.probe(), drops.probe());
        let (first, adopted) = order.race(
            move || {
                let handle = owner.insert(probes.0);
                raw_lookup::disclaim(world.space, owner.record);
                handle
            },
            move || {
                // The next thread with the id finds the record claimed, or gets it with all that was done.
                let adopted = owner.record.claim();
                if adopted {
                    let mine = owner.insert(probes.1);
                    assert_eq!(owner.remove(mine), Some(true));
                }
                adopted
            },
        );
        assert!(adopted || owner.record.claim());
        assert_eq!(owner.remove(first), Some(true));
        assert_eq!(drops.count(), 2);
    });
}

#[test]
fn e8_a_claim_is_exclusive() {
    explore(|order| {
        let world = World::new(2);
        let owner = world.owner();
        raw_lookup::disclaim(world.space, owner.record);
        let drops = Drops::default();
        let work = move |probe: Probe| {
            let claimed = owner.record.claim();
            if claimed {
                let handle = owner.insert(probe);
                assert_eq!(owner.remove(handle), Some(true));
                raw_lookup::disclaim(world.space, owner.record);
            }
            claimed
        };
        let probes = (drops.probe(), drops.probe());
        let (one, two) = order.race(move || work(probes.0), move || work(probes.1));
        assert!(one || two);
        assert_eq!(drops.count(), 2);
    });
}

#[test]
fn s10_a_reservation_that_is_given_up_returns_its_slot() {
    explore(|order| {
        let world = World::new(1);
        let owner = world.owner();
        let drops = Drops::default();
        let popped = owner.pop();
        let probe = drops.probe();
        // SAFETY(I2): popped slots are in installed pages.
        let disclosed = unsafe { popped.page.handle(popped.link, popped.generation) };
        let ((), handle) = order.race(
            move || {
                let me = world.record();
                assert!(world.get(me, disclosed).is_none());
                assert_eq!(world.remove(me, disclosed), None);
            },
            move || {
                // SAFETY(I8): just popped, in this set.
                drop(unsafe { create::Reservation::new(popped, world.set, Some(owner.record), 1) });
                owner.insert(probe)
            },
        );
        assert_ne!(handle, disclosed);
        assert_eq!(world.set.totals().pages, 1);
    });
}
