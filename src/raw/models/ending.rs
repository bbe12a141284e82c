//! Threads that end: what they leave behind against those who go on.

use super::*;

#[test]
fn e4_e8_a_thread_that_ends_with_a_guard_against_removal() {
    explore(|order| {
        let (world, owner, drops, handle) = one_live();
        let left = Carried(world.get(owner.record, handle).unwrap());
        let seen = drops.clone();
        order.race(
            move || {
                let left = left;
                raw_lookup::disclaim(world.space, owner.record);
                // A later destructor of the same thread drops the guard.
                assert_eq!(seen.count(), 0);
                world.release(None, &left.0);
            },
            move || world.remove(world.record(), handle).unwrap(),
        );
        assert_eq!(drops.count(), 1);
        assert_eq!(world.live(), 0);
    });
}

#[test]
fn e8_the_next_claim_uses_the_cell_of_a_guard_that_was_left_behind() {
    explore(|order| {
        let world = World::new(2);
        let owner = world.owner();
        let (drops, others) = (Drops::default(), Drops::default());
        let (handle, other) = (owner.insert(drops.probe()), owner.insert(others.probe()));
        let left = Carried(world.get(owner.record, handle).unwrap());
        raw_lookup::disclaim(world.space, owner.record);
        order.race(
            move || {
                let left = left;
                world.release(None, &left.0);
            },
            move || {
                assert!(owner.record.claim());
                world.visit(owner.record, other);
                world.visit(owner.record, handle);
                assert!(world.remove(owner.record, handle).is_some());
            },
        );
        assert_eq!((drops.count(), others.count()), (1, 0));
    });
}

#[test]
fn e7_e8_an_ending_thread_a_remote_free_and_the_adoption() {
    explore_three(|order| {
        let world = World::new(1);
        let owner = world.owner();
        let drops = Drops::default();
        let first = owner.insert(drops.probe());
        let probes = (drops.probe(), drops.probe());
        let foreign = thread::spawn(move || world.remove(world.record(), first).unwrap());
        let (second, adopted) = order.race(
            move || {
                let second = owner.insert(probes.0);
                raw_lookup::disclaim(world.space, owner.record);
                second
            },
            move || owner.record.claim().then(|| owner.insert(probes.1)),
        );
        assert!(foreign.join().unwrap());
        assert!(adopted.is_some() || owner.record.claim());
        // Whoever came by, no slot is lost and none is there twice.
        let rest = owner.insert(drops.probe());
        let handles = [Some(first), Some(second), adopted, Some(rest)];
        let mut issued: Vec<_> = handles.into_iter().flatten().collect();
        let count = issued.len();
        issued.sort_unstable();
        issued.dedup();
        assert_eq!(issued.len(), count, "a handle was issued twice");
        assert_eq!(world.live(), count - 1);
    });
}

#[test]
fn i5_a_lookup_of_the_next_claim_does_not_free_what_is_left_behind() {
    explore(|order| {
        let (world, owner, drops, handle) = one_live();
        let pooled = world.record();
        let left = Carried(world.get(pooled, handle).unwrap());
        let seen = drops.clone();
        order.race(
            move || {
                let left = left;
                raw_lookup::disclaim(world.space, pooled);
                assert_eq!(seen.count(), 0);
                world.release(None, &left.0);
            },
            move || {
                // The cells that are taken are nobody's but the guards'.
                if pooled.claim() {
                    world.visit(pooled, handle);
                    world.visit(pooled, handle);
                }
                owner.remove(handle).unwrap()
            },
        );
        assert_eq!(drops.count(), 1);
    });
}

#[test]
fn i6_the_common_shard_serves_threads_in_turn() {
    explore(|order| {
        let world = World::new(2);
        let drops = Drops::default();
        let create = move |probe: Probe| {
            let common = world.set.common();
            let shard = common.as_ref().unwrap();
            // SAFETY(I6): under the lock of the common shard.
            let popped = unsafe { create::pop::<Probe>(shard) }.unwrap();
            // SAFETY(I3): just popped, in a set of probes.
            unsafe { create::fill(popped, probe, 1) }.get()
        };
        let probes = (drops.probe(), drops.probe());
        let (one, two) = order.race(
            move || {
                // What one removes, whoever is next may get.
                let handle = create(probes.0);
                assert_eq!(world.remove(world.record(), handle), Some(true));
                handle
            },
            move || create(probes.1),
        );
        assert_ne!(one, two);
        assert_eq!(drops.count(), 1);
        assert_eq!(world.live(), 1);
    });
}

#[test]
fn e2_the_common_record_is_whole_for_all_registries() {
    explore(|order| {
        // Each registry asks under a lock of its own.
        let world = World::new(1);
        let find = move || {
            let record = world.space.common_record();
            (std::ptr::from_ref(record).addr(), record.only())
        };
        let (one, two) = order.race(find, find);
        assert_eq!((one, one.1), (two, Reader::NOBODY));
        assert_eq!(world.space.record_count(), 1);
    });
}
