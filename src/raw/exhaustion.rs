//! A small space used up to its last handle (S1): what the layout can name is issued once, and then creation fails.

use super::bits;
use super::cells::Record;
use super::create;
use super::lookup::{self, Want};
use super::remove::Closed;
use super::seed::first_generation;
use super::set::Set;
use super::shard::{Exhausted, Shard};
use super::space::{Size, Space};
use std::ptr::NonNull;

/// Two shards, of which one is for threads: 64 places of four slots with fifteen generations.
const SIZE: Size = Size { places: 128, slots: 4, last_generation: 15 };

struct World {
    space: &'static Space,
    record: &'static Record,
}

impl World {
    fn new() -> Self {
        Self::of(Space::leaked(SIZE))
    }

    fn of(space: &'static Space) -> Self {
        let record = space.add_record();
        assert!(record.claim());
        Self { space, record }
    }

    /// A set that the test retires by hand, with the shard of the one record.
    fn set(&self) -> (NonNull<Set>, Box<Shard>) {
        let set = NonNull::from(Box::leak(Box::new(Set::new::<u64>(self.space, usize::MAX, false))));
        (set, Box::new(Shard::new(set, self.record)))
    }

    fn insert(&self, shard: &Shard, value: u64) -> Result<u64, Exhausted> {
        // SAFETY(I6): the test is the only thread, and has claimed the record.
        let popped = unsafe { create::pop::<u64>(shard) }?;
        // SAFETY(I3): just popped, in a set of integers.
        Ok(unsafe { create::fill(popped, value, 1) }.get())
    }

    fn get(&self, handle: u64) -> Option<u64> {
        let hold = lookup::get::<u64>(self.space, self.record, handle, Want::Type)?;
        let value = *hold.value();
        // SAFETY(I4): released once.
        unsafe { hold.token.release(self.space, || Some(self.record)) };
        Some(value)
    }

    fn remove(&self, handle: u64) {
        match lookup::close_any(self.space, self.record, handle, 2) {
            Some(Closed::Alone(alone)) => alone.drop_value(Some(self.record)),
            other => panic!("not removed: {other:?}"),
        }
    }

    /// Handles that the layout promises at the places of one shard.
    fn promised(&self) -> usize {
        let first = |place, slot| first_generation(self.space.place_seed(place), slot, SIZE.last_generation);
        (0..64)
            .flat_map(|place| (0..SIZE.slots).map(move |slot| (place, slot)))
            .map(|(place, slot)| (SIZE.last_generation - first(place, slot) + 1) as usize)
            .sum()
    }
}

/// A bit for every handle that the layout can name.
struct Named(Vec<bool>);

impl Named {
    fn new() -> Self {
        Self(vec![false; (SIZE.places * SIZE.slots * (SIZE.last_generation + 1)) as usize])
    }

    /// Notes a new handle: one that the layout can name, and that was never issued.
    fn issue(&mut self, handle: u64) {
        assert!(bits::is_well_formed(handle));
        let (place, slot, generation) = (bits::place(handle), bits::slot(handle), bits::generation(handle));
        assert!(
            place < SIZE.places && slot < SIZE.slots && generation <= SIZE.last_generation,
            "{handle:#x}"
        );
        let index = (place * SIZE.slots + slot) * (SIZE.last_generation + 1) + generation;
        let issued = &mut self.0[index as usize];
        assert!(!std::mem::replace(issued, true), "{handle:#x} was issued twice");
    }

    fn count(&self) -> usize {
        self.0.iter().filter(|issued| **issued).count()
    }

    /// Every handle of the layout, and whether it was issued.
    fn all(&self) -> impl Iterator<Item = (u64, bool)> {
        let generations = SIZE.last_generation + 1;
        self.0.iter().zip(0..).map(move |(issued, index)| {
            let (rest, generation) = (index / generations, index % generations);
            (bits::pack(generation, rest / SIZE.slots, rest % SIZE.slots), *issued)
        })
    }
}

#[test]
fn s1_everything_that_the_layout_can_name_is_issued_once_and_then_creation_fails() {
    let world = World::new();
    let (set, shard) = world.set();
    // SAFETY(I2): it is never retired.
    let totals = || unsafe { set.as_ref() }.totals();
    let mut issued = Named::new();
    let kept = world.insert(&shard, 42).unwrap();
    issued.issue(kept);
    let end = loop {
        match world.insert(&shard, 7) {
            Ok(handle) => {
                issued.issue(handle);
                world.remove(handle);
                assert_eq!(world.get(handle), None);
            }
            Err(why) => break why,
        }
    };
    assert_eq!(end, Exhausted::Space);
    assert_eq!(totals().retired, 64 * SIZE.slots as usize - 1, "all slots but the one that is taken");
    // One slot is still taken by the handle that was kept: the generations after its own are left.
    let left = (SIZE.last_generation - bits::generation(kept)) as usize;
    assert_eq!(issued.count(), world.promised() - left);
    // Failing changes nothing: it fails again, and what is alive stays alive.
    assert_eq!(world.insert(&shard, 8), Err(Exhausted::Space));
    assert_eq!(world.get(kept), Some(42));
    assert!(
        issued.all().all(|(handle, _)| world.get(handle).is_some() == (handle == kept)),
        "nothing else is alive"
    );
    // When it goes, its slot goes on to its end, and not further.
    world.remove(kept);
    let rest = std::iter::from_fn(|| world.insert(&shard, 9).ok().inspect(|handle| world.remove(*handle)));
    assert_eq!(rest.map(|handle| issued.issue(handle)).count(), left);
    assert_eq!(issued.count(), world.promised());
    assert!(issued.all().all(|(handle, _)| world.get(handle).is_none()));
    assert_eq!((totals().retired, totals().outstanding), (64 * SIZE.slots as usize, 0));
}

/// Clearing, ending threads and adopted records bring nothing back either, at whatever moment.
#[test]
fn s1_clearing_and_threads_that_end_bring_nothing_back() {
    let world = World::new();
    let (set, shard) = world.set();
    let mut issued = Named::new();
    let mut last = Vec::new();
    for round in 0_u64.. {
        for value in 0..round % 7 + 1 {
            match world.insert(&shard, value) {
                Ok(handle) => {
                    issued.issue(handle);
                    last.push(handle);
                }
                Err(why) => assert_eq!(why, Exhausted::Space),
            }
        }
        if last.is_empty() {
            break;
        }
        assert!(last.iter().all(|handle| world.get(*handle).is_some()));
        // SAFETY(I2): the test's own, not retired.
        unsafe { set.as_ref() }.clear(3, &|lend: &mut dyn FnMut(&'static Record)| lend(world.record));
        assert!(last.drain(..).all(|handle| world.get(handle).is_none()));
        // The thread ends; the next one adopts record and shard, and goes on.
        lookup::disclaim(world.space, world.record);
        assert!(world.record.claim());
    }
    assert_eq!(issued.count(), world.promised(), "all that was promised, and no more");
    assert_eq!(world.insert(&shard, 8), Err(Exhausted::Space));
    assert!(issued.all().all(|(handle, _)| world.get(handle).is_none()));
}

#[test]
fn s1_dropping_registries_brings_nothing_back_and_uses_every_place_up() {
    let world = World::new();
    let mut issued = Named::new();
    loop {
        let (set, shard) = world.set();
        let mut created = 0;
        for value in 0..7 {
            match world.insert(&shard, value) {
                Ok(handle) => {
                    issued.issue(handle);
                    created += 1;
                }
                Err(why) => assert_eq!(why, Exhausted::Space),
            }
        }
        // SAFETY(I2): from a box, not perpetual, and not used any more.
        unsafe { Set::retire(set, 3, &|lend: &mut dyn FnMut(&'static Record)| lend(world.record)) };
        // Not before: what is removed then goes back through the shard.
        drop(shard);
        assert!(issued.all().all(|(handle, _)| world.get(handle).is_none()), "an old handle came to life");
        if created == 0 {
            break;
        }
    }
    // Each page starts above all that its place has issued, so at least one handle of every generation was issued somewhere.
    assert!(issued.count() >= 64 && issued.count() <= world.promised());
}

#[test]
fn s1_a_slot_is_retired_after_its_last_generation() {
    let space = Space::leaked(Size { places: 128, slots: 1, last_generation: 1000 });
    let world = World::of(space);
    let (_set, shard) = world.set();
    let first = world.insert(&shard, 1).unwrap();
    let mut last = first;
    loop {
        world.remove(last);
        let next = world.insert(&shard, 1).unwrap();
        if bits::place(next) != bits::place(first) {
            break;
        }
        assert_eq!(bits::generation(next), bits::generation(last) + 1);
        last = next;
    }
    assert_eq!(bits::generation(last), 1000);
}

#[test]
fn s1_records_get_shards_of_their_own_and_the_common_record_those_at_the_end() {
    // 32 shards, of which two are common.
    let space = Space::leaked(Size { places: 32 * 64, slots: 4, last_generation: 15 });
    assert_eq!((space.used_places().count(), space.used_shards(), space.record_count()), (0, 0, 0));
    let (one, two) = (space.add_record(), space.add_record());
    let common = space.common_record();
    assert!(std::ptr::eq(common, space.common_record()) && space.record_count() == 3);
    assert_eq!(space.all_records().count(), 3);
    assert_eq!([one, two, one].map(|record| space.take_place(record)), [Some(0), Some(64), Some(1)]);
    assert!(space.used_places().eq(0..128) && space.used_shards() == 2);
    assert_eq!([common, two].map(|record| space.take_place(record)), [Some(30 * 64), Some(65)]);
    assert!(space.used_places().eq((0..128).chain(30 * 64..31 * 64)));
    // What comes back is given out first, to the one that it belongs to.
    space.untake_place(one, 1);
    assert_eq!([two, one, one].map(|record| space.take_place(record)), [Some(66), Some(1), Some(2)]);
    let rest: Vec<_> = std::iter::from_fn(|| space.take_place(common)).collect();
    assert!(rest.into_iter().eq(30 * 64 + 1..32 * 64), "two shards and no more");
    let rest: Vec<_> = std::iter::from_fn(|| space.take_place(one)).collect();
    assert!(rest.into_iter().eq((3..64).chain(128..30 * 64)), "all but those of the others");
    assert!(space.used_places().eq(0..32 * 64) && space.used_shards() == 30);
}

#[test]
fn s3_every_space_and_every_place_begins_with_generations_of_its_own() {
    let spaces: [_; 8] = std::array::from_fn(|_| Space::leaked(SIZE));
    let seeds: std::collections::HashSet<_> =
        spaces.iter().flat_map(|space| (0..128).map(|place| space.place_seed(place))).collect();
    assert_eq!(seeds.len(), 8 * 128);
    assert_eq!(spaces[0].place_seed(5), spaces[0].place_seed(5));
}

#[test]
fn e9_a_page_that_a_cell_names_is_not_freed_and_goes_with_the_next_registry() {
    let world = World::new();
    let other = world.space.add_record();
    assert!(other.claim());
    let (set, shard) = world.set();
    let handle = world.insert(&shard, 7).unwrap();
    let place = bits::place(handle);
    other.begin_stay(handle);
    assert!(world.space.is_kept(place) && !world.space.is_kept(place + 1));
    let retire = |set| {
        // SAFETY(I2): from a box, not perpetual, and not used any more.
        unsafe { Set::retire(set, 3, &|lend: &mut dyn FnMut(&'static Record)| lend(world.record)) };
    };
    retire(set);
    drop(shard);
    let waits = || world.space.leftovers.lock().is_some();
    assert!(waits() && world.space.page(handle).is_none(), "withdrawn, and still there");
    other.end_stay();
    assert!(!world.space.is_kept(place));
    let (set, shard) = world.set();
    // A new page frees what has been waiting, and takes its place.
    let next = world.insert(&shard, 8).unwrap();
    assert!(!waits());
    assert_eq!(bits::place(next), place);
    retire(set);
    drop(shard);
    assert!(!waits());
}
