//! Pages whose memory goes and comes (S17): whoever gives it back, against all the others.
//!
//! In a model every page is worth giving back, however small, and its words are zero afterwards.

use super::*;

/// A world in which the first page of an owner is full and left, since it creates in the next one. The
/// owner, the handles of the first page, and the one of the next.
fn left_full<const SLOTS: usize>(drops: &Drops) -> (World, Owner, [u64; SLOTS], u64) {
    let world = World::new(SLOTS as u32);
    let owner = world.owner();
    let handles = [0; SLOTS].map(|_| owner.insert(drops.probe()));
    let next = owner.insert(drops.probe());
    assert!(bits::place(next) != bits::place(handles[0]));
    assert!(!world.space.page(handles[0]).is_listed());
    (world, owner, handles, next)
}

impl World {
    /// Returns `true` if the page of the handle has given its memory back.
    fn has_no_memory(&self, handle: u64) -> bool {
        self.space.page(handle).primed() == 0
    }
}

impl Owner {
    /// Creates so many handles: all are live, differ from each other and from those of before, and need no
    /// more than so many pages.
    fn fills(&self, before: &[u64], new: usize, pages: usize) {
        let mut all = before.to_vec();
        let new: Vec<_> = (0..new).map(|_| self.insert(Drops::default().probe())).collect();
        all.extend(&new);
        all_differ(&all);
        assert!(new.iter().all(|handle| self.world.visit(self.record, *handle)), "lost");
        let installed = self.world.space.pages().count();
        assert!(installed <= pages, "{installed} pages, so a slot or a page was lost");
    }
}

#[test]
fn s17_the_last_slot_that_comes_back_to_a_page_which_its_owner_left_gives_the_memory_back() {
    explore(|order| {
        let drops = Drops::default();
        let (world, owner, [old], next) = left_full(&drops);
        order.race(
            move || assert_eq!(world.remove(world.record(), old), Some(true)),
            // It has nothing to do with the page.
            move || assert!(world.visit(owner.record, next)),
        );
        assert!(world.has_no_memory(old));
        assert_eq!(drops.count(), 1);
        owner.fills(&[old, next], 1, 2);
    });
}

#[test]
fn e7_e10_a_page_that_is_given_back_against_its_owners_collection() {
    explore_long(|order| {
        let drops = Drops::default();
        let (world, owner, [old], next) = left_full(&drops);
        let probe = drops.probe();
        let (_, new) = order.race(
            move || assert_eq!(world.remove(world.record(), old), Some(true)),
            move || {
                let new = owner.insert(probe);
                assert!(world.visit(owner.record, new));
                new
            },
        );
        assert!(world.visit(owner.record, new), "the memory of a live handle was given back");
        assert_eq!(drops.count(), 1);
        owner.fills(&[old, next, new], 1, 3);
    });
}

#[test]
fn e7_e10_a_page_that_is_given_back_against_its_owners_collection_removal_and_reuse() {
    explore_lists(|order| {
        let drops = Drops::default();
        let (world, owner, [old], next) = left_full(&drops);
        let probes = [drops.probe(), drops.probe()];
        let (_, new) = order.race(
            move || assert_eq!(world.remove(world.record(), old), Some(true)),
            move || {
                probes.map(|probe| {
                    let new = owner.insert(probe);
                    assert_eq!(owner.remove(new), Some(true));
                    new
                })
            },
        );
        assert_eq!(drops.count(), 3);
        owner.fills(&[old, next, new[0], new[1]], 2, 3);
    });
}

#[test]
fn e10_i8_the_owner_and_another_thread_return_the_last_slots() {
    explore_long(|order| {
        let drops = Drops::default();
        let (world, owner, [one, two], next) = left_full(&drops);
        let probes = [drops.probe(), drops.probe()];
        let (_, new) = order.race(
            move || assert_eq!(world.remove(world.record(), one), Some(true)),
            move || {
                assert_eq!(owner.remove(two), Some(true));
                // The second one has to go where there is room again.
                let new = probes.map(|probe| owner.insert(probe));
                assert!(new.iter().all(|new| world.visit(owner.record, *new)));
                new
            },
        );
        assert!(
            new.iter().all(|new| world.visit(owner.record, *new)),
            "the memory of a live handle was given back"
        );
        assert_eq!(drops.count(), 2);
        owner.fills(&[one, two, next, new[0], new[1]], 1, 3);
    });
}

#[test]
fn e10_i2_s17_a_page_that_its_owner_gives_back_against_a_lookup_of_an_old_handle() {
    explore(|order| {
        let drops = Drops::default();
        let (world, owner, [first], second) = left_full(&drops);
        // The first vacant page stays warm.
        assert_eq!(owner.remove(first), Some(true));
        let third = owner.insert(drops.probe());
        let (found, _) = order.race(
            move || {
                let me = world.record();
                [second, second + (1 << 33)].map(|guess| world.visit(me, guess))
            },
            move || owner.remove(second),
        );
        assert!(!found[1]);
        assert_eq!(drops.count(), 2);
        owner.fills(&[first, second, third], 1, 3);
    });
}

#[test]
fn e10_s17_a_page_that_its_owner_gives_back_against_a_slot_that_comes_back() {
    explore(|order| {
        let drops = Drops::default();
        let world = World::new(2);
        let owner = world.owner();
        let handles = [0; 5].map(|_| owner.insert(drops.probe()));
        // The first page is vacant, and stays warm; the second one is full.
        assert_eq!([owner.remove(handles[0]), owner.remove(handles[1])], [Some(true); 2]);
        order.race(
            move || assert_eq!(world.remove(world.record(), handles[2]), Some(true)),
            move || assert_eq!(owner.remove(handles[3]), Some(true)),
        );
        assert_eq!((drops.count(), world.live()), (4, 1));
        owner.fills(&handles, 5, 3);
    });
}

#[test]
fn s1_a_page_goes_on_above_all_that_it_has_issued() {
    explore(|order| {
        let drops = Drops::default();
        let (world, owner, [one, two], next) = left_full(&drops);
        order.race(
            move || {
                let me = world.record();
                [one, two].map(|handle| assert_eq!(world.remove(me, handle), Some(true)))
            },
            move || assert!(world.visit(owner.record, next)),
        );
        assert!(world.has_no_memory(one));
        let highest = bits::generation(one).max(bits::generation(two));
        let new = [0; 3].map(|_| owner.insert(drops.probe()));
        for new in new.into_iter().filter(|new| bits::place(*new) == bits::place(one)) {
            assert!(bits::generation(new) > highest);
        }
        assert!([one, two].iter().all(|old| !world.visit(owner.record, *old)));
    });
}

#[test]
fn e7_e10_two_threads_return_slots_while_the_owner_collects() {
    explore_crowd(|order| {
        let world = World::new(2);
        let owner = world.owner();
        let [one, two] = [owner.lend(), owner.lend()];
        let (old, next) = ([one.handle(), two.handle()], owner.insert(Drops::default().probe()));
        let probes = [0; 2].map(|_| Drops::default().probe());
        let third = thread::spawn(move || drop(two));
        let (_, new) = order.race(move || drop(one), move || probes.map(|probe| owner.insert(probe)));
        third.join().unwrap();
        assert!(new.iter().all(|new| world.visit(owner.record, *new)));
        owner.fills(&[old[0], old[1], next, new[0], new[1]], 2, 3);
    });
}

#[test]
fn s17_two_threads_that_return_slots_at_once_give_the_memory_back() {
    explore_lists(|order| {
        let world = World::new(2);
        let owner = world.owner();
        let [one, two] = [owner.lend(), owner.lend()];
        let (old, next) = ([one.handle(), two.handle()], owner.insert(Drops::default().probe()));
        order.race(move || drop(one), move || drop(two));
        assert!(world.has_no_memory(old[0]), "nobody gave the memory back");
        owner.fills(&[old[0], old[1], next], 3, 2);
    });
}

#[test]
fn e10_i8_the_owner_returns_the_last_slot_while_another_thread_looks() {
    explore(|order| {
        let world = World::new(2);
        let owner = world.owner();
        let lent = owner.lend();
        let (drops, lent_handle) = (Drops::default(), lent.handle());
        let mine = owner.insert(drops.probe());
        let next = owner.insert(Drops::default().probe());
        let probes = [0; 2].map(|_| Drops::default().probe());
        let (_, new) = order.race(
            move || drop(lent),
            move || {
                assert_eq!(owner.remove(mine), Some(true));
                probes.map(|probe| owner.insert(probe))
            },
        );
        assert!(
            new.iter().all(|new| world.visit(owner.record, *new)),
            "the memory of a live handle was given back"
        );
        owner.fills(&[lent_handle, mine, next, new[0], new[1]], 1, 3);
    });
}

/// The page is listed, used, filled and left again, while another thread looks whether it is vacant.
#[test]
fn e10_a_look_at_a_page_is_one_moments_truth() {
    explore_lists(|order| {
        let world = World::new(2);
        let owner = world.owner();
        let lent = owner.lend();
        let mine = owner.insert(Drops::default().probe());
        let next = owner.insert(Drops::default().probe());
        drop(lent);
        let page = world.space.page(mine);
        let probes = [0; 3].map(|_| Drops::default().probe());
        let (_, new) = order.race(
            // As a thread that has returned a slot, but late.
            move || page.try_release(|| !page.is_listed()),
            move || {
                assert_eq!(owner.remove(mine), Some(true));
                probes.map(|probe| owner.insert(probe))
            },
        );
        assert!(
            new.iter().all(|new| world.visit(owner.record, *new)),
            "the memory of a live handle was given back"
        );
        all_differ(&[mine, next, new[0], new[1], new[2]]);
    });
}

#[test]
fn e10_a_late_look_at_a_vacant_page_that_its_owner_collects() {
    explore_lists(|order| {
        let world = World::new(1);
        let owner = world.owner();
        let lent = owner.lend();
        let old = lent.handle();
        let next = owner.insert(Drops::default().probe());
        drop(lent);
        assert!(world.has_no_memory(old));
        let page = world.space.page(old);
        let probe = Drops::default().probe();
        let (_, new) = order.race(
            // As a thread that has returned a slot before, but late.
            move || page.try_release(|| !page.is_listed()),
            move || owner.insert(probe),
        );
        assert!(world.visit(owner.record, new), "the memory of a live handle was given back");
        all_differ(&[old, next, new]);
    });
}

#[test]
fn s17_the_registrys_drop_gives_all_memory_back_whoever_returns_a_slot() {
    explore(|order| {
        let drops = Drops::default();
        let (world, owner, [one, two], next) = left_full(&drops);
        let reader = world.record();
        order.race(
            move || assert!(world.remove(reader, one).is_some()),
            move || {
                // In two steps, so that the other thread's return comes before the registry is dropped.
                while world.visit(owner.record, one) {
                    thread::yield_now();
                }
            },
        );
        world.retire(owner.record);
        assert!([one, two, next].iter().all(|handle| world.has_no_memory(*handle)));
        assert_eq!(drops.count(), 3);
    });
}

#[test]
fn s17_the_registrys_drop_against_a_slot_that_comes_back() {
    explore(|order| {
        let drops = Drops::default();
        let (world, owner, [one], next) = left_full(&drops);
        let reader = world.record();
        let hold = Carried(world.get(reader, one).unwrap());
        order.race(
            move || {
                let hold = hold;
                world.release(Some(reader), &hold.0);
            },
            move || world.retire(owner.record),
        );
        assert_eq!((drops.count(), world.live()), (2, 0));
        assert!(world.has_no_memory(one) && world.has_no_memory(next), "nobody gave the memory back");
        let world = world.another();
        Owner { world, ..owner }.fills(&[one, next], 2, 2);
    });
}

#[test]
fn e16_a_listed_page_that_is_given_back_against_its_owner_that_comes_to_it() {
    explore_long(|order| {
        let drops = Drops::default();
        let (world, owner, [one, two], next) = left_full(&drops);
        // The page is listed, and not current.
        assert_eq!(owner.remove(one), Some(true));
        let probes = [drops.probe(), drops.probe()];
        let (_, new) = order.race(
            move || assert_eq!(world.remove(world.record(), two), Some(true)),
            // The rest of the current page, then the listed one, or a new one.
            move || probes.map(|probe| owner.insert(probe)),
        );
        assert!(new.iter().all(|new| world.visit(owner.record, *new)), "lost");
        assert_eq!(drops.count(), 2);
        owner.fills(&[one, two, next, new[0], new[1]], 2, 3);
    });
}

#[test]
fn e16_a_parked_page_that_is_given_back_against_the_next_registry() {
    explore_long(|order| {
        let drops = Drops::default();
        let (world, owner, [held], next) = left_full(&drops);
        let reader = world.record();
        let carried = Carried(world.get(reader, held).unwrap());
        world.retire(owner.record);
        let probe = drops.probe();
        let (_, new) = order.race(
            // The last holder of the parked set gives the page's memory back.
            move || {
                let carried = carried;
                world.release(Some(reader), &carried.0);
            },
            // The next registry takes the set, or makes one of its own.
            move || {
                let another = world.another();
                let adopts = std::ptr::eq(another.set, world.set);
                let creator = if adopts { owner } else { another.owner_with(owner.record) };
                creator.insert(probe)
            },
        );
        assert!(world.visit(owner.record, new), "lost");
        all_differ(&[held, next, new]);
        assert_eq!(drops.count(), 2);
    });
}
