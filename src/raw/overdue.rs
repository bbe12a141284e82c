//! Removals whose barrier failed (S20): who still has to say whether it holds the value.
//!
//! A remover that can make no barrier cannot tell whether a thread whose record was plain holds the value.
//! So it lets the slot count that thread, as if it did, and summons its record. The thread answers when it
//! next lets a guard go, or when it ends: it sees its own cells without any barrier.
//!
//! | the remover, under the lock | the thread |
//! |---|---|
//! | counts, summons the record | writes its cells and its mode, or gives its claim up |
//! | looks whether it is still claimed, and not shared | looks whether it is summoned, then answers under the lock |
//!
//! At least one of them sees the other (E17), so a hold is never left to a thread that has gone.

use super::record::Record;
use super::slot::Slot;
use crate::sync::Mutex;
use std::ptr;

/// One hold that a closed slot counts for the thread of a record.
#[derive(Debug)]
struct Hold {
    handle: u64,
    slot: &'static Slot,
    record: &'static Record,
}

/// All holds that wait for a thread's answer.
#[derive(Debug)]
pub(super) struct Overdue(Mutex<Vec<Hold>>);

impl Overdue {
    /// None.
    #[cfg(not(haft_loom))]
    pub(super) const fn new() -> Self {
        Self(Mutex::new(Vec::new()))
    }

    /// None.
    #[cfg(haft_loom)]
    pub(super) fn new() -> Self {
        Self(Mutex::new(Vec::new()))
    }

    /// Leaves a hold on a closed slot to the thread of a record that was plain. Returns `false` if it is not
    /// needed: the record's cells tell all, or nobody uses them.
    ///
    /// The caller is the remover of the handle, and has a hold of its own.
    pub(super) fn ask(&self, record: &'static Record, handle: u64, slot: &'static Slot) -> bool {
        let mut holds = self.0.lock();
        record.summon();
        // E17: summoned, then looked at.
        if !record.is_claimed() || !record.revoke(handle) {
            return false;
        }
        slot.hold_for_reader();
        // (Without memory for it, the hold stays, and so does the value.)
        if holds.try_reserve(1).is_ok() {
            holds.push(Hold { handle, slot, record });
        }
        true
    }

    /// The handle of a hold that is for the caller to give back, with nothing locked: the claimer of a record
    /// that was summoned, who answers, or `None`, one who has just given it up. After the last one the record
    /// is not summoned any more.
    #[cold]
    pub(super) fn next(&self, me: Option<&Record>) -> Option<u64> {
        let mut holds = self.0.lock();
        let is_me = |record: &'static Record| me.is_some_and(|me| ptr::eq(me, record));
        let is_ready = |hold: &Hold| is_me(hold.record) || !hold.record.is_claimed();
        let Some(index) = holds.iter().rposition(is_ready) else {
            me.inspect(|me| me.dismiss());
            return None;
        };
        let Hold { handle, slot, record } = holds.swap_remove(index);
        if is_me(record) {
            record.convert_own(handle, slot);
        }
        Some(handle)
    }
}
