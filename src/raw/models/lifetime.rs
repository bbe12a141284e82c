//! Registries that go, and what they leave to the next one of their type.

use super::*;

#[test]
fn s5_a_lookup_against_the_registrys_drop() {
    explore(|order| {
        let (world, owner, drops, handle) = one_live();
        order.race(move || world.visit(world.record(), handle), move || world.retire(owner.record));
        assert_eq!((drops.count(), world.live()), (1, 0));
    });
}

#[test]
fn s4_a_removal_against_the_registrys_drop() {
    explore(|order| {
        let (world, owner, drops, handle) = one_live();
        order.race(move || world.remove(world.record(), handle), move || world.retire(owner.record));
        assert_eq!((drops.count(), world.live()), (1, 0));
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
        assert_eq!((drops.count(), world.live()), (1, 0));
        goes_on(world, owner.record, handle);
    });
}

/// The next registry of the type gets what is left, and never issues the handle again.
fn goes_on(world: World, record: &'static Record, old: u64) {
    let next = world.another();
    assert!(std::ptr::eq(next.set, world.set), "the set is vacant");
    let later = Drops::default();
    let owner = next.owner_with(record);
    // As `thread_local` finds it again.
    let new = Owner { shard: next.slot_owner(old), ..owner }.insert(later.probe());
    assert_eq!(bits::place(new), bits::place(old), "the page is used again");
    assert!(bits::generation(new) > bits::generation(old), "{new:x} after {old:x}");
    assert!(next.visit(record, new) && !next.visit(record, old));
    assert_eq!(next.remove(record, new), Some(true));
}

impl World {
    /// The shard whose page the handle is of.
    pub(super) fn slot_owner(&self, handle: u64) -> &'static Shard {
        // SAFETY(I2): the handle was issued, so its page is installed.
        unsafe { self.space.page(handle).shard() }
    }
}

#[test]
fn e10_i8_a_guard_of_the_owner_that_outlives_the_registry() {
    explore(|order| {
        // A slot of the page was never used, so both of the owner's lists have something.
        let world = World::new(2);
        let (owner, drops) = (world.owner(), Drops::default());
        let handle = owner.insert(drops.probe());
        let hold = Carried(world.get(owner.record, handle).unwrap());
        order.race(
            move || {
                let hold = hold;
                world.release(Some(owner.record), &hold.0);
            },
            move || world.retire(world.record()),
        );
        assert_eq!((drops.count(), world.live()), (1, 0));
        let next = world.another();
        let owner = Owner { world: next, ..owner };
        let new = [0; 3].map(|_| owner.insert(Drops::default().probe()));
        all_differ(&[handle, new[0], new[1], new[2]]);
        for new in new.into_iter().filter(|new| bits::place(*new) == bits::place(handle)) {
            assert!(bits::generation(new) > 1, "{new:x} is of memory that shows zeros");
            assert!(bits::slot(new) != bits::slot(handle) || new > handle);
        }
        assert!(new.iter().all(|new| next.visit(owner.record, *new)));
    });
}

#[test]
fn e10_i8_a_holder_on_another_thread_returns_its_slot_while_the_registry_goes() {
    explore(|order| {
        let (world, owner, drops, handle) = one_live();
        let reader = world.record();
        let hold = Carried(world.get(reader, handle).unwrap());
        order.race(
            move || {
                let Carried(mut hold) = { hold };
                // A guard, a shared one, and its end, whatever has become of the page's registry.
                assert!(hold.token.count(world.space, Some(reader)));
                world.release(None, &hold);
            },
            move || world.retire(owner.record),
        );
        assert_eq!((drops.count(), world.live()), (1, 0));
        goes_on(world, owner.record, handle);
    });
}

#[test]
fn s17_a_registry_whose_value_is_held_is_not_adopted() {
    explore(|order| {
        let (world, owner, drops, handle) = one_live();
        let reader = world.record();
        let hold = Carried(world.get(reader, handle).unwrap());
        world.retire(owner.record);
        assert_eq!(drops.count(), 0);
        let early = world.another();
        assert!(!std::ptr::eq(early.set, world.set), "adopted while a value is held");
        // The next registry comes while the holder lets go: it has the set, or one of its own.
        let (_, (next, new)) = order.race(
            move || {
                let hold = hold;
                world.release(Some(reader), &hold.0);
            },
            move || {
                let next = world.another();
                let owner = owner.moves_to(next);
                (next, owner.insert(Drops::default().probe()))
            },
        );
        assert_ne!(new, handle);
        assert_eq!(drops.count(), 1);
        assert!(next.visit(owner.record, new));
        assert_eq!(next.live(), 1);
    });
}

#[test]
fn s1_a_page_that_is_used_again_issues_later_generations() {
    explore_long(|order| {
        let (world, owner, drops, old) = one_live();
        let probe = drops.probe();
        let (_, new) = order.race(
            move || {
                let me = world.record();
                for guess in [old, old + (1 << 33)] {
                    if let Some(hold) = world.get(me, guess) {
                        assert_eq!(hold.token.handle(), guess);
                        world.release(Some(me), &hold);
                    }
                }
            },
            move || {
                world.retire(owner.record);
                let next = world.another();
                let owner = owner.moves_to(next);
                let new = owner.insert(probe);
                // The guess may be right, and hold it.
                assert!(next.remove(owner.record, new).is_some());
                new
            },
        );
        assert_ne!(new, old);
        assert_eq!(drops.count(), 2);
    });
}

#[test]
fn s13_a_handle_of_a_registry_that_was_dropped_is_none_of_the_next_one() {
    explore_long(|order| {
        let (world, owner, drops, old) = one_live();
        let before = world.set.id();
        let probe = drops.probe();
        let (found, ()) = order.race(
            move || {
                let me = world.record();
                let hold = raw_lookup::get::<Probe>(world.space, me, old, Want::Set(before));
                hold.inspect(|hold| world.release(Some(me), hold)).is_some()
            },
            move || {
                assert!(owner.remove(old).is_some());
                world.retire(owner.record);
                let next = world.another();
                if std::ptr::eq(next.set, world.set) {
                    assert_ne!(next.set.id(), before);
                    Owner { world: next, ..owner }.insert(probe);
                }
            },
        );
        let _ = found;
        assert!(drops.count() >= 1);
        let me = world.record();
        assert!(raw_lookup::get::<Probe>(world.space, me, old, Want::Set(before)).is_none());
    });
}
