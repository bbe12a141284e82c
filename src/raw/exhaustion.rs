//! A small space used up to its last handle (S1): what the layout can name is issued once, and then
//! creation fails.

use super::bits;
use super::create;
use super::exhausted::Exhausted;
use super::find::Typed;
use super::find::Want;
use super::layout::TypeInfo;
use super::lookup;
use super::record::Record;
use super::remove::{self, Closed};
use super::set::{Set, UNLIMITED};
use super::shard::Shard;
use super::space::{Size, Space};
use std::marker::PhantomData;

/// Eight runs of places, of which one is common: 112 places of four slots with fifteen generations.
const SIZE: Size = Size { places: 128, slots: 4, last_generation: 15 };

/// Places that threads can have.
const PLACES: u32 = 112;

/// A value so large that the memory of a page of four is given back.
type Large = [u64; 1024];

struct World<T> {
    space: &'static Space,
    record: &'static Record,
    _values: PhantomData<T>,
}

impl<T: Copy + Send + Sync + 'static> World<T> {
    fn new() -> Self {
        Self::of(Space::leaked(SIZE))
    }

    fn of(space: &'static Space) -> Self {
        let record = space.add_record();
        assert!(record.claim());
        Self { space, record, _values: PhantomData }
    }

    /// A set, parked or new, with the shard of the one record.
    fn set(&self) -> (&'static Set, &'static Shard) {
        let set = Set::of(TypeInfo::of::<T>(), self.space, UNLIMITED);
        (set, set.shards.get_or(|| set.new_shard(self.record)))
    }

    fn insert(&self, shard: &Shard, value: T) -> Result<u64, Exhausted> {
        // SAFETY(I6): the test is the only thread, and has claimed the record.
        let popped = unsafe { create::pop::<T>(shard) }?;
        // SAFETY(I3): just popped, in a set of these values.
        Ok(unsafe { create::fill(popped, value, 1) }.get())
    }

    fn get(&self, handle: u64) -> Option<T> {
        let hold = lookup::get::<T>(self.space, self.record, handle, Want::Type)?;
        let value = *hold.value();
        // SAFETY(I4): released once.
        unsafe { hold.token.release(self.space, || Some(self.record)) };
        Some(value)
    }

    /// Removes a handle in one of the two ways.
    fn remove(&self, handle: u64) {
        let by = Want::Type;
        let quickly = handle >> 1 & 1 == 1
            && remove::remove_own::<Typed<T>>(self.space, self.record, handle, by, 2, |alone| {
                alone.drop_value(Some(self.record));
            });
        if !quickly {
            match remove::close::<Typed<T>>(self.space, self.record, handle, by, 2) {
                Some(Closed::Alone(alone)) => alone.drop_value(Some(self.record)),
                other => panic!("not removed: {other:?}"),
            }
        }
    }

    fn retire(&self, set: &'static Set) {
        set.retire(3, &|lend: &mut dyn FnMut(&'static Record)| lend(self.record));
    }

    /// Handles that the layout promises at the places of threads.
    fn promised(&self) -> usize {
        let first = |place, slot| self.space.first_generation(place, slot);
        (0..PLACES)
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
    let world = World::<u64>::new();
    let (set, shard) = world.set();
    let mut issued = Named::new();
    let kept = world.insert(shard, 42).unwrap();
    issued.issue(kept);
    let end = loop {
        match world.insert(shard, 7) {
            Ok(handle) => {
                issued.issue(handle);
                world.remove(handle);
                assert_eq!(world.get(handle), None);
            }
            Err(why) => break why,
        }
    };
    assert_eq!(end, Exhausted::Space);
    let slots = (PLACES * SIZE.slots) as usize;
    assert_eq!(set.totals().retired, slots - 1, "all slots but the one that is taken");
    // One slot is still taken by the handle that was kept: the generations after its own are left.
    let left = (SIZE.last_generation - bits::generation(kept)) as usize;
    assert_eq!(issued.count(), world.promised() - left);
    // Failing changes nothing: it fails again, and what is alive stays alive.
    assert_eq!(world.insert(shard, 8), Err(Exhausted::Space));
    assert_eq!(world.get(kept), Some(42));
    assert!(
        issued.all().all(|(handle, _)| world.get(handle).is_some() == (handle == kept)),
        "nothing else is alive"
    );
    // When it goes, its slot goes on to its end, and not further.
    world.remove(kept);
    let rest = std::iter::from_fn(|| world.insert(shard, 9).ok().inspect(|handle| world.remove(*handle)));
    assert_eq!(rest.map(|handle| issued.issue(handle)).count(), left);
    assert_eq!(issued.count(), world.promised());
    assert!(issued.all().all(|(handle, _)| world.get(handle).is_none()));
    assert_eq!((set.totals().retired, set.totals().outstanding), (slots, 0));
}

/// Clearing, ending threads and adopted records bring nothing back either, at whatever moment.
#[test]
fn s1_clearing_and_threads_that_end_bring_nothing_back() {
    let world = World::<u64>::new();
    let (set, shard) = world.set();
    let mut issued = Named::new();
    let mut last = Vec::new();
    for round in 0_u64.. {
        for value in 0..round % 7 + 1 {
            match world.insert(shard, value) {
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
        set.clear(3, &|lend: &mut dyn FnMut(&'static Record)| lend(world.record));
        assert!(last.drain(..).all(|handle| world.get(handle).is_none()));
        // The thread ends; the next one adopts record and shard, and goes on.
        lookup::disclaim(world.space, world.record);
        assert!(world.record.claim());
    }
    assert_eq!(issued.count(), world.promised(), "all that was promised, and no more");
    assert_eq!(world.insert(shard, 8), Err(Exhausted::Space));
    assert!(issued.all().all(|(handle, _)| world.get(handle).is_none()));
}

/// Registries come and go, two at a time, and each takes over what an earlier one has left.
#[test]
fn s1_dropping_registries_brings_nothing_back_and_the_next_ones_go_on() {
    let world = World::<u64>::new();
    let mut issued = Named::new();
    let mut vain = 0;
    while vain < 4 {
        let (sets, mut created) = ([world.set(), world.set()], Vec::new());
        assert!(!std::ptr::eq(sets[0].0, sets[1].0) && sets[0].0.id() != sets[1].0.id());
        for value in 0..14 {
            match world.insert(sets[value % 2].1, value as u64) {
                Ok(handle) => {
                    issued.issue(handle);
                    created.push(handle);
                }
                Err(why) => assert_eq!(why, Exhausted::Space),
            }
        }
        for (set, _) in sets {
            world.retire(set);
            assert_eq!(set.totals().outstanding, 0);
        }
        assert!(created.iter().all(|handle| world.get(*handle).is_none()));
        vain = if created.is_empty() { vain + 1 } else { 0 };
    }
    assert_eq!(issued.count(), world.promised(), "all that was promised, and no more");
    assert!(issued.all().all(|(handle, _)| world.get(handle).is_none()), "an old handle came to life");
}

/// A page whose memory was given back goes on above everything that it has issued.
#[test]
fn s1_giving_memory_back_brings_nothing_back() {
    const TOGETHER: usize = 40;
    let world = World::<Large>::new();
    let (set, shard) = world.set();
    let mut issued = Named::new();
    let mut given_back = 0;
    loop {
        let handles: Vec<_> =
            (0..TOGETHER).map_while(|value| world.insert(shard, [value as u64; 1024]).ok()).collect();
        if handles.is_empty() {
            break;
        }
        for (value, handle) in handles.iter().enumerate() {
            issued.issue(*handle);
            assert_eq!(world.get(*handle), Some([value as u64; 1024]));
        }
        let before = set.totals().pages;
        handles.iter().for_each(|handle| world.remove(*handle));
        given_back += before - set.totals().pages;
        assert!(handles.iter().all(|handle| world.get(*handle).is_none()));
    }
    assert!(given_back > PLACES as usize, "each place more than once: {given_back}");
    assert!(issued.count() <= world.promised());
    assert_eq!(world.insert(shard, [1; 1024]), Err(Exhausted::Space));
    assert!(issued.all().all(|(handle, _)| world.get(handle).is_none()), "an old handle came to life");
}

#[test]
fn s1_a_slot_is_retired_after_its_last_generation() {
    let space = Space::leaked(Size { places: 128, slots: 1, last_generation: 1000 });
    let world = World::<u64>::of(space);
    let (_set, shard) = world.set();
    let first = world.insert(shard, 1).unwrap();
    let mut last = first;
    loop {
        world.remove(last);
        let next = world.insert(shard, 1).unwrap();
        if bits::place(next) != bits::place(first) {
            break;
        }
        assert_eq!(bits::generation(next), bits::generation(last) + 1);
        last = next;
    }
    assert_eq!(bits::generation(last), 1000);
}

#[test]
fn s1_records_get_places_by_runs_and_the_common_record_those_at_the_end() {
    // 32 runs of sixteen, of which two are common.
    let space = Space::leaked(Size { places: 32 * 16, slots: 4, last_generation: 15 });
    assert_eq!((space.used_for_threads(), space.record_count()), (0, 0));
    let (one, two) = (space.add_record(), space.add_record());
    let common = space.common_record();
    assert!(std::ptr::eq(common, space.common_record()) && space.record_count() == 3);
    assert_eq!(space.all_records().count(), 3);
    assert_eq!([one, two, one].map(|record| space.take_place(record).ok()), [Some(0), Some(16), Some(1)]);
    assert_eq!(space.used_for_threads(), 32);
    assert_eq!([common, two].map(|record| space.take_place(record).ok()), [Some(30 * 16), Some(17)]);
    // What comes back is given out first, to the one that it belongs to.
    space.untake_place(two, 17);
    assert_eq!([one, two, one].map(|record| space.take_place(record).ok()), [Some(2), Some(17), Some(3)]);
    let rest: Vec<_> = std::iter::from_fn(|| space.take_place(common).ok()).collect();
    assert!(rest.into_iter().eq(30 * 16 + 1..32 * 16), "two runs and no more");
    let rest: Vec<_> = std::iter::from_fn(|| space.take_place(one).ok()).collect();
    assert!(rest.into_iter().eq((4..16).chain(32..30 * 16)), "all but those of the others");
    assert_eq!(space.used_for_threads(), 30 * 16);
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
fn s1_a_place_that_is_given_back_is_not_another_ones() {
    let space = Space::leaked(SIZE);
    let record = space.add_record();
    let [first, second] = [(); 2].map(|()| space.take_place(record).unwrap());
    // The page of the second is there by now.
    space.untake_place(record, first);
    let third = space.take_place(record).unwrap();
    assert!(third != first && third != second);
    space.untake_place(record, third);
    assert_eq!(space.take_place(record), Ok(third), "nobody was faster");
}

#[test]
fn s13_a_live_handle_is_known_also_where_its_slot_was_never_used_before_memory_went() {
    // Some slots were used before the page's memory went, and others begin after that.
    for _ in 0..16 {
        let (few, many) = (40, 400);
        let handles = |registry: &crate::Registry<[u8; 1100]>, count| -> Vec<_> {
            (0..count).map(|_| registry.insert([7; 1100])).collect()
        };
        let first = crate::Registry::new();
        handles(&first, few);
        drop(first);
        let second = crate::Registry::new();
        for handle in handles(&second, many) {
            let other = crate::AnyHandle::from(handle).downcast::<u32>().unwrap_err();
            assert_eq!(other.kind(), crate::ErrorKind::WrongType, "{other}");
        }
    }
}
