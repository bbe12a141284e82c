//! Records and cells by themselves, step by step.

use super::*;
use crate::raw::link::Link;
use crate::raw::space::{Size, Space};
use std::ptr;

#[test]
fn e4_a_failed_lookup_finds_its_debt_whatever_the_mode() {
    let record: &'static Record = Space::leaked(Size::FULL).add_record();
    let (cell, handle) = (Cell::first(record), 0x1_0000_0001);
    for mode in [PLAIN, SHARED] {
        record.mode.store(mode, Ordering::Relaxed);
        record.publish_plainly(cell.cell(), handle);
        // As a remover leaves it that saw the mode shared.
        record.debts[0].store(handle, Ordering::Relaxed);
        assert_eq!(cell.release_failed(), Some(handle));
        assert_eq!(record.debts[0].load(Ordering::Relaxed), 0);
        assert!(cell.is_free());
    }
}

const HANDLE: u64 = bits::pack(3, 17, 5);
const OTHER: u64 = bits::pack(4, 17, 6);

fn record() -> &'static Record {
    let record = Space::leaked(Size::FULL).add_record();
    assert!(record.claim());
    record
}

fn hold(record: &'static Record, handle: u64) -> Cell {
    let cell = record.free_cell().unwrap();
    record.publish(cell.cell(), handle);
    cell
}

#[test]
fn e12_one_revoker_of_several_ends_the_plain_mode_and_it_alone_says_so() {
    let record = record();
    record.mode.store(PLAIN, Ordering::Relaxed);
    assert!(record.is_plain());
    assert!(record.revoke(HANDLE) && record.revoke(OTHER), "each needs a barrier");
    record.revoked(OTHER);
    assert!(record.is_plain() && record.revoke(OTHER), "the first has not passed its barrier");
    record.revoked(HANDLE);
    assert!(!record.is_plain() && !record.revoke(HANDLE));
}

#[test]
fn e12_a_record_is_plain_again_after_its_patience_which_each_revocation_doubles() {
    let record = record();
    if !barrier::is_available() {
        return;
    }
    let mut patience = PATIENCE.0;
    for _ in 0..6 {
        assert!(record.revoke(HANDLE));
        record.revoked(HANDLE);
        assert_eq!(record.patience.load(Ordering::Relaxed), patience);
        for _ in 0..patience {
            assert_eq!(hold(record, OTHER).release(), None);
            assert!(!record.is_plain());
        }
        let kept = hold(record, OTHER);
        assert_eq!(hold(record, OTHER).release(), None);
        assert!(!record.is_plain(), "a guard was published in the other mode");
        assert_eq!(kept.release(), None);
        assert!(record.is_plain());
        patience = (patience * 2).min(PATIENCE.1);
    }
    assert_eq!(patience, PATIENCE.1);
}

#[test]
fn e9_a_record_keeps_the_pages_that_its_cells_name_and_no_others() {
    let record = record();
    let keeps = |places: [u32; 4]| places.map(|place| record.keeps(place));
    assert_eq!(keeps([0, 16, 17, 18]), [false; 4]);
    let first = hold(record, HANDLE);
    let second = hold(record, bits::pack(1, 18, 0));
    assert_eq!(keeps([0, 16, 17, 18]), [false, false, true, true]);
    assert_eq!((first.release(), keeps([0, 16, 17, 18])), (None, [false, false, false, true]));
    assert_eq!((second.release(), keeps([0, 16, 17, 18])), (None, [false; 4]));
    record.begin_stay(HANDLE);
    assert_eq!(keeps([0, 16, 17, 18]), [false, false, true, false]);
    record.end_stay();
    assert_eq!(keeps([0, 16, 17, 18]), [false; 4]);
}

#[test]
fn e13_an_intent_names_its_handle_and_a_stay_is_none() {
    let record = record();
    assert_eq!(record.intent(), None);
    record.begin_stay(HANDLE);
    assert_eq!(record.intent(), None);
    record.begin_intent(HANDLE);
    assert_eq!(record.intent(), Some(HANDLE));
    record.end_stay();
    assert_eq!(record.intent(), None);
}

#[test]
fn i5_every_cell_is_given_out_once_and_the_claimer_knows_whether_some_are_in_use() {
    let record = record();
    assert!(!record.may_have_guards() && !record.holds(HANDLE));
    let cells: Vec<_> = (0..GUARD_CELLS).map(|_| hold(record, HANDLE)).collect();
    for (index, cell) in cells.iter().enumerate() {
        assert_eq!((cell.index(), cell.handle(), cell.is_free()), (index, HANDLE, false));
        assert!(ptr::eq(cell.record(), record));
    }
    assert!(record.free_cell().is_none());
    assert_eq!(record.find(HANDLE), Some(0));
    assert_eq!(record.find(OTHER), None);
    // The first, and all but the last.
    for cell in &cells[..GUARD_CELLS - 1] {
        assert_eq!(cell.release(), None);
    }
    assert_eq!(record.find(HANDLE), Some(GUARD_CELLS - 1));
    assert!(record.may_have_guards() && record.holds(HANDLE) && !record.holds(OTHER));
    assert!(record.may_have_guards(), "one is still there");
    assert_eq!(cells[GUARD_CELLS - 1].release(), None);
    assert!(!record.holds(HANDLE));
    assert!(!record.may_have_guards(), "and now none is");
    hold(record, HANDLE).release();
    assert!(!record.may_have_guards(), "the first cell alone is told by itself");
}

#[test]
fn e8_a_record_is_claimed_by_one_and_belongs_to_the_group_of_its_number() {
    let space = Space::leaked(Size::FULL);
    let records: Vec<_> = (0..10).map(|_| space.add_record()).collect();
    let record = records[9];
    assert_eq!((record.group(), record.reader_bit()), (1, reader_bit(1)));
    assert!(!record.is_pooled() && space.add_pooled_record().is_pooled());
    assert!(record.claim() && !record.claim());
    record.disclaim();
    assert!(record.claim() && !record.claim());
    record.set_who(7);
    assert_eq!(record.who(), 7);
}

#[test]
fn e4_a_guard_that_is_left_behind_is_noted_and_gives_its_hold_back() {
    let record = record();
    let cell = hold(record, HANDLE);
    assert_eq!(record.left_behind().collect::<Vec<_>>(), [(0, HANDLE)]);
    assert!(!record.note(0, HANDLE));
    assert!(record.left_behind().next().is_none() && !cell.is_free());
    assert_eq!((cell.handle(), cell.release()), (HANDLE, Some(HANDLE)));
    // Where a remover counted it as well.
    let cell = hold(record, HANDLE);
    record.debts[0].store(HANDLE, Ordering::Relaxed);
    assert!(record.note(0, HANDLE) && !record.note(0, HANDLE));
    assert_eq!(record.debts[0].load(Ordering::Relaxed), 0);
    assert_eq!(cell.release(), Some(HANDLE));
}

/// A slot that was removed, whose remover has a hold.
fn removed(handle: u64) -> Slot {
    let slot = Slot::new();
    slot.prime(bits::generation(handle), Link::END);
    slot.open(bits::generation(handle));
    assert!(slot.close(bits::generation(handle)).is_some());
    slot
}

#[test]
fn e4_a_conversion_counts_the_readers_of_the_handle_and_takes_what_others_left() {
    let record = record();
    record.mode.store(SHARED, Ordering::Relaxed);
    let slot = removed(HANDLE);
    let cells = [hold(record, HANDLE), hold(record, OTHER), hold(record, HANDLE)];
    record.debts[2].store(OTHER, Ordering::Relaxed);
    let mut orphans = Orphans::default();
    record.convert(HANDLE, &slot, &mut orphans);
    assert_eq!(slot.state().holds(), 3);
    assert_eq!(orphans.take().collect::<Vec<_>>(), [OTHER]);
    assert_eq!(orphans.take().count(), 0);
    assert_eq!(cells.map(Cell::release), [Some(HANDLE), None, Some(HANDLE)]);
    assert!(record.debts.iter().all(|debt| debt.load(Ordering::Relaxed) == 0));
}

#[test]
fn e4_orphans_have_room_for_a_few_and_no_more() {
    let mut orphans = Orphans::default();
    for handle in 1..=4 {
        assert!(orphans.has_room());
        orphans.push(handle);
    }
    assert!(!orphans.has_room());
    assert_eq!(orphans.take().collect::<Vec<_>>(), [1, 2, 3, 4]);
    assert!(orphans.has_room());
}

#[test]
fn e4_the_claimers_own_guards_are_noted_in_their_cells() {
    let record = record();
    let slot = removed(HANDLE);
    let cells = [hold(record, HANDLE), hold(record, OTHER), hold(record, HANDLE)];
    record.convert_own(HANDLE, &slot);
    assert_eq!(slot.state().holds(), 3);
    assert_eq!(record.left_behind().collect::<Vec<_>>(), [(1, OTHER)]);
    assert_eq!(cells.map(Cell::release), [Some(HANDLE), None, Some(HANDLE)]);
}
