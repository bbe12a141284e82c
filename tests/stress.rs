//! Real threads against each other; values that know their own state (S4, S5).
//!
//! `HAFT_STRESS` is for how many milliseconds each test runs.

#![allow(dropping_copy_types)]

mod joined;

use haft::{AnyHandle, Handle, Ref, Registry};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::*};
use std::sync::{Barrier, mpsc};
use std::time::{Duration, Instant};

const ALIVE: u64 = 0xA11C_E0FF_EE00_A11C;
const DEAD: u64 = 0xDEAD_DEAD_DEAD_DEAD;

static CREATED: AtomicUsize = AtomicUsize::new(0);
static DROPPED: AtomicUsize = AtomicUsize::new(0);

/// Aborts where it is used after its drop, dropped twice, or reached by the handle of another.
struct Value {
    state: AtomicU64,
    me: Option<Handle<Value>>,
}

impl Value {
    fn new() -> Self {
        CREATED.fetch_add(1, Relaxed);
        Self { state: AtomicU64::new(ALIVE), me: None }
    }

    fn knowing(me: Handle<Self>) -> Self {
        let mut value = Self::new();
        value.me = Some(me);
        value
    }

    fn check(&self) {
        if self.state.load(Relaxed) != ALIVE {
            eprintln!("a value was used after its drop");
            std::process::abort();
        }
    }

    fn check_reached_by(&self, handle: Handle<Self>) {
        self.check();
        if self.me != Some(handle) {
            eprintln!("{handle} led to the value of {:?}", self.me);
            std::process::abort();
        }
    }
}

impl Drop for Value {
    fn drop(&mut self) {
        if self.state.swap(DEAD, Relaxed) != ALIVE {
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

/// All of them share the account, so they are one test.
#[test]
fn s4_s5_threads_against_each_other() {
    hot_handle();
    moved_between_threads();
    one_winner();
    everything_at_once();
    assert_eq!(CREATED.load(SeqCst), DROPPED.load(SeqCst), "created is not dropped");
}

/// All look one handle up while one thread replaces it.
fn hot_handle() {
    let current = AtomicU64::new(Handle::new(Value::new()).to_bits());
    let done = AtomicBool::new(false);
    joined::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                let mut seen = 0_u64;
                while !done.load(Relaxed) {
                    let handle = Handle::<Value>::from_bits(current.load(Relaxed)).unwrap();
                    if let Ok(value) = handle.get() {
                        value.check();
                        seen += 1;
                        if seen % 64 == 0 {
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
    joined::scope(|scope| {
        for (sender, receiver) in [(there.0, here.1), (here.0, there.1)] {
            let registry = &registry;
            scope.spawn(move || {
                let running = running();
                while running() {
                    let batch: Vec<_> = (0..32).map(|_| registry.insert_with(Value::knowing)).collect();
                    if sender.try_send(batch.clone()).is_err() {
                        batch.iter().for_each(|handle| drop(registry.remove(*handle).unwrap()));
                    }
                    for handle in receiver.try_iter().flatten() {
                        registry.get(handle).unwrap().check_reached_by(handle);
                        registry.remove(handle).unwrap();
                    }
                }
                drop(sender);
                receiver
                    .iter()
                    .flatten()
                    .for_each(|handle| registry.get(handle).unwrap().check_reached_by(handle));
            });
        }
    });
    registry.clear();
    assert!(registry.is_empty());
}

/// Three threads remove the same handles in three ways while a fourth holds some: each has one winner, and each value one end.
fn one_winner() {
    const HANDLES: usize = 256;
    let removals: [fn(Handle<Value>) -> bool; 3] = [
        |handle| handle.remove().is_ok(),
        |handle| AnyHandle::from(handle).remove().is_ok(),
        |handle| match handle.take() {
            Ok(value) => {
                value.iter().for_each(|value| value.check_reached_by(handle));
                true
            }
            Err(_) => false,
        },
    ];
    let running = running();
    while running() {
        let registry = Registry::new();
        let handles: Vec<_> = (0..HANDLES).map(|_| registry.insert_with(Value::knowing)).collect();
        let wins: Vec<AtomicUsize> = (0..HANDLES).map(|_| AtomicUsize::new(0)).collect();
        let (start, dropped) = (Barrier::new(4), DROPPED.load(SeqCst));
        joined::scope(|scope| {
            for remove in removals {
                scope.spawn({
                    let (start, handles, wins) = (&start, &handles, &wins);
                    move || {
                        start.wait();
                        for (handle, wins) in handles.iter().zip(wins) {
                            wins.fetch_add(usize::from(remove(*handle)), Relaxed);
                        }
                    }
                });
            }
            scope.spawn(|| {
                start.wait();
                let found = handles.iter().flat_map(|handle| registry.get(*handle));
                let shared: Vec<_> = found.map(Ref::into_shared).collect();
                shared.iter().for_each(|value| value.check());
            });
        });
        assert!(wins.iter().all(|wins| wins.load(SeqCst) == 1), "S4: {wins:?}");
        assert_eq!(DROPPED.load(SeqCst) - dropped, HANDLES, "S6: nobody holds anything any more");
        assert!(registry.is_empty());
    }
}

/// Four threads do anything to sixteen handles.
fn everything_at_once() {
    let registry = Registry::new();
    let slots: Vec<AtomicU64> = (0..16).map(|_| AtomicU64::new(0)).collect();
    joined::scope(|scope| {
        for seed in 1..=4 {
            let (registry, slots) = (&registry, &slots);
            scope.spawn(move || {
                let (mut random, running) = (Random(seed * 0x9E37_79B9), running());
                let (mut guards, mut shared) = (Vec::new(), Vec::new());
                while running() {
                    let slot = &slots[random.below(16) as usize];
                    let Some(handle) = Handle::<Value>::from_bits(slot.load(Relaxed)) else {
                        slot.store(registry.insert_with(Value::knowing).to_bits(), Relaxed);
                        continue;
                    };
                    match random.below(10) {
                        0 => drop(handle.remove()),
                        1 => drop(registry.take(handle)),
                        2 => {
                            // Nobody else knows the new one before it is stored; the old one may be lost to the others.
                            let new = registry.insert_with(Value::knowing);
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
                            if let Some(forged) = forged {
                                if let Ok(value) = forged.get() {
                                    value.check_reached_by(forged);
                                }
                            }
                        }
                        _ => {
                            if let Ok(value) = handle.get() {
                                value.check_reached_by(handle);
                            }
                        }
                    }
                    guards
                        .iter()
                        .for_each(|guard: &Ref<'_, Value>| guard.check_reached_by(Ref::handle(guard)));
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
