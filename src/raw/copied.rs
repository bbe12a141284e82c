//! A copy of a word: loads alone, without a guard.
//!
//! The state, the word, the state again. Where both times the slot is live with the handle's generation, the word is that handle's: generations never come
//! again (I7), and whoever sees a word that was written later sees as well that the slot was closed before (E15). Nothing is written, neither in
//! the slot nor for the calling thread; so nothing keeps the page, and only pages that stay are copied from (I2).
//!
//! This is a sequence lock (as in Linux) whose reader does not try again: a generation that is gone is gone.

use super::bits;
use super::link::Link;
use super::lookup::Want;
use super::space::Space;
use super::word::{self, Word};

/// Copies the word behind a handle. `None` for everything that is not live, of that type, in that set; and where the page may go, or its bias
/// is being revoked.
///
/// Wait-free.
///
/// # Safety
///
/// Where `want` names a set, that set is in use and holds values of `T`.
#[inline(always)]
pub(crate) unsafe fn get<T: Word>(space: &Space, handle: u64, want: Want) -> Option<T> {
    let entry = space.entry(handle);
    let found = entry.look();
    let fits = match want {
        Want::Type => found.gate.has_slot_of_unlimited_perpetual(handle) && found.holds::<T>(),
        Want::Set(id) => found.gate.has_slot_of(handle) && found.gate.set_id() == id,
    };
    // A thread that met the owner's intent takes the handle as removed, before the state says so. It must not find it live here.
    // (What is no handle, for want of bit 0, would be like the word of a slot that is not live.)
    if !bits::is_well_formed(handle) || !fits || entry.bias.is_being_revoked() {
        return None;
    }
    let (page, link) = (found.page(), Link::of(handle));
    // SAFETY(I2): the page is of a set that is in use or never dropped; type and index are checked.
    let slot = unsafe { page.slot::<T>(link) };
    if !slot.state().is_live_as(handle) {
        return None;
    }
    // SAFETY(I2): as above; the state had the value visible (E1).
    let word = unsafe { word::read(slot, page.value::<T>(link)) };
    slot.is_still_live_as(handle).then_some(word)
}

#[cfg(all(test, not(haft_loom)))]
mod tests {
    use crate::raw::bits;
    use crate::raw::link::Link;
    use crate::raw::slot::State;
    use crate::raw::thread::SPACE;
    use crate::raw::{registry, thread};
    use std::panic::Location;

    #[test]
    fn e15_a_copy_by_another_thread_leaves_the_slot_as_it_is() {
        let handle =
            thread::insert_default(7_u64, Location::caller()).map_err(drop).expect("there is room").get();
        let state = || {
            let page = SPACE.page(handle).expect("the handle is live");
            // SAFETY(I2): default registries are never dropped.
            unsafe { page.any_slot(Link::of(handle)) }.state()
        };
        let elsewhere = |work: fn(u64)| std::thread::spawn(move || work(handle)).join().expect("no panic");
        elsewhere(|handle| {
            assert_eq!(registry::copied::<u64>(handle), Some(7));
            assert!(thread::me().is_none(), "the thread is not known to haft");
        });
        assert_eq!(state(), State::quietly_live(bits::generation(handle)));
        // A lookup does leave something there.
        elsewhere(|handle| drop(registry::get::<u64>(handle)));
        assert!(!state().is_quiet());
        assert_eq!(registry::remove::<u64>(handle, Location::caller()), Some(true));
    }
}
