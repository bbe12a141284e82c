//! Holds that change their form while somebody removes: a cell that becomes a debt, a guard that becomes a count.

use super::*;
use crate::raw::record::CELLS;

impl World {
    /// Takes all the cells of a record with another handle, so that its next lookup counts.
    pub(super) fn fill_cells(&self, me: &'static Record, other: u64) -> Vec<Carried> {
        let kept = (0..CELLS).map(|_| Carried(self.get(me, other).unwrap())).collect();
        assert!(me.free_cell().is_none());
        kept
    }
}

#[test]
fn e5_turning_a_guard_into_a_shared_one_against_a_foreign_removal() {
    explore(|order| {
        let (world, owner, drops, handle) = one_live();
        let hold = Carried(world.get(owner.record, handle).unwrap());
        let seen = drops.clone();
        order.race(
            move || {
                let Carried(mut hold) = { hold };
                assert!(hold.token.count(world.space, Some(owner.record)));
                assert_eq!(seen.count(), 0);
                world.release(Some(owner.record), &hold);
            },
            move || world.remove(world.record(), handle).unwrap(),
        );
        assert_eq!(drops.count(), 1);
    });
}

#[test]
fn e6_a_shared_guard_that_was_sent_and_copied_against_removal() {
    explore(|order| {
        let (world, owner, drops, handle) = one_live();
        let mut hold = world.get(owner.record, handle).unwrap();
        assert!(hold.token.count(world.space, Some(owner.record)));
        let hold = Carried(hold);
        order.race(
            move || {
                // On a thread that haft has never seen.
                let hold = hold;
                let copy = hold.0.duplicate(world.space).unwrap();
                world.release(None, &hold.0);
                world.release(None, &copy);
            },
            move || world.remove(world.record(), handle).unwrap(),
        );
        assert_eq!(drops.count(), 1);
        assert_eq!(world.live(), 0);
    });
}

#[test]
fn e1_a_counted_lookup_finds_the_value() {
    explore(|order| {
        let world = World::new(2);
        let owner = world.owner();
        let (drops, others) = (Drops::default(), Drops::default());
        let other = owner.insert(others.probe());
        let me = world.record();
        let _kept = world.fill_cells(me, other);
        let probe = drops.probe();
        // The first handle's neighbour, known before it is there.
        let next = world.first_handle(bits::place(other), 1);
        order.race(move || assert_eq!(owner.insert(probe), next), move || world.visit(me, next));
        assert_eq!(drops.count(), 0);
    });
}

#[test]
fn e6_a_counted_lookup_by_the_owner_against_a_foreign_removal() {
    explore(|order| {
        let world = World::new(2);
        let owner = world.owner();
        let (drops, others) = (Drops::default(), Drops::default());
        let other = owner.insert(others.probe());
        let handle = owner.insert(drops.probe());
        let _kept = world.fill_cells(owner.record, other);
        order.race(
            move || world.visit(owner.record, handle),
            move || world.remove(world.record(), handle).unwrap(),
        );
        assert_eq!((drops.count(), others.count()), (1, 0));
    });
}

#[test]
fn i4_a_thread_that_removes_what_it_holds_against_another_holder() {
    explore(|order| {
        let (world, owner, drops, handle) = one_live();
        let (mine, other) = (Carried(world.get(owner.record, handle).unwrap()), world.record());
        let theirs = Carried(world.get(other, handle).unwrap());
        order.race(
            move || {
                let mine = mine;
                assert_eq!(owner.remove(handle), Some(false));
                world.release(Some(owner.record), &mine.0);
            },
            move || {
                let theirs = theirs;
                world.release(Some(other), &theirs.0);
            },
        );
        assert_eq!(drops.count(), 1);
    });
}

#[test]
fn e4_a_debt_in_a_cell_that_is_used_again_is_waited_for_by_the_next_remover() {
    explore(|order| {
        let world = World::new(3);
        let owner = world.owner();
        let (drops, others) = (Drops::default(), Drops::default());
        let handles = [&others, &drops, &Drops::default()].map(|drops| owner.insert(drops.probe()));
        let (one, two) = (world.record(), world.record());
        // The record is shared already, so that the removers are short.
        assert_eq!(world.remove(one, handles[2]), Some(true));
        let first = Carried(world.get(owner.record, handles[0]).unwrap());
        order.race(
            move || world.remove(one, handles[0]).unwrap(),
            move || {
                let first = first;
                world.release(Some(owner.record), &first.0);
                // The same cell, perhaps with the debt of the handle before; and another thread's
                // removal, made here.
                let second = world.get(owner.record, handles[1]).unwrap();
                assert_eq!(world.remove(two, handles[1]), Some(false));
                world.release(Some(owner.record), &second);
            },
        );
        assert_eq!((drops.count(), others.count()), (1, 1));
        assert_eq!(world.live(), 0);
    });
}
