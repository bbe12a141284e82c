//! Pages that go: a registry's drop against everything that may still be under way.

use super::*;

impl World {
    pub(super) fn retire(&self, me: &'static Record) {
        // SAFETY(I2): leaked from a box; the models use the set no more, but for holders of its values.
        unsafe { Set::retire(self.set, 3, &|lend: &mut dyn FnMut(&'static Record)| lend(me)) };
    }

    /// Another set in the same space.
    pub(super) fn another(&self) -> Self {
        let set = Box::new(Set::new::<Probe>(self.space, usize::MAX, false));
        Self { set: NonNull::from(Box::leak(set)), ..*self }
    }

    /// The shard of a record that is there already.
    pub(super) fn shard(&self, record: &'static Record) -> Owner {
        Owner { world: *self, record, shard: Box::leak(Box::new(Shard::new(self.set, record))) }
    }
}

#[test]
fn e9_a_lookup_against_the_registrys_drop() {
    explore(|order| {
        let (world, owner, drops, handle) = one_live();
        order.race(move || world.visit(world.record(), handle), move || world.retire(owner.record));
        assert_eq!(drops.count(), 1);
    });
}

#[test]
fn e9_a_stay_keeps_a_page_that_is_withdrawn() {
    explore(|order| {
        let (world, owner, drops, handle) = one_live();
        order.race(
            move || {
                let me = world.record();
                let _stay = raw_lookup::Stay::begin(me, handle);
                if let Some(page) = world.space.page(handle) {
                    // SAFETY(I2): the stay keeps the page.
                    let header = unsafe { page.header() };
                    assert_eq!(header.place, crate::raw::bits::place(handle));
                }
            },
            move || world.retire(owner.record),
        );
        assert_eq!(drops.count(), 1);
    });
}

#[test]
fn e9_a_removal_against_the_registrys_drop() {
    explore(|order| {
        let (world, owner, drops, handle) = one_live();
        order.race(move || world.remove(world.record(), handle), move || world.retire(owner.record));
        assert_eq!(drops.count(), 1);
    });
}

#[test]
fn e10_a_holder_that_outlives_the_registry() {
    explore(|order| {
        let (world, owner, drops, handle) = one_live();
        let me = world.record();
        let mut hold = world.get(me, handle).unwrap();
        assert!(hold.token.count(world.space, Some(me)));
        let hold = Carried(hold);
        order.race(
            move || {
                let hold = hold;
                world.release(Some(me), &hold.0);
            },
            move || world.retire(owner.record),
        );
        assert_eq!(drops.count(), 1);
        // What could not be freed then is freed by the next one who comes by.
        world.another().retire(me);
        assert_eq!(world.space.leftovers.lock().is_some(), false);
    });
}

#[test]
fn e10_the_owner_lets_go_while_its_registry_is_dropped_elsewhere() {
    explore(|order| {
        let (world, owner, drops, handle) = one_live();
        let hold = Carried(world.get(owner.record, handle).unwrap());
        order.race(
            move || {
                let hold = hold;
                world.release(Some(owner.record), &hold.0);
            },
            move || world.retire(world.record()),
        );
        assert_eq!(drops.count(), 1);
        world.another().retire(owner.record);
        assert_eq!(world.space.leftovers.lock().is_some(), false);
    });
}

#[test]
fn s1_a_place_that_is_used_again_issues_later_generations() {
    explore(|order| {
        let world = World::new(1);
        let drops = Drops::default();
        let record = world.record();
        let old = world.shard(record).insert(drops.probe());
        let probe = drops.probe();
        let (_, new) = order.race(
            move || {
                let me = world.record();
                if let Some(hold) = world.get(me, old) {
                    assert_eq!(hold.token.handle(), old);
                    world.release(Some(me), &hold);
                }
            },
            move || {
                world.retire(record);
                let next = world.another();
                let new = next.shard(record).insert(probe);
                assert_eq!(next.remove(record, new), Some(true));
                new
            },
        );
        assert_ne!(new, old);
        assert_eq!(drops.count(), 2);
    });
}
