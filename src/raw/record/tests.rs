//! Records and cells by themselves, step by step.

use super::*;
use crate::raw::link::Link;
use crate::raw::space::{Size, Space};
use std::ptr;

const HANDLE: u64 = bits::pack(3, 17, 5);
const OTHER: u64 = bits::pack(4, 17, 6);

fn record() -> &'static Record {
    let record = Space::leaked(Size::FULL).add_record();
    assert!(record.claim());
    record
}

fn hold(record: &'static Record, handle: u64) -> Cell {
    let cell = record.free_cell().unwrap();
    record.publish(cell, handle);
    cell
}

fn is_plain(record: &Record) -> bool {
    record.mode.load(Ordering::Relaxed) == PLAIN
}

#[test]
fn e4_a_failed_lookup_finds_its_debt_whatever_the_mode() {
    let record = record();
    for mode in [PLAIN, SHARED] {
        record.mode.store(mode, Ordering::Relaxed);
        let cell = hold(record, HANDLE);
        // As a remover leaves it that saw the mode shared.
        record.debts[0].store(HANDLE, Ordering::Relaxed);
        assert!(cell.release_failed());
        assert_eq!(record.debts[0].load(Ordering::Relaxed), 0);
        assert!(cell.is_free());
        // And where nobody has counted it, it has nothing to give back.
        assert!(!hold(record, HANDLE).release_failed());
    }
}

#[test]
fn e12_one_remover_of_several_ends_the_plain_mode_and_it_alone_says_so() {
    let record = record();
    record.mode.store(PLAIN, Ordering::Relaxed);
    assert!(record.revoke(HANDLE) && record.revoke(OTHER), "each needs a barrier");
    assert_eq!(record.mode.load(Ordering::Relaxed), HANDLE);
    record.revoked(OTHER);
    assert!(record.revoke(OTHER), "the first has not passed its barrier");
    record.revoked(HANDLE);
    assert_eq!(record.mode.load(Ordering::Relaxed), SHARED);
    assert!(!record.revoke(HANDLE) && !record.revoke(OTHER));
}

#[test]
fn e12_a_late_end_of_a_revocation_changes_nothing() {
    let record = record();
    record.mode.store(PLAIN, Ordering::Relaxed);
    record.revoked(HANDLE);
    assert!(is_plain(record));
    assert!(record.revoke(OTHER));
    record.revoked(HANDLE);
    assert_eq!(record.mode.load(Ordering::Relaxed), OTHER);
}

#[test]
fn e12_a_record_is_plain_again_after_its_patience_where_no_guard_is_left() {
    let record = record();
    if !barrier::is_available() {
        return;
    }
    for _ in 0..3 {
        assert!(record.revoke(HANDLE));
        record.revoked(HANDLE);
        for _ in 0..PATIENCE {
            assert_eq!(hold(record, OTHER).release(), None);
            assert!(!is_plain(record));
        }
        let kept = hold(record, OTHER);
        assert_eq!(hold(record, OTHER).release(), None);
        assert!(!is_plain(record), "a guard was published in the other mode");
        for _ in 0..PATIENCE {
            assert_eq!(hold(record, OTHER).release(), None);
        }
        assert_eq!(kept.release(), None);
        assert!(is_plain(record));
    }
}

#[test]
fn e12_noted_cells_do_not_keep_a_record_from_being_plain_again() {
    let record = record();
    if !barrier::is_available() {
        return;
    }
    let slot = removed(HANDLE);
    let kept = hold(record, HANDLE);
    record.convert_own(HANDLE, &slot);
    assert!(record.revoke(OTHER));
    record.revoked(OTHER);
    for _ in 0..=PATIENCE {
        assert_eq!(hold(record, OTHER).release(), None);
    }
    assert!(is_plain(record));
    assert_eq!(kept.release(), Some(HANDLE));
}

#[test]
fn i5_every_cell_is_given_out_once_and_the_claimer_knows_what_is_in_them() {
    let record = record();
    assert!(!record.holds(HANDLE));
    let cells: Vec<_> = (0..CELLS).map(|_| hold(record, HANDLE)).collect();
    for (index, cell) in cells.iter().enumerate() {
        assert_eq!((cell.index(), cell.handle(), cell.is_free()), (index, HANDLE, false));
        assert!(ptr::eq(cell.record(), record));
    }
    assert!(record.free_cell().is_none());
    assert!(record.holds(HANDLE) && !record.holds(OTHER));
    // The first, and all but the last.
    for cell in &cells[..CELLS - 1] {
        assert_eq!(cell.release(), None);
    }
    assert!(record.holds(HANDLE) && !record.holds(OTHER), "the last one is found");
    assert_eq!(cells[CELLS - 1].release(), None);
    assert!(!record.holds(HANDLE) && !record.holds(OTHER));
    let cell = hold(record, HANDLE);
    assert!(ptr::eq(cell.0.as_ptr(), Cell::first(record).0.as_ptr()) && record.holds(HANDLE));
    assert_eq!(cell.release(), None);
}

#[test]
fn e8_a_record_is_claimed_by_one_thread_at_a_time() {
    let space = Space::leaked(Size::FULL);
    let records: Vec<_> = (0..10).map(|_| space.add_record()).collect();
    let record = records[9];
    assert_eq!(record.reader(), Reader::of(9));
    assert!(!record.is_pooled() && space.add_pooled_record().is_pooled());
    assert!(record.claim() && !record.claim());
    record.disclaim();
    assert!(record.claim() && !record.claim());
    record.set_who(7);
    assert_eq!(record.who(), 7);
}

#[test]
fn e14_removers_are_shown_the_records_that_are_claimed() {
    let space = Space::leaked(Size::FULL);
    // More than one word of bits, and more than one chunk.
    let records: Vec<_> = (0..600).map(|_| space.add_record()).collect();
    let chosen = [0, 63, 64, 511, 512, 599];
    chosen.into_iter().for_each(|index| assert!(records[index].claim()));
    let shown = || {
        let mut shown = Vec::new();
        let number = |record| records.iter().position(|one| ptr::eq(*one, record)).unwrap();
        space.records().each_claimed(|record| shown.push(number(record)));
        shown
    };
    assert_eq!(shown(), chosen);
    for (index, record) in records.iter().enumerate() {
        let mut found = false;
        space.records().claimed(index as u32, |shown| found = ptr::eq(shown, *record));
        assert_eq!(found, chosen.contains(&index));
    }
    records[511].disclaim();
    assert_eq!(shown(), [0, 63, 64, 512, 599]);
    assert!(space.records().get(600).is_none() && space.records().get(2000).is_none());
}

#[test]
fn e3_a_record_is_named_in_state_words_if_its_number_has_room_there() {
    let space = Space::leaked(Size::FULL);
    let records: Vec<_> = (0..1030).map(|_| space.add_record()).collect();
    for (index, record) in records.iter().enumerate() {
        assert_eq!(record.reader(), Reader::of(index as u32));
        match record.reader().record() {
            Some(number) => {
                assert_eq!(number as usize, index);
                assert_eq!(record.only(), record.reader());
            }
            None => {
                assert!(index >= 1022);
                assert_eq!((record.reader(), record.only()), (Reader::SEVERAL, Reader::NOBODY));
            }
        }
    }
    assert_eq!(space.common_record().only(), Reader::NOBODY);
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
    slot.open(bits::generation(handle), Reader::NOBODY);
    assert!(slot.close(handle).is_some());
    slot
}

#[test]
fn e4_a_conversion_counts_the_readers_of_the_handle_and_no_others() {
    let record = record();
    record.mode.store(SHARED, Ordering::Relaxed);
    let slot = removed(HANDLE);
    let cells = [hold(record, HANDLE), hold(record, OTHER), hold(record, HANDLE)];
    record.convert(HANDLE, &slot);
    assert_eq!(slot.state().holds(), 3);
    let debts: Vec<_> = record.debts.iter().map(|debt| debt.load(Ordering::Relaxed)).collect();
    assert_eq!(debts[..3], [HANDLE, 0, HANDLE]);
    assert_eq!(cells.map(Cell::release), [Some(HANDLE), None, Some(HANDLE)]);
    assert!(record.debts.iter().all(|debt| debt.load(Ordering::Relaxed) == 0));
}

#[test]
fn e4_a_conversion_waits_for_the_remover_that_takes_its_debt_back() {
    let record = record();
    record.mode.store(SHARED, Ordering::Relaxed);
    let slot = removed(HANDLE);
    let cell = hold(record, HANDLE);
    // Of a reader that was here before, whose remover has not noticed yet.
    record.debts[0].store(OTHER, Ordering::Relaxed);
    std::thread::scope(|scope| {
        let converting = scope.spawn(|| record.convert(HANDLE, &slot));
        while slot.state().holds() != 2 {
            std::thread::yield_now();
        }
        assert_eq!(record.debts[0].load(Ordering::Relaxed), OTHER, "it is another one's");
        assert!(record.take_debt(0, OTHER));
        converting.join().unwrap();
    });
    assert_eq!((slot.state().holds(), cell.release()), (2, Some(HANDLE)));
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

#[test]
fn s12_in_a_child_the_debts_of_readers_that_have_gone_are_nobodys() {
    let record = record();
    record.mode.store(SHARED, Ordering::Relaxed);
    let _cell = hold(record, HANDLE);
    // As a remover of another handle leaves it that has not looked a second time, and never will.
    record.debts[0].store(OTHER, Ordering::Relaxed);
    record.outlive();
    // (It would wait for ever.)
    let slot = removed(HANDLE);
    record.convert(HANDLE, &slot);
    assert_eq!(record.debts[0].load(Ordering::Relaxed), HANDLE);
    // A debt that its reader will find stays, and a revocation that nobody will end ends.
    record.mode.store(OTHER, Ordering::Relaxed);
    record.outlive();
    assert_eq!(record.debts[0].load(Ordering::Relaxed), HANDLE);
    assert!(!record.revoke(HANDLE));
}
