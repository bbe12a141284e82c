//! A small space used up to its last handle (S1): what the layout can name is issued once, and then creation fails.

use super::bits;
use super::cells::Record;
use super::create;
use super::lookup::{self, Want};
use super::page::first_generation;
use super::remove::Closed;
use super::set::Set;
use super::shard::{Exhausted, Shard};
use super::space::{Size, Space};
use std::collections::HashSet;
use std::ptr::NonNull;

/// Two shards, of which one is for threads: 64 places of four slots with fifteen generations.
const SIZE: Size = Size { places: 128, slots: 4, last_generation: 15 };

struct World {
    space: &'static Space,
    record: &'static Record,
}

impl World {
    fn new() -> Self {
        let space = Space::leaked(SIZE);
        Self { space, record: space.add_record(true) }
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
        Ok(unsafe { create::fill(popped, value, 1) })
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

#[test]
fn s1_everything_that_the_layout_can_name_is_issued_once_and_then_creation_fails() {
    let world = World::new();
    let (_set, shard) = world.set();
    let mut issued = HashSet::new();
    let kept = world.insert(&shard, 42).unwrap();
    issued.insert(kept);
    let end = loop {
        match world.insert(&shard, 7) {
            Ok(handle) => {
                assert!(issued.insert(handle), "{handle:#x} was issued twice");
                assert!(bits::generation(handle) <= SIZE.last_generation);
                world.remove(handle);
                assert_eq!(world.get(handle), None);
            }
            Err(why) => break why,
        }
    };
    assert_eq!(end, Exhausted::Space);
    // One slot is still taken by the handle that was kept: the generations after its own are left.
    let left = (SIZE.last_generation - bits::generation(kept)) as usize;
    assert_eq!(issued.len(), world.promised() - left);
    // Failing changes nothing: it fails again, and what is alive stays alive.
    assert_eq!(world.insert(&shard, 8), Err(Exhausted::Space));
    assert_eq!(world.get(kept), Some(42));
    assert!(issued.iter().filter(|handle| **handle != kept).all(|handle| world.get(*handle).is_none()));
    // When it goes, its slot goes on to its end, and not further.
    world.remove(kept);
    let rest = std::iter::from_fn(|| world.insert(&shard, 9).ok().inspect(|handle| world.remove(*handle)));
    assert_eq!(rest.map(|handle| assert!(issued.insert(handle))).count(), left);
    assert_eq!(issued.len(), world.promised());
}

#[test]
fn s1_dropping_registries_brings_nothing_back_and_uses_every_place_up() {
    let world = World::new();
    let mut issued = HashSet::new();
    loop {
        let (set, shard) = world.set();
        let mut created = 0;
        for value in 0..7 {
            match world.insert(&shard, value) {
                Ok(handle) => {
                    assert!(issued.insert(handle), "{handle:#x} was issued twice");
                    created += 1;
                }
                Err(why) => assert_eq!(why, Exhausted::Space),
            }
        }
        drop(shard);
        // SAFETY(I2): from a box, not perpetual, and not used any more; its pages refer to the shard no more, since nothing is held.
        unsafe { Set::retire(set, 3, &|lend: &mut dyn FnMut(&'static Record)| lend(world.record)) };
        assert!(issued.iter().all(|handle| world.get(*handle).is_none()), "an old handle came to life");
        if created == 0 {
            break;
        }
    }
    // Each page starts above all that its place has issued, so at least one handle of every generation was issued somewhere.
    assert!(issued.len() >= 64 && issued.len() <= world.promised());
}

#[test]
fn s1_a_slot_is_retired_after_its_last_generation() {
    let space = Space::leaked(Size { places: 128, slots: 1, last_generation: 1000 });
    let world = World { space, record: space.add_record(true) };
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
