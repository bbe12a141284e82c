//! What is compared: haft's real code, and small models of two protocols that count the holders in the value's own memory.

use crate::cores::access;
use haft::simulation::{Access, Kind};
use haft::{Handle, Ref, Registry};
use std::cell::RefCell;
use std::panic::Location;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};

/// A way to name values and to use them. What is not atomic is told to the caches here, unless haft tells it itself.
pub trait Protocol: 'static {
    /// Holds a value until it is dropped.
    type Guard;

    fn create(core: usize) -> u64;

    /// Looks the value up and reads it.
    fn get(handle: u64) -> Self::Guard;

    fn remove(core: usize, handle: u64);
}

const VALUE: u64 = 7;

// ---- haft ----

pub struct Haft;

fn typed(bits: u64) -> Handle<u64> {
    Handle::from_bits(bits).expect("it was created")
}

impl Protocol for Haft {
    type Guard = Ref<'static, u64>;

    fn create(_: usize) -> u64 {
        Handle::new(VALUE).to_bits()
    }

    fn get(handle: u64) -> Self::Guard {
        let guard = typed(handle).value();
        assert_eq!(*guard, VALUE);
        guard
    }

    fn remove(_: usize, handle: u64) {
        typed(handle).delete();
    }
}

/// haft, with a registry that counts its live handles against a limit.
pub struct HaftLimited;

static LIMITED: Registry<u64> = Registry::with_limit(1 << 20);

impl Protocol for HaftLimited {
    type Guard = Ref<'static, u64>;

    fn create(_: usize) -> u64 {
        LIMITED.insert(VALUE).to_bits()
    }

    fn get(handle: u64) -> Self::Guard {
        LIMITED.get(typed(handle)).expect("it is live")
    }

    fn remove(_: usize, handle: u64) {
        LIMITED.remove(typed(handle)).expect("it is live");
    }
}

// ---- the models ----

/// A word in memory that the caches see.
#[derive(Default)]
struct Word(AtomicU64);

impl Word {
    #[track_caller]
    fn tell(&self, kind: Kind) {
        access(Access { kind, address: std::ptr::from_ref(self).addr(), place: Location::caller() });
    }

    #[track_caller]
    fn load(&self) -> u64 {
        self.tell(Kind::Load);
        self.0.load(Ordering::SeqCst)
    }

    #[track_caller]
    fn store(&self, value: u64) {
        self.tell(Kind::Store);
        self.0.store(value, Ordering::SeqCst);
    }

    #[track_caller]
    fn swap(&self, value: u64) -> u64 {
        self.tell(Kind::Exchange);
        self.0.swap(value, Ordering::SeqCst)
    }

    #[track_caller]
    fn add(&self, value: u64) -> u64 {
        self.tell(Kind::Exchange);
        self.0.fetch_add(value, Ordering::SeqCst)
    }

    /// Replaces the value by another one that depends on it, as often as it takes. The value before.
    #[track_caller]
    fn update(&self, next: impl Fn(u64) -> u64) -> u64 {
        loop {
            let before = self.load();
            self.tell(Kind::Exchange);
            if self.0.compare_exchange(before, next(before), Ordering::SeqCst, Ordering::SeqCst).is_ok() {
                return before;
            }
        }
    }
}

/// A slab with a shard a core, whose slots count their holders: a lookup is one exchange, letting go another.
pub struct CountInSlot;

/// As large as haft's for a `u64`.
#[derive(Default)]
#[repr(C)]
struct Slot {
    /// Live (bit 63) and the number of holders.
    state: Word,
    /// The next free slot, plus one.
    next: Word,
    value: Word,
}

const LIVE: u64 = 1 << 63;

#[derive(Default)]
#[repr(align(128))]
struct Line(Word);

struct Shard {
    /// The free list of the shard's core, and what others have freed; on lines of their own.
    local: Line,
    remote: Line,
    slots: [Slot; SLOTS],
}

const SLOTS: usize = 512;

static SHARDS: LazyLock<Vec<Shard>> = LazyLock::new(|| {
    let slot = |index: usize| Slot {
        next: Word(AtomicU64::new((index as u64 + 2) % (SLOTS as u64 + 1))),
        ..Slot::default()
    };
    let shard = || Shard {
        local: Line(Word(AtomicU64::new(1))),
        remote: Line::default(),
        slots: std::array::from_fn(slot),
    };
    std::iter::repeat_with(shard).take(crate::mesi::CORES).collect()
});

fn slot(handle: u64) -> (&'static Shard, &'static Slot) {
    let (shard, slot) = (handle as usize / SLOTS, handle as usize % SLOTS);
    (&SHARDS[shard], &SHARDS[shard].slots[slot])
}

/// Holds a value in a slot.
pub struct Counted(&'static Slot);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.state.add(1_u64.wrapping_neg());
    }
}

impl Protocol for CountInSlot {
    type Guard = Counted;

    fn create(core: usize) -> u64 {
        let shard = &SHARDS[core];
        let mut head = shard.local.0.load();
        if head == 0 {
            head = shard.remote.0.swap(0);
        }
        let index = head as usize - 1;
        let slot = &shard.slots[index];
        shard.local.0.store(slot.next.load());
        slot.value.store(VALUE);
        slot.state.store(LIVE);
        (core * SLOTS + index) as u64
    }

    fn get(handle: u64) -> Counted {
        let (_, slot) = slot(handle);
        assert!(slot.state.update(|state| state + 1) & LIVE != 0);
        assert_eq!(slot.value.load(), VALUE);
        Counted(slot)
    }

    fn remove(core: usize, handle: u64) {
        let (shard, slot) = slot(handle);
        assert_eq!(slot.state.update(|state| state & !LIVE), LIVE);
        slot.value.store(0);
        let freed = handle % SLOTS as u64 + 1;
        if std::ptr::eq(shard, &SHARDS[core]) {
            slot.next.store(shard.local.0.load());
            shard.local.0.store(freed);
        } else {
            slot.next.store(shard.remote.0.load());
            let link = |head| {
                slot.next.0.store(head, Ordering::SeqCst);
                freed
            };
            shard.remote.0.update(link);
        }
    }
}

/// An `Arc` whose address is the handle: a clone to look it up, and its drop.
pub struct SharedArc;

/// On a line of its own, which is the best case.
#[derive(Default)]
#[repr(C, align(64))]
struct Inner {
    strong: Word,
    weak: Word,
    value: Word,
}

thread_local! {
    /// What an allocator keeps for a thread.
    static FREE: RefCell<Vec<&'static Inner>> = const { RefCell::new(Vec::new()) };
}

/// A clone.
pub struct Cloned(&'static Inner);

impl Drop for Cloned {
    fn drop(&mut self) {
        self.0.strong.add(1_u64.wrapping_neg());
    }
}

/// The one at the address that was exposed when it was made.
fn inner(handle: u64) -> &'static Inner {
    let address = std::ptr::with_exposed_provenance::<Inner>(handle as usize);
    // SAFETY: it comes from `create`, and nothing is ever freed.
    unsafe { &*address }
}

impl Protocol for SharedArc {
    type Guard = Cloned;

    fn create(_: usize) -> u64 {
        let inner = FREE.with_borrow_mut(Vec::pop).unwrap_or_else(|| Box::leak(Box::default()));
        inner.strong.store(1);
        inner.weak.store(1);
        inner.value.store(VALUE);
        std::ptr::from_ref(inner).expose_provenance() as u64
    }

    fn get(handle: u64) -> Cloned {
        let inner = inner(handle);
        inner.strong.add(1);
        assert_eq!(inner.value.load(), VALUE);
        Cloned(inner)
    }

    fn remove(_: usize, handle: u64) {
        let inner = inner(handle);
        assert_eq!(inner.strong.add(1_u64.wrapping_neg()), 1);
        inner.value.store(0);
        inner.weak.add(1_u64.wrapping_neg());
        FREE.with_borrow_mut(|free| free.push(inner));
    }
}
