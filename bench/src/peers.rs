//! Every peer behind one interface, each used as its documentation recommends.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, RwLock};

/// A table of `u64` values that gives out keys.
pub trait Peer: Sync {
    type Key: Copy + Send + Sync;
    const NAME: &'static str;
    fn new() -> Self;
    fn create(&self, value: u64) -> Self::Key;
    fn read(&self, key: Self::Key) -> u64;
    fn remove(&self, key: Self::Key);
}

/// The default registry, as in `Handle::new`.
pub struct Haft;

impl Peer for Haft {
    type Key = haft::Handle<u64>;
    const NAME: &'static str = "haft `Handle`";
    fn new() -> Self {
        Self
    }
    #[inline]
    fn create(&self, value: u64) -> Self::Key {
        haft::Handle::new(value)
    }
    #[inline]
    fn read(&self, key: Self::Key) -> u64 {
        *key.get().unwrap()
    }
    #[inline]
    fn remove(&self, key: Self::Key) {
        key.remove().unwrap();
    }
}

/// A registry of its own.
pub struct HaftRegistry(haft::Registry<u64>);

impl Peer for HaftRegistry {
    type Key = haft::Handle<u64>;
    const NAME: &'static str = "haft `Registry`";
    fn new() -> Self {
        Self(haft::Registry::new())
    }
    #[inline]
    fn create(&self, value: u64) -> Self::Key {
        self.0.insert(value)
    }
    #[inline]
    fn read(&self, key: Self::Key) -> u64 {
        *self.0.get(key).unwrap()
    }
    #[inline]
    fn remove(&self, key: Self::Key) {
        self.0.remove(key).unwrap();
    }
}

pub struct ShardedSlab(sharded_slab::Slab<u64>);

impl Peer for ShardedSlab {
    type Key = usize;
    const NAME: &'static str = "sharded-slab";
    fn new() -> Self {
        Self(sharded_slab::Slab::new())
    }
    #[inline]
    fn create(&self, value: u64) -> usize {
        self.0.insert(value).unwrap()
    }
    #[inline]
    fn read(&self, key: usize) -> u64 {
        *self.0.get(key).unwrap()
    }
    #[inline]
    fn remove(&self, key: usize) {
        assert!(self.0.remove(key));
    }
}

pub struct IdrEbr(idr_ebr::Idr<u64>);

impl Peer for IdrEbr {
    type Key = idr_ebr::Key;
    const NAME: &'static str = "idr-ebr";
    fn new() -> Self {
        Self(idr_ebr::Idr::new())
    }
    #[inline]
    fn create(&self, value: u64) -> Self::Key {
        self.0.insert(value).unwrap()
    }
    #[inline]
    fn read(&self, key: Self::Key) -> u64 {
        *self.0.get(key, &idr_ebr::EbrGuard::new()).unwrap()
    }
    #[inline]
    fn remove(&self, key: Self::Key) {
        assert!(self.0.remove(key));
    }
}

pub struct LockedSlab(Mutex<slab::Slab<u64>>);

impl Peer for LockedSlab {
    type Key = usize;
    const NAME: &'static str = "`Mutex<Slab>`";
    fn new() -> Self {
        Self(Mutex::new(slab::Slab::new()))
    }
    fn create(&self, value: u64) -> usize {
        self.0.lock().unwrap().insert(value)
    }
    fn read(&self, key: usize) -> u64 {
        self.0.lock().unwrap()[key]
    }
    fn remove(&self, key: usize) {
        self.0.lock().unwrap().remove(key);
    }
}

pub struct LockedSlotMap(RwLock<slotmap::SlotMap<slotmap::DefaultKey, u64>>);

impl Peer for LockedSlotMap {
    type Key = slotmap::DefaultKey;
    const NAME: &'static str = "`RwLock<SlotMap>`";
    fn new() -> Self {
        Self(RwLock::new(slotmap::SlotMap::new()))
    }
    fn create(&self, value: u64) -> Self::Key {
        self.0.write().unwrap().insert(value)
    }
    fn read(&self, key: Self::Key) -> u64 {
        self.0.read().unwrap()[key]
    }
    fn remove(&self, key: Self::Key) {
        self.0.write().unwrap().remove(key).unwrap();
    }
}

/// A map with a counter for keys, which is what Go's handles are.
pub struct Counted<M> {
    map: M,
    next: AtomicU64,
}

impl<M: Default> Counted<M> {
    fn make() -> Self {
        Self { map: M::default(), next: AtomicU64::new(1) }
    }
    fn key(&self) -> u64 {
        self.next.fetch_add(1, Ordering::Relaxed)
    }
}

pub type GoModel = Counted<Mutex<HashMap<u64, Arc<u64>>>>;

impl Peer for GoModel {
    type Key = u64;
    const NAME: &'static str = "`Mutex<HashMap<u64, Arc>>`";
    fn new() -> Self {
        Self::make()
    }
    fn create(&self, value: u64) -> u64 {
        let key = self.key();
        self.map.lock().unwrap().insert(key, Arc::new(value));
        key
    }
    fn read(&self, key: u64) -> u64 {
        let value = self.map.lock().unwrap()[&key].clone();
        *value
    }
    fn remove(&self, key: u64) {
        self.map.lock().unwrap().remove(&key).unwrap();
    }
}

pub type DashMap = Counted<dashmap::DashMap<u64, u64>>;

impl Peer for DashMap {
    type Key = u64;
    const NAME: &'static str = "dashmap and a counter";
    fn new() -> Self {
        Self::make()
    }
    fn create(&self, value: u64) -> u64 {
        let key = self.key();
        self.map.insert(key, value);
        key
    }
    fn read(&self, key: u64) -> u64 {
        *self.map.get(&key).unwrap()
    }
    fn remove(&self, key: u64) {
        self.map.remove(&key).unwrap();
    }
}

pub type Papaya = Counted<papaya::HashMap<u64, u64>>;

impl Peer for Papaya {
    type Key = u64;
    const NAME: &'static str = "papaya and a counter";
    fn new() -> Self {
        Self::make()
    }
    fn create(&self, value: u64) -> u64 {
        let key = self.key();
        self.map.pin().insert(key, value);
        key
    }
    fn read(&self, key: u64) -> u64 {
        *self.map.pin().get(&key).unwrap()
    }
    fn remove(&self, key: u64) {
        self.map.pin().remove(&key).unwrap();
    }
}

pub struct FfiSupport(ffi_support::ConcurrentHandleMap<u64>);

impl Peer for FfiSupport {
    type Key = u64;
    const NAME: &'static str = "ffi-support";
    fn new() -> Self {
        Self(ffi_support::ConcurrentHandleMap::new())
    }
    fn create(&self, value: u64) -> u64 {
        self.0.insert(value).into_u64()
    }
    fn read(&self, key: u64) -> u64 {
        self.0.get_u64(key, |value| Ok::<_, ffi_support::HandleError>(*value)).unwrap()
    }
    fn remove(&self, key: u64) {
        self.0.delete_u64(key).unwrap();
    }
}

/// A pointer that C would hold: nothing is checked. The floor for whatever allocates.
pub struct RawBox;

/// An address with its provenance exposed by being a pointer.
#[derive(Clone, Copy)]
pub struct Pointer(*mut u64);

// SAFETY: the benchmarks use each pointer as its owner would.
unsafe impl Send for Pointer {}
// SAFETY: as above.
unsafe impl Sync for Pointer {}

impl Peer for RawBox {
    type Key = Pointer;
    const NAME: &'static str = "`Box::into_raw` (unchecked)";
    fn new() -> Self {
        Self
    }
    #[inline]
    fn create(&self, value: u64) -> Pointer {
        Pointer(Box::into_raw(Box::new(value)))
    }
    #[inline]
    fn read(&self, key: Pointer) -> u64 {
        // SAFETY: from `create`, and not removed yet.
        unsafe { *key.0 }
    }
    #[inline]
    fn remove(&self, key: Pointer) {
        // SAFETY: from `create`, and removed once.
        drop(unsafe { Box::from_raw(key.0) });
    }
}

/// A counted pointer: each read takes and gives back a count, as a callback must.
pub struct RawArc;

impl Peer for RawArc {
    type Key = Pointer;
    const NAME: &'static str = "`Arc::into_raw` (unchecked)";
    fn new() -> Self {
        Self
    }
    #[inline]
    fn create(&self, value: u64) -> Pointer {
        Pointer(Arc::into_raw(Arc::new(value)).cast_mut())
    }
    #[inline]
    fn read(&self, key: Pointer) -> u64 {
        // SAFETY: from `create`, and not removed yet.
        let arc = unsafe {
            Arc::increment_strong_count(key.0);
            Arc::from_raw(key.0)
        };
        *arc
    }
    #[inline]
    fn remove(&self, key: Pointer) {
        // SAFETY: from `create`, and removed once.
        drop(unsafe { Arc::from_raw(key.0) });
    }
}
