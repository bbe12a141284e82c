//! Maps with a counter for keys, which is what Go's handles are.

use super::Peer;
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

pub struct Counted<M> {
    map: M,
    next: AtomicU64,
}

impl<M: Default> Counted<M> {
    fn make() -> Self {
        Self { map: M::default(), next: AtomicU64::new(1) }
    }
    #[inline(always)]
    fn key(&self) -> u64 {
        self.next.fetch_add(1, Ordering::Relaxed)
    }
}

pub type GoModel = Counted<Mutex<HashMap<u64, Arc<u64>>>>;

impl Peer for GoModel {
    const NAME: &'static str = "`Mutex<HashMap<u64, Arc>>`";
    fn new() -> Self {
        Self::make()
    }
    #[inline(always)]
    fn create(&self, value: u64) -> u64 {
        let key = self.key();
        self.map.lock().unwrap().insert(key, Arc::new(value));
        key
    }
    #[inline(always)]
    fn find(&self, key: u64) -> Option<u64> {
        // Cloned, so that the value is used without the lock.
        let value = self.map.lock().unwrap().get(&key).cloned();
        value.map(|value| *value)
    }
    #[inline(always)]
    fn remove(&self, key: u64) {
        self.map.lock().unwrap().remove(&key).unwrap();
    }
}

pub type DashMap = Counted<dashmap::DashMap<u64, u64>>;

impl Peer for DashMap {
    const NAME: &'static str = "dashmap and a counter";
    fn new() -> Self {
        Self::make()
    }
    #[inline(always)]
    fn create(&self, value: u64) -> u64 {
        let key = self.key();
        self.map.insert(key, value);
        key
    }
    #[inline(always)]
    fn find(&self, key: u64) -> Option<u64> {
        self.map.get(&key).map(|value| *value)
    }
    #[inline(always)]
    fn remove(&self, key: u64) {
        self.map.remove(&key).unwrap();
    }
}

/// Pinned for each operation: a callback from C has no longer guard at hand.
pub type Papaya = Counted<papaya::HashMap<u64, u64>>;

impl Peer for Papaya {
    const NAME: &'static str = "papaya and a counter";
    fn new() -> Self {
        Self::make()
    }
    #[inline(always)]
    fn create(&self, value: u64) -> u64 {
        let key = self.key();
        self.map.pin().insert(key, value);
        key
    }
    #[inline(always)]
    fn find(&self, key: u64) -> Option<u64> {
        self.map.pin().get(&key).copied()
    }
    #[inline(always)]
    fn remove(&self, key: u64) {
        self.map.pin().remove(&key).unwrap();
    }
}

pub type SccMap = Counted<scc::HashMap<u64, u64>>;

impl Peer for SccMap {
    const NAME: &'static str = "`scc::HashMap` and a counter";
    fn new() -> Self {
        Self::make()
    }
    #[inline(always)]
    fn create(&self, value: u64) -> u64 {
        let key = self.key();
        self.map.insert_sync(key, value).unwrap();
        key
    }
    #[inline(always)]
    fn find(&self, key: u64) -> Option<u64> {
        self.map.read_sync(&key, |_, value| *value)
    }
    #[inline(always)]
    fn remove(&self, key: u64) {
        self.map.remove_sync(&key).unwrap();
    }
}

/// scc's map for much reading.
pub type SccIndex = Counted<scc::HashIndex<u64, u64>>;

impl Peer for SccIndex {
    const NAME: &'static str = "`scc::HashIndex` and a counter";
    fn new() -> Self {
        Self::make()
    }
    #[inline(always)]
    fn create(&self, value: u64) -> u64 {
        let key = self.key();
        self.map.insert_sync(key, value).unwrap();
        key
    }
    #[inline(always)]
    fn find(&self, key: u64) -> Option<u64> {
        self.map.peek_with(&key, |_, value| *value)
    }
    #[inline(always)]
    fn remove(&self, key: u64) {
        assert!(self.map.remove_sync(&key));
    }
}
