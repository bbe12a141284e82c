//! Records that nobody has claimed are passed over: claims and their ends against those who look at cells.

use super::announced::unannounced;
use super::*;

/// Explores a model of claims as [`explore`] does, and once more with a barrier that fails when all is
/// prepared: then a plain publication is nothing but a store, a plain release as well, and a remover that
/// comes to a plain record of another thread drops nothing. So what keeps a value, or lets it go, is the
/// claim alone.
///
/// The model calls its second argument before its race.
fn explore_claims(model: fn(Order, fn())) {
    explore(move |order| model(order, || ()));
    explore_plain(move |order| model(order, || ASYMMETRIC.set(Asymmetric::Fails)));
}

/// That the value was dropped, once, if there was no reason not to.
fn assert_dropped(drops: &Drops) {
    let never = ASYMMETRIC.get() == Asymmetric::Fails;
    assert!(drops.count() == 1 || never && drops.count() == 0, "dropped {} times", drops.count());
}

impl World {
    /// This record is announced from now on, and nobody has claimed it.
    fn introduce(&self, record: &'static Record, handle: u64) {
        assert!(self.visit(record, handle));
        raw_lookup::disclaim(self.space, record);
    }
}

#[test]
fn e14_a_claim_and_a_lookup_against_removal() {
    explore_claims(|order, ready| {
        let (world, owner, drops, handle) = unannounced();
        let reader = world.record();
        world.introduce(reader, handle);
        assert_eq!(world.reader(handle), reader.reader());
        ready();
        order.race(
            move || {
                assert!(reader.claim());
                world.visit(reader, handle)
            },
            move || owner.remove(handle).unwrap(),
        );
        assert_dropped(&drops);
    });
}

/// Both records are announced, by the word for several, and nobody has claimed them.
fn introduce_two(world: World, handle: u64) -> [&'static Record; 2] {
    let records = [world.record(), world.record()];
    records.iter().for_each(|record| world.introduce(record, handle));
    assert_eq!(world.reader(handle), Reader::SEVERAL);
    records
}

#[test]
fn e14_a_claim_and_a_lookup_against_a_removal_that_looks_at_all_records() {
    explore_claims(|order, ready| {
        let (world, owner, drops, handle) = one_live();
        let [reader, _] = introduce_two(world, handle);
        ready();
        order.race(
            move || {
                assert!(reader.claim());
                world.visit(reader, handle)
            },
            move || owner.remove(handle).unwrap(),
        );
        assert_dropped(&drops);
    });
}

#[test]
fn e14_a_new_record_and_a_lookup_against_a_removal_that_looks_at_all_records() {
    explore_claims(|order, ready| {
        let (world, owner, drops, handle) = one_live();
        introduce_two(world, handle);
        // The next record is in a chunk of its own.
        let there = world.space.add_record().reader().record();
        assert_eq!(there, Some(3));
        ready();
        order.race(move || world.visit(world.record(), handle), move || owner.remove(handle).unwrap());
        assert_dropped(&drops);
    });
}

#[test]
fn e14_a_record_that_nobody_has_claimed_is_not_looked_at() {
    explore_plain(|_| {
        let (world, owner, drops, handle) = one_live();
        let readers = introduce_two(world, handle);
        assert_eq!(owner.remove(handle), Some(true));
        assert_eq!(drops.count(), 1);
        assert!(readers.iter().all(|record| record.is_plain()), "their mode was ended for nothing");
    });
}

#[test]
fn i5_two_new_records_in_a_new_chunk() {
    explore(|order| {
        let world = World::new(1);
        let there = [world.space.add_record(), world.space.add_record()];
        let (one, two) = order.race(move || world.record(), move || world.record());
        assert_ne!(one.reader(), two.reader());
        let records = world.space.records();
        let mut claimed = Vec::new();
        records.each_claimed(|record| claimed.push(record.reader().record()));
        assert_eq!(claimed, [Some(2), Some(3)]);
        let mut all: Vec<_> = records.all().map(|record| record.reader().record()).collect();
        all.sort_unstable();
        assert_eq!(all, [Some(0), Some(1), Some(2), Some(3)]);
        for record in [one, two, there[0], there[1]] {
            let number = record.reader().record().unwrap();
            assert!(std::ptr::eq(records.get(number).unwrap(), record));
        }
    });
}

#[test]
fn i5_the_record_that_is_announced_is_found_by_its_number() {
    explore(|order| {
        let (world, owner, drops, handle) = unannounced();
        // In the second chunk.
        world.space.add_record();
        let (found, removed) = order.race(
            move || {
                let reader = world.record();
                let hold = world.get(reader, handle);
                let found = hold.is_some();
                if let Some(hold) = hold {
                    world.release(Some(reader), &hold);
                }
                found
            },
            move || owner.remove_slowly(handle).unwrap(),
        );
        assert!(found || removed);
        assert_eq!((drops.count(), world.live()), (1, 0));
    });
}

#[test]
fn e5_e14_a_use_and_the_end_of_the_claim_against_removal() {
    explore_claims(|order, ready| {
        let (world, owner, drops, handle) = one_live();
        let reader = world.record();
        let hold = Carried(world.get(reader, handle).unwrap());
        ready();
        order.race(
            move || {
                let hold = hold;
                world.release(Some(reader), &hold.0);
                raw_lookup::disclaim(world.space, reader);
            },
            move || owner.remove(handle).unwrap(),
        );
        assert_dropped(&drops);
    });
}

#[test]
fn i5_e14_a_guard_that_is_left_in_a_record_against_removal() {
    explore_claims(|order, ready| {
        let (world, owner, drops, handle) = one_live();
        let reader = world.record();
        let left = Carried(world.get(reader, handle).unwrap());
        let seen = drops.clone();
        ready();
        order.race(
            move || {
                let left = left;
                raw_lookup::disclaim(world.space, reader);
                assert_eq!(seen.count(), 0);
                // A later destructor of the same thread drops the guard.
                world.release(None, &left.0);
            },
            move || owner.remove(handle).unwrap(),
        );
        assert_dropped(&drops);
        assert!(ASYMMETRIC.get() == Asymmetric::Fails || world.live() == 0);
    });
}

#[test]
fn e8_e14_a_claim_that_changes_hands_during_a_removal() {
    explore_three(|order| {
        let (world, owner, drops, handle) = one_live();
        let reader = world.record();
        let hold = Carried(world.get(reader, handle).unwrap());
        let third = thread::spawn(move || {
            if reader.claim() {
                world.visit(reader, handle);
                raw_lookup::disclaim(world.space, reader);
            }
        });
        order.race(
            move || {
                let hold = hold;
                world.release(Some(reader), &hold.0);
                raw_lookup::disclaim(world.space, reader);
            },
            move || owner.remove(handle).unwrap(),
        );
        third.join().unwrap();
        assert_eq!(drops.count(), 1);
        assert_eq!(world.live(), 0);
    });
}

#[test]
fn e12_e14_a_revocation_ends_also_where_the_claim_ended_meanwhile() {
    explore_plain(|order| {
        let (world, owner, drops, handle) = one_live();
        let reader = world.record();
        assert!(world.visit(reader, handle));
        order.race(
            move || raw_lookup::disclaim(world.space, reader),
            move || assert_eq!(owner.remove(handle), Some(true)),
        );
        // Plain or shared, and not in somebody's revocation: that would stand in the way of this one.
        let another = handle + (1 << 33);
        reader.revoke(another);
        reader.revoked(another);
        assert!(!reader.is_plain(), "nobody ends the revocation");
        assert_eq!(drops.count(), 1);
    });
}

#[test]
fn i5_e12_a_revocation_of_all_records_against_a_new_one() {
    explore_plain(|order| {
        let (world, owner, drops, handle) = one_live();
        let (one, two) = (world.record(), world.record());
        assert!(world.visit(one, handle) && world.visit(two, handle));
        world.space.add_record();
        // The end of the revocation meets the new record.
        let (_, removed) = order.race(move || world.space.add_record(), move || owner.remove(handle));
        assert_eq!(removed, Some(true));
        for record in [one, two] {
            assert!(!record.is_plain());
            // Nor is it in the middle of a revocation.
            let another = handle + (1 << 33);
            assert!(!record.revoke(another), "nobody ends the revocation");
        }
        assert_eq!(drops.count(), 1);
    });
}

#[test]
fn e9_e14_a_claim_and_a_lookup_against_the_registrys_drop() {
    explore_long(|order| {
        let (world, owner, drops, handle) = one_live();
        let reader = world.record();
        world.introduce(reader, handle);
        order.race(
            move || {
                assert!(reader.claim());
                let hold = world.get(reader, handle);
                raw_lookup::disclaim(world.space, reader);
                if let Some(hold) = hold {
                    world.release(None, &hold);
                }
            },
            move || world.retire(owner.record),
        );
        assert_eq!(drops.count(), 1);
    });
}
