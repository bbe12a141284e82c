//! The tables that make keys themselves and are made for several threads.

use super::Peer;

pub struct ShardedSlab(sharded_slab::Slab<u64>);

impl Peer for ShardedSlab {
    const NAME: &'static str = "sharded-slab";
    fn new() -> Self {
        Self(sharded_slab::Slab::new())
    }
    #[inline(always)]
    fn create(&self, value: u64) -> u64 {
        self.0.insert(value).unwrap() as u64
    }
    #[inline(always)]
    fn find(&self, key: u64) -> Option<u64> {
        self.0.get(key as usize).map(|value| *value)
    }
    #[inline(always)]
    fn remove(&self, key: u64) {
        assert!(self.0.remove(key as usize));
    }
}

/// A new guard for each read: a callback from C has no longer one at hand.
pub struct IdrEbr(idr_ebr::Idr<u64>);

impl Peer for IdrEbr {
    const NAME: &'static str = "idr-ebr";
    fn new() -> Self {
        Self(idr_ebr::Idr::new())
    }
    #[inline(always)]
    fn create(&self, value: u64) -> u64 {
        self.0.insert(value).unwrap().into()
    }
    #[inline(always)]
    fn find(&self, key: u64) -> Option<u64> {
        self.0.get(key.try_into().ok()?, &idr_ebr::EbrGuard::new()).map(|value| *value)
    }
    #[inline(always)]
    fn remove(&self, key: u64) {
        assert!(self.0.remove(key.try_into().unwrap()));
    }
}

/// Pinned for each operation, for the same reason.
pub struct ConcurrentSlotMap(concurrent_slotmap::SlotMap<concurrent_slotmap::SlotId, u64>);

fn slot_id(key: u64) -> concurrent_slotmap::SlotId {
    concurrent_slotmap::SlotId::new(key as u32, (key >> 32) as u32)
}

impl Peer for ConcurrentSlotMap {
    const NAME: &'static str = "concurrent-slotmap";
    fn new() -> Self {
        Self(concurrent_slotmap::SlotMap::new(1 << 24))
    }
    #[inline(always)]
    fn create(&self, value: u64) -> u64 {
        let id = self.0.insert(value, &self.0.pin());
        u64::from(id.index()) | u64::from(id.generation()) << 32
    }
    #[inline(always)]
    fn find(&self, key: u64) -> Option<u64> {
        self.0.get(slot_id(key), &self.0.pin()).copied()
    }
    #[inline(always)]
    fn remove(&self, key: u64) {
        self.0.remove(slot_id(key), &self.0.pin()).unwrap();
    }
}

/// Its reads are calls under the locks of the map and of the value.
pub struct FfiSupport(ffi_support::ConcurrentHandleMap<u64>);

impl Peer for FfiSupport {
    const NAME: &'static str = "ffi-support";
    fn new() -> Self {
        Self(ffi_support::ConcurrentHandleMap::new())
    }
    #[inline(always)]
    fn create(&self, value: u64) -> u64 {
        self.0.insert(value).into_u64()
    }
    #[inline(always)]
    fn find(&self, key: u64) -> Option<u64> {
        self.0.get_u64(key, |value| Ok::<_, ffi_support::HandleError>(*value)).ok()
    }
    #[inline(always)]
    fn remove(&self, key: u64) {
        self.0.delete_u64(key).unwrap();
    }
}
