//! What a place remembers of pages that are gone: how many generations each slot has used up (S1, S13).
//!
//! Four bytes a slot, kept for ever, since the place's next page goes on from there and errors tell what was issued.

use crate::sync::{AtomicU32, Ordering};

/// How many generations were used, slot by slot; slots beyond the end have used none.
#[derive(Debug)]
pub(crate) struct Past {
    used: Box<[AtomicU32]>,
    /// A shorter one, which somebody may still look at.
    _older: Option<&'static Past>,
}

impl Past {
    /// Generations that a slot has used.
    ///
    /// Relaxed: it is written while no page is at the place, and the place's next owner, and whoever finds the place empty, comes after.
    pub(crate) fn used(&self, slot: u32) -> u32 {
        self.used.get(slot as usize).map_or(0, |used| used.load(Ordering::Relaxed))
    }

    /// Notes what a page's slots have used, in place where there is room: a new one else, or `None` where there is no memory.
    pub(crate) fn note(
        older: Option<&'static Self>,
        slots: u32,
        used: impl Fn(u32) -> u32,
    ) -> Option<&'static Self> {
        if let Some(past) = older
            && past.used.len() >= slots as usize
        {
            (0..slots).for_each(|slot| past.used[slot as usize].store(used(slot), Ordering::Relaxed));
            return older;
        }
        let mut all = Vec::new();
        all.try_reserve_exact(slots as usize).ok()?;
        all.extend((0..slots).map(|slot| AtomicU32::new(used(slot))));
        let mut one = Vec::new();
        one.try_reserve_exact(1).ok()?;
        one.push(Self { used: all.into_boxed_slice(), _older: older });
        one.leak().first()
    }
}
