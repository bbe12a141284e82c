//! The claim to a record: one bit, beside those of the other records. See `records`.

use crate::sync::{AtomicU64, Ordering};

/// A record's bit.
#[derive(Debug)]
pub(super) struct Claim {
    word: &'static AtomicU64,
    bit: u64,
}

impl Claim {
    /// The bit with this value in a word of the records.
    pub(super) const fn new(word: &'static AtomicU64, bit: u64) -> Self {
        Self { word, bit }
    }

    /// Takes the record for one thread. Returns `true` if that has it now. It is a barrier before
    /// everything that the thread does with the record.
    ///
    /// `SeqCst` (E14): before the publications of this thread, and its looks at slots. Acquire (E8):
    /// what the last thread did with the record is visible. Release (E2): the record is in its chunk.
    pub(super) fn take(&self) -> bool {
        if self.word.load(Ordering::Relaxed) & self.bit != 0 {
            return false;
        }
        let before = self.word.fetch_or(self.bit, Ordering::SeqCst);
        #[cfg(haft_loom)]
        crate::sync::fence(Ordering::SeqCst);
        before & self.bit == 0
    }

    /// Gives the record up. Release (E5, E8): what this thread did with it, and with what its cells
    /// held, comes before whoever claims it or skips it. The word is only ever changed by exchanges, so
    /// whoever reads a later value sees that as well.
    pub(super) fn give_up(&self) {
        self.word.fetch_and(!self.bit, Ordering::Release);
    }

    /// Returns `true` if some thread has the record now.
    ///
    /// `SeqCst` (E14): after the close of the remover that asks. Acquire (E5): if not, the last thread's
    /// uses are over.
    pub(super) fn is_taken(&self) -> bool {
        self.word.load(Ordering::SeqCst) & self.bit != 0
    }
}
