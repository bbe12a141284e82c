//! Real threads against each other; values that know their own state (S4, S5).
//!
//! `HAFT_STRESS` is for how many milliseconds each test runs.

#![allow(dropping_copy_types)]

use haft::{Handle, Ref, Registry};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::*};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

const ALIVE: u64 = 0xA11C_E0FF_EE00_A11C;
const DEAD: u64 = 0xDEAD_DEAD_DEAD_DEAD;

static CREATED: AtomicUsize = AtomicUsize::new(0);
static DROPPED: AtomicUsize = AtomicUsize::new(0);

/// Aborts where it is used after its drop, or dropped twice.
struct Value(AtomicU64);

impl Value {
    fn new() -> Self {
        CREATED.fetch_add(1, Relaxed);
        Self(AtomicU64::new(ALIVE))
    }
    fn check(&self) {
        if self.0.load(Relaxed) != ALIVE {
            eprintln!("a value was used after its drop");
            std::process::abort();
        }
    }
}

impl Drop for Value {
    fn drop(&mut self) {
        if self.0.swap(DEAD, Relaxed) != ALIVE {
            eprintln!("a value was dropped twice");
            std::process::abort();
        }
        DROPPED.fetch_add(1, Relaxed);
    }
}

struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit
    }
}

fn running() -> impl Fn() -> bool {
    let milliseconds = std::env::var("HAFT_STRESS").map_or(500, |text| text.parse().unwrap());
    let end = Instant::now() + Duration::from_millis(milliseconds);
    move || Instant::now() < end
}

/// All three tests share the account, so they are one.
#[test]
fn s4_s5_threads_against_each_other() {
    hot_handle();
    moved_between_threads();
    everything_at_once();
    assert_eq!(CREATED.load(SeqCst), DROPPED.load(SeqCst), "created is not dropped");
}

/// All look one handle up while one thread replaces it.
fn hot_handle() {
    let current = AtomicU64::new(Handle::new(Value::new()).to_bits());
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                let mut seen = 0_u64;
                while !done.load(Relaxed) {
                    let handle = Handle::<Value>::from_bits(current.load(Relaxed)).unwrap();
                    if let Ok(value) = handle.get() {
                        value.check();
                        seen += 1;
                        if seen.is_multiple_of(64) {
                            Ref::into_shared(value).check();
                        }
                    }
                }
            });
        }
        let running = running();
        while running() {
            let new = Handle::new(Value::new());
            let old = Handle::<Value>::from_bits(current.swap(new.to_bits(), Relaxed)).unwrap();
            old.get().unwrap().check();
            old.delete();
        }
        done.store(true, Relaxed);
    });
    Handle::<Value>::from_bits(current.load(Relaxed)).unwrap().delete();
}

/// Created here, removed there, in both directions.
fn moved_between_threads() {
    let registry = Registry::new();
    let (there, here) = (mpsc::sync_channel(64), mpsc::sync_channel(64));
    thread::scope(|scope| {
        for (sender, receiver) in [(there.0, here.1), (here.0, there.1)] {
            let registry = &registry;
            scope.spawn(move || {
                let running = running();
                while running() {
                    let batch: Vec<_> = (0..32).map(|_| registry.insert(Value::new())).collect();
                    if sender.try_send(batch.clone()).is_err() {
                        batch.iter().for_each(|handle| drop(registry.remove(*handle).unwrap()));
                    }
                    for handle in receiver.try_iter().flatten() {
                        registry.get(handle).unwrap().check();
                        registry.remove(handle).unwrap();
                    }
                }
                drop(sender);
                receiver.iter().flatten().for_each(|handle| registry.get(handle).unwrap().check());
            });
        }
    });
    registry.clear();
    assert!(registry.is_empty());
}

/// Four threads do anything to sixteen handles.
fn everything_at_once() {
    let registry = Registry::new();
    let slots: Vec<AtomicU64> = (0..16).map(|_| AtomicU64::new(0)).collect();
    thread::scope(|scope| {
        for seed in 1..=4 {
            let (registry, slots) = (&registry, &slots);
            scope.spawn(move || {
                let (mut random, running) = (Random(seed * 0x9E37_79B9), running());
                let (mut guards, mut shared) = (Vec::new(), Vec::new());
                while running() {
                    let slot = &slots[random.below(16) as usize];
                    let Some(handle) = Handle::<Value>::from_bits(slot.load(Relaxed)) else {
                        slot.store(registry.insert(Value::new()).to_bits(), Relaxed);
                        continue;
                    };
                    match random.below(10) {
                        0 => drop(handle.remove()),
                        1 => drop(registry.take(handle)),
                        2 => {
                            // Nobody else knows the new one before it is stored; the old one may be lost to the others.
                            let new = registry.insert(Value::new());
                            let old = Handle::<Value>::from_bits(slot.swap(new.to_bits(), Relaxed));
                            drop(old.map(|old| registry.remove(old)));
                        }
                        3 => shared.extend(handle.get().map(Ref::into_shared).ok()),
                        4 if random.below(100) == 0 => registry.clear(),
                        5 => guards.extend(registry.get(handle).ok()),
                        6 => {
                            guards.clear();
                            shared.clear();
                        }
                        7 => {
                            let forged = Handle::<Value>::from_bits(handle.to_bits() ^ 1 << random.below(64));
                            if let Some(Ok(value)) = forged.map(Handle::get) {
                                value.check();
                            }
                        }
                        _ => {
                            if let Ok(value) = handle.get() {
                                value.check();
                            }
                        }
                    }
                    guards.iter().for_each(|guard: &Ref<'_, Value>| guard.check());
                    if guards.len() > 12 {
                        drop(guards.swap_remove(random.below(12) as usize));
                    }
                    if shared.len() > 12 {
                        shared.clear();
                    }
                }
            });
        }
    });
    registry.clear();
    assert!(registry.is_empty());
    assert_eq!(registry.stats().deferred, 0);
}
