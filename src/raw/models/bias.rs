//! The owner's plain removals, and their revocation.

use super::*;
use crate::raw::bits;

impl Owner {
    /// A removal as the owner's fast path does it, or as [`Owner::remove`] where that gives up.
    pub(super) fn remove_own(&self, handle: u64) -> Option<bool> {
        let World { space, .. } = self.world;
        let want = Want::Set(self.world.set().id);
        // SAFETY(I2): the set is in use, and holds probes.
        if unsafe { raw_lookup::remove_own::<Probe>(space, self.record, handle, want, 2) } {
            return Some(true);
        }
        // SAFETY(I2): as above.
        let closed = unsafe { raw_lookup::close::<Probe>(space, self.record, handle, want, 2) }?;
        Some(closed.drop_value(Some(self.record)))
    }
}

#[test]
fn e13_s4_the_owners_plain_removal_against_a_foreign_one() {
    explore(|order| {
        let (world, owner, drops, handle) = one_live();
        let (mine, theirs) = order.race(
            move || owner.remove_own(handle),
            move || {
                let me = world.record();
                let removed = world.remove(me, handle);
                // Whoever lost against an intent sees the handle removed from then on.
                assert!(!world.visit(me, handle));
                removed
            },
        );
        assert!(mine.is_some() != theirs.is_some(), "{mine:?} {theirs:?}");
        assert_eq!(drops.count(), 1);
        assert_eq!(world.set().totals().live(), 0);
    });
}

/// A removal by the owner that does not know the type, against another thread's lookup, then its removal.
#[test]
fn e13_s4_s5_the_owners_plain_removal_of_any_type_against_another_thread() {
    explore(|order| {
        let world = World::perpetual(1);
        let owner = world.owner();
        let drops = Drops::default();
        let handle = owner.insert(drops.probe());
        let seen = drops.clone();
        let (mine, theirs) = order.race(
            move || {
                if raw_lookup::remove_own_any(world.space, owner.record, handle, 2) {
                    assert_eq!(seen.count(), 1, "dropped before the removal returned");
                    return true;
                }
                let closed = raw_lookup::close_any(world.space, owner.record, handle, 2);
                closed.map(|closed| closed.drop_value(Some(owner.record))).is_some()
            },
            move || {
                let me = world.record();
                let first = world.visit(me, handle);
                let removed = raw_lookup::close_any(world.space, me, handle, 3);
                assert!(first || removed.is_none(), "a handle that was removed is live again");
                removed.map(|removed| removed.drop_value(Some(me))).is_some()
            },
        );
        assert!(mine != theirs, "{mine:?} {theirs:?}");
        assert_eq!(drops.count(), 1);
    });
}

#[test]
fn e13_s5_the_owners_plain_removal_against_a_foreign_lookup() {
    explore(|order| {
        let (world, owner, drops, handle) = one_live();
        let seen = drops.clone();
        order.race(
            move || {
                let me = world.record();
                let (first, second) = (world.visit(me, handle), world.visit(me, handle));
                assert!(first || !second, "a handle that was removed is live again");
            },
            move || {
                if owner.remove_own(handle).unwrap() {
                    assert_eq!(seen.count(), 1, "dropped before the removal returned");
                }
            },
        );
        assert_eq!(drops.count(), 1);
    });
}

#[test]
fn e13_two_foreign_threads_revoke_while_the_owner_removes() {
    explore_three(|order| {
        let (world, owner, drops, handle) = one_live();
        let third = thread::spawn(move || world.remove(world.record(), handle));
        let (mine, _) =
            order.race(move || owner.remove_own(handle), move || world.visit(world.record(), handle));
        let theirs = third.join().unwrap();
        assert!(mine.is_some() != theirs.is_some(), "{mine:?} {theirs:?}");
        assert_eq!(drops.count(), 1);
    });
}

#[test]
fn e13_an_intent_is_nobody_elses_business() {
    explore_three(|order| {
        let world = World::new(2);
        let owner = world.owner();
        let (drops, others) = (Drops::default(), Drops::default());
        let (gone, stays) = (owner.insert(drops.probe()), owner.insert(others.probe()));
        let third = thread::spawn(move || assert!(world.visit(world.record(), stays)));
        order.race(
            move || assert!(owner.remove_own(gone).is_some()),
            move || assert!(world.visit(world.record(), stays)),
        );
        third.join().unwrap();
        assert_eq!((drops.count(), others.count()), (1, 0));
        assert_eq!(owner.remove_own(stays), Some(true));
    });
}

#[test]
fn e13_the_owners_next_removals_leave_a_shared_page_to_exchanges() {
    explore(|order| {
        let world = World::new(2);
        let owner = world.owner();
        let drops = Drops::default();
        let handles = [owner.insert(drops.probe()), owner.insert(drops.probe())];
        let (mine, theirs) = order.race(
            move || handles.map(|handle| owner.remove_own(handle).is_some()),
            move || {
                let me = world.record();
                handles.map(|handle| world.remove(me, handle).is_some())
            },
        );
        assert_eq!([mine[0] != theirs[0], mine[1] != theirs[1]], [true; 2]);
        assert_eq!(drops.count(), 2);
    });
}

#[test]
fn e13_a_counted_hold_that_comes_back_against_the_owners_plain_removal() {
    explore(|order| {
        let (world, owner, drops, handle) = one_live();
        let mut hold = world.get(owner.record, handle).unwrap();
        assert!(hold.token.count(world.space, Some(owner.record)));
        let hold = Carried(hold);
        order.race(
            move || {
                // The page is biased all the while: a hold is given back without revoking anything.
                let hold = hold;
                world.release(None, &hold.0);
            },
            move || owner.remove_own(handle).unwrap(),
        );
        assert_eq!(drops.count(), 1);
        assert_eq!(world.set().totals().live(), 0);
    });
}

/// Values without a drop, whose removal is one store.
pub(super) mod plain {
    use super::*;

    pub(in super::super) fn insert(owner: &Owner, value: u64) -> u64 {
        // SAFETY(I6): the models use an owner on one thread at a time.
        let popped = unsafe { create::pop::<u64>(owner.shard) }.expect("room");
        // SAFETY(I3): just popped, in a set of integers.
        unsafe { create::fill(popped, value, 1) }.get()
    }

    pub(in super::super) fn remove_own(owner: &Owner, handle: u64) -> bool {
        let (space, want) = (owner.world.space, Want::Set(owner.world.set().id));
        // SAFETY(I2): the set is in use, and holds integers.
        let plainly = unsafe { raw_lookup::remove_own::<u64>(space, owner.record, handle, want, 2) };
        plainly || remove(&owner.world, owner.record, handle, want)
    }

    pub(in super::super) fn remove(world: &World, me: &'static Record, handle: u64, want: Want) -> bool {
        // SAFETY(I2): the set is in use.
        match unsafe { raw_lookup::close::<u64>(world.space, me, handle, want, 2) } {
            None => false,
            Some(closed) => {
                // SAFETY(I3): the page holds integers.
                unsafe { closed.drop_value_as::<u64>(Some(me)) };
                true
            }
        }
    }

    pub(in super::super) fn visit(world: &World, me: &'static Record, handle: u64, value: u64) -> bool {
        let Some(hold) = raw_lookup::get::<u64>(world.space, me, handle, Want::Type) else {
            return false;
        };
        assert_eq!(*hold.value(), value);
        world.slot(handle).value.read();
        // SAFETY(I4): released once.
        unsafe { hold.token.release(world.space, || Some(me)) };
        true
    }

    pub(in super::super) fn world() -> (World, Owner) {
        let size = Size { places: 4, slots: 1, last_generation: 1 << 20 };
        let space: &'static Space = Box::leak(Box::new(Space::new(size)));
        let set = Box::new(Set::new::<u64>(space, usize::MAX, false));
        let world = World { space, set: NonNull::from(Box::leak(set)) };
        (world, world.owner())
    }

    #[test]
    fn e13_one_store_removes_and_frees_against_a_foreign_lookup() {
        explore(|order| {
            let (world, owner) = world();
            let old = insert(&owner, 7);
            let (_, new) = order.race(
                move || visit(&world, world.record(), old, 7),
                move || {
                    assert!(remove_own(&owner, old));
                    insert(&owner, 8)
                },
            );
            assert_ne!(new, old);
            assert!(visit(&world, owner.record, new, 8));
        });
    }

    #[test]
    fn e13_one_store_removes_and_frees_against_a_foreign_removal() {
        explore(|order| {
            let (world, owner) = world();
            let old = insert(&owner, 7);
            let ((mine, new), theirs) = order.race(
                move || (remove_own(&owner, old), insert(&owner, 8)),
                move || remove(&world, world.record(), old, Want::Type),
            );
            assert!(mine != theirs);
            assert_ne!(bits::generation(new), bits::generation(old));
            assert!(visit(&world, owner.record, new, 8));
        });
    }
}
