//! One operation after the other, at random, on handles that all threads share.
//!
//! Threads meet in haft alone: handles go from one to the other through relaxed atomics, and guards and registries as values under handles. So whatever orders one
//! thread's use of a value after another's is haft's own.

use crate::account::{Account, broken};
use crate::values::{Busy, Panics, Small, Wide};
use haft::{AnyHandle, Error, ErrorKind, Handle, Ref, Registry, SharedRef};
use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

static SMALL: Registry<Small> = Registry::new();
static LIMITED: Registry<Small> = Registry::with_limit(LIMIT);
const LIMIT: usize = 50;

type Nested = Registry<Small>;
type Shared = SharedRef<'static, Small>;

/// Handles that all know.
static SLOTS: [AtomicU64; 192] = [const { AtomicU64::new(0) }; 192];
/// Registries that come and go: `Handle<Nested>`.
static NESTED: [AtomicU64; 4] = [const { AtomicU64::new(0) }; 4];

static OPERATIONS: AtomicU64 = AtomicU64::new(0);
/// Handles that were issued.
static ISSUED: AtomicU64 = AtomicU64::new(0);
/// Guards that were leaked on purpose, at most so many.
static FORGOTTEN: AtomicU64 = AtomicU64::new(0);
/// Those that were.
static LEAKED: AtomicU64 = AtomicU64::new(0);
const FORGET: u64 = 64;

thread_local! {
    static EXPECTED: Cell<bool> = const { Cell::new(false) };
}

/// Panics that are part of the work say nothing.
pub fn silence_expected_panics() {
    let loud = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        if !EXPECTED.try_with(Cell::get).unwrap_or(false) {
            loud(panic);
            std::process::abort();
        }
    }));
}

/// Runs what may panic: `None` where it did.
fn may_panic<R>(work: impl FnOnce() -> R) -> Option<R> {
    let before = EXPECTED.replace(true);
    let result = catch_unwind(AssertUnwindSafe(work));
    EXPECTED.set(before);
    result.ok()
}

/// Operations done, handles issued, guards forgotten.
pub fn counts() -> (u64, u64, u64) {
    (OPERATIONS.load(Relaxed), ISSUED.load(Relaxed), FORGOTTEN.load(Relaxed))
}

struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, limit: usize) -> usize {
        (self.next() >> 8) as usize % limit
    }
}

/// What one thread does, with the guards that it has at the moment.
pub struct Worker {
    random: Random,
    guards: Vec<Ref<'static, Small>>,
    shared: Vec<Shared>,
    operations: u64,
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.tell();
    }
}

impl Worker {
    pub fn new(seed: u64) -> Self {
        let random = Random(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1);
        Self { random, guards: Vec::new(), shared: Vec::new(), operations: 0 }
    }

    fn tell(&mut self) {
        OPERATIONS.fetch_add(std::mem::take(&mut self.operations), Relaxed);
    }

    /// So many operations.
    pub fn work(&mut self, operations: u32) {
        for _ in 0..operations {
            self.step();
            self.operations += 1;
        }
        self.tell();
    }

    fn slot(&mut self) -> &'static AtomicU64 {
        &SLOTS[self.random.below(SLOTS.len())]
    }

    /// Puts a handle where others find it, and removes the one that was there.
    fn publish(&mut self, bits: u64) {
        ISSUED.fetch_add(1, Relaxed);
        let old = self.slot().swap(bits, Relaxed);
        self.remove(old);
    }

    /// Removes a handle in one of several ways. Others may have been faster.
    fn remove(&mut self, bits: u64) {
        let Some(any) = AnyHandle::from_bits(bits) else { return };
        let small = Handle::<Small>::from(std::num::NonZeroU64::new(bits).unwrap());
        may_panic(|| match self.random.below(6) {
            0 => drop(judged(small.remove()).ok()),
            1 => drop(judged(small.take()).ok().flatten().inspect(|value| value.check(small))),
            2 => drop(judged(SMALL.remove(small)).ok()),
            3 => drop(judged(SMALL.take(small)).ok().flatten().inspect(|value| value.check(small))),
            4 => small.delete(),
            _ => {}
        });
        // Whatever it was, and if it is still there.
        may_panic(|| judged(any.remove()).ok());
    }

    fn step(&mut self) {
        let bits = self.slot().load(Relaxed).max(1);
        let small = Handle::<Small>::from_bits(bits).unwrap();
        match self.random.below(40) {
            0..4 => self.publish(Handle::new(Small::new()).to_bits()),
            4..6 => self.publish(SMALL.insert_with(Small::knowing).to_bits()),
            6 => match LIMITED.try_insert(Small::new()) {
                Ok(handle) => self.publish(handle.to_bits()),
                Err(full) => drop(full.0),
            },
            7 => self.publish(Handle::new(Wide::new()).to_bits()),
            8 => self.publish(Handle::new(Busy(Account::open())).to_bits()),
            9 => match self.random.below(8) {
                0 => self.publish(Handle::new(Panics(Account::open())).to_bits()),
                1 => self.give_up(),
                2 => drop(may_panic(|| small.value().check(small))),
                _ => {}
            },
            10..18 => drop(judged(small.get()).map(|value| value.check(small))),
            18..20 => drop(judged(Handle::<Wide>::from_bits(bits).unwrap().get()).map(|value| value.check())),
            20 => {
                drop(judged(Handle::<Busy>::from_bits(bits).unwrap().get()).map(|value| value.0.check()));
                // The guard may be the last.
                may_panic(|| {
                    judged(Handle::<Panics>::from_bits(bits).unwrap().get()).map(|value| value.0.check())
                });
            }
            21 => drop(judged(SMALL.get(small)).map(|value| value.check(small))),
            22..25 => {
                if self.guards.len() < 10 {
                    self.guards.extend(judged(small.get()).ok());
                }
            }
            25 => {
                if let Some(guard) = self.guards.pop() {
                    self.shared.push(Ref::into_shared(guard));
                }
            }
            26 => {
                // A guard as a value: whoever removes it or takes it lets go.
                if let Some(shared) = self.shared.pop() {
                    self.publish(Handle::new(shared).to_bits());
                }
            }
            27 => {
                self.shared.extend(judged(Handle::<Shared>::from_bits(bits).unwrap().take()).ok().flatten())
            }
            28 => {
                let guards = judged(Handle::<Shared>::from_bits(bits).unwrap().get())
                    .map(|shared| Shared::clone(&shared));
                self.shared.extend(guards.ok());
            }
            29..31 => self.remove(bits),
            31..33 => self.nested(),
            33 => self.forge(bits),
            34 => self.look(),
            35 => self.forget(),
            36 => match self.random.below(64) {
                0 => LIMITED.clear(),
                1 => SMALL.clear(),
                _ => {}
            },
            _ => self.let_go(),
        }
        if self.shared.len() > 8 {
            self.shared.clear();
        }
    }

    /// All guards still keep their values; then some go.
    fn let_go(&mut self) {
        self.guards.iter().for_each(|guard| guard.check(Ref::handle(guard)));
        self.shared.iter().for_each(|guard| guard.check(SharedRef::handle(guard)));
        match self.random.below(4) {
            0 => self.guards.clear(),
            1 => self.shared.clear(),
            _ if self.guards.is_empty() => {}
            _ => {
                let index = self.random.below(self.guards.len());
                drop(self.guards.swap_remove(index));
            }
        }
    }

    /// `insert_with` whose closure panics: the handle was told, and never becomes one.
    fn give_up(&mut self) {
        let mut told = None;
        let made = may_panic(|| {
            SMALL.insert_with(|me| {
                told = Some(me);
                if me.get().is_ok() {
                    broken!("{me} has a value before it has one");
                }
                resume_unwind(Box::new(()))
            })
        });
        ISSUED.fetch_add(1, Relaxed);
        let told = told.unwrap();
        if made.is_some() || told.get().is_ok() {
            broken!("{told} was given up, and is there");
        }
    }

    /// A registry that others may drop at any moment.
    fn nested(&mut self) {
        let slot = &NESTED[self.random.below(NESTED.len())];
        let found = Handle::<Nested>::from_bits(slot.load(Relaxed)).and_then(|handle| handle.get().ok());
        match found {
            Some(registry) if self.random.below(64) != 0 => {
                let bits = registry.insert_with(Small::knowing).to_bits();
                self.publish(bits);
                if self.random.below(200) == 0 {
                    registry.clear();
                }
                for live in registry.live().take(3) {
                    drop(registry.get(live.handle).map(|value| value.check(live.handle)));
                }
            }
            found => {
                drop(found);
                let new = Handle::new(Nested::new());
                ISSUED.fetch_add(1, Relaxed);
                if let Some(old) = Handle::<Nested>::from_bits(slot.swap(new.to_bits(), Relaxed)) {
                    old.delete();
                }
            }
        }
    }

    fn forge(&mut self, bits: u64) {
        let forged = match self.random.below(4) {
            0 => self.random.next(),
            1 => bits ^ 1 << self.random.below(64),
            2 => bits.wrapping_add(1 << 33),
            _ => bits ^ (self.random.next() & 0xFFFF) << 1,
        };
        if let Some(handle) = Handle::<Small>::from_bits(forged) {
            // It may be a live one, and knows then.
            drop(judged(handle.get()).map(|value| value.check(handle)));
        }
    }

    /// What looks at everything.
    fn look(&mut self) {
        match self.random.below(256) {
            0 => drop(haft::leaks().to_string()),
            1 => drop(haft::stats()),
            2 if LIMITED.len() > LIMIT => broken!("more than the limit"),
            3 => SMALL
                .live()
                .take(50)
                .for_each(|live| drop(live.handle.get().map(|value| value.check(live.handle)))),
            _ => {}
        }
    }

    /// A guard is leaked: its value stays for ever, and the account knows.
    fn forget(&mut self) {
        if self.random.below(64) == 0 && FORGOTTEN.fetch_add(1, Relaxed) < FORGET {
            let handle = SMALL.insert_with(Small::knowing);
            ISSUED.fetch_add(1, Relaxed);
            // Somebody may have cleared the registry already.
            if let Ok(guard) = handle.get() {
                LEAKED.fetch_add(1, Relaxed);
                match self.random.below(2) {
                    0 => std::mem::forget(guard),
                    _ => std::mem::forget(Ref::into_shared(guard)),
                }
            }
            drop(handle.remove());
        }
    }
}

/// An error says why, and never what cannot be.
fn judged<R>(result: Result<R, Error>) -> Result<R, Error> {
    if let Err(error) = &result
        && matches!(error.kind(), ErrorKind::Null | ErrorKind::TooManyHolds)
    {
        broken!("{error}");
    }
    result
}

/// What a value does that uses haft when it is dropped.
pub fn in_a_drop() {
    let handle = Handle::new(Small::new());
    ISSUED.fetch_add(1, Relaxed);
    drop(handle.get().map(|value| value.check(handle)));
    // Somebody may have found it in a report, but nobody removes it but this.
    if handle.remove().is_err() {
        broken!("{handle} was removed by somebody else");
    }
}

/// Removes everything, and returns how many guards were forgotten.
pub fn end() -> u64 {
    let mut worker = Worker::new(1);
    for slot in SLOTS.iter().chain(&NESTED) {
        let bits = slot.swap(0, Relaxed);
        worker.remove(bits);
    }
    drop(worker);
    SMALL.clear();
    LIMITED.clear();
    if (SMALL.len(), LIMITED.len()) != (0, 0) {
        broken!("not empty after clear: {} and {}", SMALL.len(), LIMITED.len());
    }
    LEAKED.load(Relaxed)
}
