//! Pointers that C would hold: nothing is checked. The floor for whatever allocates.

use super::{Kind, Peer};
use std::mem::ManuallyDrop;
use std::ptr::with_exposed_provenance_mut;
use std::sync::Arc;

pub struct RawBox;

impl Peer for RawBox {
    const NAME: &'static str = "`Box::into_raw` (unchecked)";
    const KIND: Kind = Kind::Unchecked;
    fn new() -> Self {
        Self
    }
    #[inline(always)]
    fn create(&self, value: u64) -> u64 {
        Box::into_raw(Box::new(value)).expose_provenance() as u64
    }
    #[inline(always)]
    fn find(&self, key: u64) -> Option<u64> {
        // SAFETY: unchecked peers are asked for live keys only.
        Some(unsafe { *with_exposed_provenance_mut::<u64>(key as usize) })
    }
    #[inline(always)]
    fn remove(&self, key: u64) {
        // SAFETY: from `create`, and removed once.
        drop(unsafe { Box::from_raw(with_exposed_provenance_mut::<u64>(key as usize)) });
    }
}

/// Each read clones and drops the `Arc`, as a callback must that somebody may remove meanwhile.
pub struct RawArc;

impl Peer for RawArc {
    const NAME: &'static str = "`Arc::into_raw`, cloned to read (unchecked)";
    const KIND: Kind = Kind::Unchecked;
    fn new() -> Self {
        Self
    }
    #[inline(always)]
    fn create(&self, value: u64) -> u64 {
        Arc::into_raw(Arc::new(value)).expose_provenance() as u64
    }
    #[inline(always)]
    fn find(&self, key: u64) -> Option<u64> {
        // SAFETY: unchecked peers are asked for live keys only; C's count is left as it is.
        let held =
            ManuallyDrop::new(unsafe { Arc::from_raw(with_exposed_provenance_mut::<u64>(key as usize)) });
        let clone = Arc::clone(&held);
        Some(*clone)
    }
    #[inline(always)]
    fn remove(&self, key: u64) {
        // SAFETY: from `create`, and removed once.
        drop(unsafe { Arc::from_raw(with_exposed_provenance_mut::<u64>(key as usize)) });
    }
}
