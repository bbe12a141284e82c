//! Slabs and slot maps: alone on one thread, and under one lock.

use super::{Kind, Peer};
use slotmap::{DefaultKey, Key, KeyData, SlotMap};
use std::cell::UnsafeCell;
use std::sync::{Mutex, RwLock};

/// A table that one thread uses, without any synchronisation.
pub struct Alone<T>(UnsafeCell<T>);

// SAFETY: peers of the kind `Alone` are used by the one thread that made them.
unsafe impl<T> Sync for Alone<T> {}

impl<T> Alone<T> {
    #[expect(clippy::mut_from_ref, reason = "one thread, and no two at a time: see the callers")]
    #[inline(always)]
    fn table(&self) -> &mut T {
        // SAFETY: one thread alone, and each caller's reference ends before it returns.
        unsafe { &mut *self.0.get() }
    }
}

pub type AloneSlab = Alone<slab::Slab<u64>>;

impl Peer for AloneSlab {
    const NAME: &'static str = "slab (unsynchronised)";
    const KIND: Kind = Kind::Alone;
    fn new() -> Self {
        Self(UnsafeCell::new(slab::Slab::new()))
    }
    #[inline(always)]
    fn create(&self, value: u64) -> u64 {
        self.table().insert(value) as u64
    }
    #[inline(always)]
    fn find(&self, key: u64) -> Option<u64> {
        self.table().get(key as usize).copied()
    }
    #[inline(always)]
    fn remove(&self, key: u64) {
        self.table().remove(key as usize);
    }
}

fn slot_key(key: u64) -> DefaultKey {
    KeyData::from_ffi(key).into()
}

pub type AloneSlotMap = Alone<SlotMap<DefaultKey, u64>>;

impl Peer for AloneSlotMap {
    const NAME: &'static str = "slotmap (unsynchronised)";
    const KIND: Kind = Kind::Alone;
    fn new() -> Self {
        Self(UnsafeCell::new(SlotMap::new()))
    }
    #[inline(always)]
    fn create(&self, value: u64) -> u64 {
        self.table().insert(value).data().as_ffi()
    }
    #[inline(always)]
    fn find(&self, key: u64) -> Option<u64> {
        self.table().get(slot_key(key)).copied()
    }
    #[inline(always)]
    fn remove(&self, key: u64) {
        self.table().remove(slot_key(key)).unwrap();
    }
}

pub struct LockedSlab(Mutex<slab::Slab<u64>>);

impl Peer for LockedSlab {
    const NAME: &'static str = "`Mutex<Slab>`";
    fn new() -> Self {
        Self(Mutex::new(slab::Slab::new()))
    }
    #[inline(always)]
    fn create(&self, value: u64) -> u64 {
        self.0.lock().unwrap().insert(value) as u64
    }
    #[inline(always)]
    fn find(&self, key: u64) -> Option<u64> {
        self.0.lock().unwrap().get(key as usize).copied()
    }
    #[inline(always)]
    fn remove(&self, key: u64) {
        self.0.lock().unwrap().remove(key as usize);
    }
}

pub struct SharedSlab(RwLock<slab::Slab<u64>>);

impl Peer for SharedSlab {
    const NAME: &'static str = "`RwLock<Slab>`";
    fn new() -> Self {
        Self(RwLock::new(slab::Slab::new()))
    }
    #[inline(always)]
    fn create(&self, value: u64) -> u64 {
        self.0.write().unwrap().insert(value) as u64
    }
    #[inline(always)]
    fn find(&self, key: u64) -> Option<u64> {
        self.0.read().unwrap().get(key as usize).copied()
    }
    #[inline(always)]
    fn remove(&self, key: u64) {
        self.0.write().unwrap().remove(key as usize);
    }
}

pub struct MutexSlotMap(Mutex<SlotMap<DefaultKey, u64>>);

impl Peer for MutexSlotMap {
    const NAME: &'static str = "`Mutex<SlotMap>`";
    fn new() -> Self {
        Self(Mutex::new(SlotMap::new()))
    }
    #[inline(always)]
    fn create(&self, value: u64) -> u64 {
        self.0.lock().unwrap().insert(value).data().as_ffi()
    }
    #[inline(always)]
    fn find(&self, key: u64) -> Option<u64> {
        self.0.lock().unwrap().get(slot_key(key)).copied()
    }
    #[inline(always)]
    fn remove(&self, key: u64) {
        self.0.lock().unwrap().remove(slot_key(key)).unwrap();
    }
}

pub struct LockedSlotMap(RwLock<SlotMap<DefaultKey, u64>>);

impl Peer for LockedSlotMap {
    const NAME: &'static str = "`RwLock<SlotMap>`";
    fn new() -> Self {
        Self(RwLock::new(SlotMap::new()))
    }
    #[inline(always)]
    fn create(&self, value: u64) -> u64 {
        self.0.write().unwrap().insert(value).data().as_ffi()
    }
    #[inline(always)]
    fn find(&self, key: u64) -> Option<u64> {
        self.0.read().unwrap().get(slot_key(key)).copied()
    }
    #[inline(always)]
    fn remove(&self, key: u64) {
        self.0.write().unwrap().remove(slot_key(key)).unwrap();
    }
}
