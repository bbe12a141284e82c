//! Records that nobody has claimed are passed over: claims and their ends against those who look at cells.

use super::*;
use crate::raw::slot::READER_GROUPS;

/// Explores a model of claims as [`explore`] does, and once more with a barrier that fails when all is prepared: then a plain publication is nothing
/// but a store, a plain release as well, and a remover that comes to a plain record of another thread drops nothing. So what keeps a value, or lets it go, is the claim alone.
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
    /// The group of this record has looked the handle up from now on, and nobody has claimed the record.
    fn introduce(&self, record: &'static Record, handle: u64) {
        assert!(self.visit(record, handle));
        raw_lookup::disclaim(self.space, record);
    }
}

#[test]
fn e14_a_claim_and_a_lookup_against_removal() {
    explore_claims(|order, ready| {
        let (world, owner, drops, handle) = one_live();
        let reader = world.record();
        world.introduce(reader, handle);
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
fn e14_a_new_record_and_a_lookup_against_removal() {
    explore_claims(|order, ready| {
        let world = World::new(1);
        let first = world.record();
        let owner = world.owner();
        let drops = Drops::default();
        let handle = owner.insert(drops.probe());
        world.introduce(first, handle);
        // The next record is of the first one's group, and in a sheet of its own.
        let others: Vec<_> = (2..READER_GROUPS).map(|_| world.space.add_record()).collect();
        assert_eq!(others.last().unwrap().group(), READER_GROUPS - 1);
        ready();
        let (group, ()) = order.race(
            move || {
                let reader = world.record();
                world.visit(reader, handle);
                reader.group()
            },
            move || assert!(owner.remove(handle).is_some()),
        );
        assert_eq!(group, first.group());
        assert_dropped(&drops);
    });
}

#[test]
fn i5_two_new_records_in_a_new_sheet() {
    explore(|order| {
        let world = World::new(1);
        let there: Vec<_> = (0..READER_GROUPS).map(|_| world.space.add_record()).collect();
        let (one, two) = order.race(move || world.record(), move || world.record());
        assert_ne!(one.group(), two.group());
        for record in [one, two] {
            let mut claimed = Vec::new();
            world.space.each_claimed(1 << record.group(), |record| claimed.push(std::ptr::from_ref(record)));
            assert_eq!(claimed, [std::ptr::from_ref(record)]);
            let all: Vec<_> = world.space.records(record.group()).map(std::ptr::from_ref).collect();
            assert_eq!(all, [std::ptr::from_ref(there[record.group() as usize]), record]);
        }
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
        assert!(ASYMMETRIC.get() == Asymmetric::Fails || world.set().totals().live() == 0);
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
        assert_eq!(world.set().totals().live(), 0);
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
fn i5_e12_a_revocation_against_a_new_record() {
    explore_plain(|order| {
        let world = World::new(1);
        let first = world.space.add_record();
        let reader = world.record();
        let owner = world.owner();
        let drops = Drops::default();
        let handle = owner.insert(drops.probe());
        assert!(world.visit(reader, handle));
        // The second sheet is there, so that only the new record's own place in it leads to the record.
        let others: Vec<_> = (3..=READER_GROUPS).map(|_| world.space.add_record()).collect();
        assert_eq!(others.last().unwrap().group(), first.group());
        // The end of the revocation meets the new record, which is of the reader's group.
        let (new, removed) = order.race(move || world.space.add_record(), move || owner.remove(handle));
        assert_eq!((new.group(), removed), (reader.group(), Some(true)));
        assert!(!reader.is_plain());
        assert_eq!(drops.count(), 1);
    });
}

#[test]
fn e9_e14_a_claim_and_a_lookup_against_the_registrys_drop() {
    explore(|order| {
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
        // What was held is freed by the next one who comes by.
        world.another().retire(owner.record);
        assert!(world.space.leftovers.lock().is_none());
    });
}
