//! haft beside sharded-slab, its closest peer: `cargo bench`.
//!
//! The two workloads of Go's benchmark first, then each step, lookups of one handle and of a thread's own, removal on another thread,
//! mixtures, stale handles, ten million live handles. More peers, and the tables of BENCHMARKS.md:
//! `cargo run --profile bench -p haft-bench`.

#[path = "shared/pinned.rs"]
mod pinned;
#[path = "shared/ring.rs"]
mod ring;
#[path = "shared/together.rs"]
mod together;

use criterion::measurement::WallTime;
use criterion::{BatchSize, BenchmarkGroup, Criterion, Throughput, criterion_group, criterion_main};
use haft::{Handle, Registry};
use pinned::Pinned;
use ring::{BATCH, Ring};
use sharded_slab::Slab;
use std::hint::black_box;
use std::time::{Duration, Instant};
use together::together;

/// A key is the integer that C would hold.
trait Table: Sync {
    const NAME: &'static str;
    fn new() -> Self;
    fn create(&self, value: u64) -> u64;
    fn find(&self, key: u64) -> Option<u64>;
    fn remove(&self, key: u64);
}

/// The default registry.
struct Haft;

impl Table for Haft {
    const NAME: &'static str = "haft";
    fn new() -> Self {
        Self
    }
    #[inline(always)]
    fn create(&self, value: u64) -> u64 {
        Handle::new(value).to_bits()
    }
    #[inline(always)]
    fn find(&self, key: u64) -> Option<u64> {
        Some(*Handle::<u64>::from_bits(key)?.get().ok()?)
    }
    #[inline(always)]
    fn remove(&self, key: u64) {
        Handle::<u64>::from_bits(key).unwrap().remove().unwrap();
    }
}

impl Table for Registry<u64> {
    const NAME: &'static str = "haft-registry";
    fn new() -> Self {
        Registry::new()
    }
    #[inline(always)]
    fn create(&self, value: u64) -> u64 {
        self.insert(value).to_bits()
    }
    #[inline(always)]
    fn find(&self, key: u64) -> Option<u64> {
        Some(*self.get(Handle::from_bits(key)?).ok()?)
    }
    #[inline(always)]
    fn remove(&self, key: u64) {
        self.remove(Handle::from_bits(key).unwrap()).unwrap();
    }
}

impl Table for Slab<u64> {
    const NAME: &'static str = "sharded-slab";
    fn new() -> Self {
        Slab::new()
    }
    #[inline(always)]
    fn create(&self, value: u64) -> u64 {
        self.insert(value).unwrap() as u64
    }
    #[inline(always)]
    fn find(&self, key: u64) -> Option<u64> {
        self.get(key as usize).map(|value| *value)
    }
    #[inline(always)]
    fn remove(&self, key: u64) {
        assert!(self.remove(key as usize));
    }
}

type Group<'a> = BenchmarkGroup<'a, WallTime>;

/// One group with all three.
macro_rules! beside {
    ($criterion:ident, $name:literal, $function:ident) => {
        let mut group = $criterion.benchmark_group($name);
        $function::<Haft>(&mut group);
        $function::<Slab<u64>>(&mut group);
        $function::<Registry<u64>>(&mut group);
        group.finish();
    };
}

fn cycle<T: Table>(table: &T, count: u32) {
    for value in 0..count {
        let key = black_box(table.create(black_box(u64::from(value))));
        black_box(table.find(key).unwrap());
        table.remove(black_box(key));
    }
}

fn read<T: Table>(table: &T, key: u64, count: u32) {
    for _ in 0..count {
        black_box(table.find(black_box(key)).unwrap());
    }
}

/// The mean of two threads.
fn on_two(count: u64, work: impl Fn(usize, u32) + Sync) -> Duration {
    let count = u32::try_from(count).expect("a count that criterion asks for");
    let each = together(2, count, work);
    Duration::from_nanos(((each[0] + each[1]) / 2.0 * f64::from(count)) as u64)
}

/// Go's `BenchmarkHandle/non-concurrent`.
fn not_concurrent<T: Table>(group: &mut Group<'_>) {
    let table = T::new();
    group.bench_function(T::NAME, |bencher| bencher.iter(|| cycle(&table, 1)));
}

/// Go's `BenchmarkHandle/concurrent`: per thread.
fn concurrent<T: Table>(group: &mut Group<'_>) {
    let table = T::new();
    group.bench_function(T::NAME, |bencher| {
        bencher.iter_custom(|count| on_two(count, |_, count| cycle(&table, count)));
    });
}

const HANDLES: u64 = 1000;

/// Keys of a table, all removed in the end.
struct Keys<'a, T: Table>(&'a T, Vec<u64>);

impl<'a, T: Table> Keys<'a, T> {
    fn none(table: &'a T) -> Self {
        Self(table, Vec::with_capacity(HANDLES as usize))
    }
    fn some(table: &'a T) -> Self {
        Self(table, (0..HANDLES).map(|value| table.create(value)).collect())
    }
    fn remove_all(&mut self) {
        self.1.drain(..).for_each(|key| self.0.remove(black_box(key)));
    }
}

impl<T: Table> Drop for Keys<'_, T> {
    fn drop(&mut self) {
        self.remove_all();
    }
}

fn create<T: Table>(group: &mut Group<'_>) {
    let table = T::new();
    group.throughput(Throughput::Elements(HANDLES));
    group.bench_function(T::NAME, |bencher| {
        let create =
            |keys: &mut Keys<'_, T>| keys.1.extend((0..HANDLES).map(|value| table.create(black_box(value))));
        bencher.iter_batched_ref(|| Keys::none(&table), create, BatchSize::SmallInput);
    });
}

fn look_up<T: Table>(group: &mut Group<'_>) {
    let table = T::new();
    let keys = Keys::some(&table);
    group.throughput(Throughput::Elements(HANDLES));
    group.bench_function(T::NAME, |bencher| {
        bencher.iter(|| keys.1.iter().for_each(|key| read(&table, *key, 1)));
    });
}

fn remove<T: Table>(group: &mut Group<'_>) {
    let table = T::new();
    group.throughput(Throughput::Elements(HANDLES));
    group.bench_function(T::NAME, |bencher| {
        bencher.iter_batched_ref(|| Keys::some(&table), Keys::remove_all, BatchSize::SmallInput);
    });
}

fn one_handle<T: Table>(group: &mut Group<'_>) {
    let table = T::new();
    let key = table.create(7);
    group.bench_function(T::NAME, |bencher| bencher.iter(|| read(&table, key, 1)));
    table.remove(key);
}

/// Both read a handle that a third thread made.
fn hot<T: Table>(group: &mut Group<'_>) {
    let table = T::new();
    let (made, wait) = (std::sync::mpsc::channel(), std::sync::Barrier::new(2));
    std::thread::scope(|scope| {
        let (table, wait) = (&table, &wait);
        scope.spawn(move || {
            let key = table.create(7);
            made.0.send(key).unwrap();
            wait.wait();
            table.remove(key);
        });
        let key = made.1.recv().unwrap();
        group.bench_function(T::NAME, |bencher| {
            bencher.iter_custom(|count| on_two(count, |_, count| read(table, key, count)));
        });
        wait.wait();
    });
}

/// Each of two threads reads a thousand of its own, in turn.
fn own<T: Table>(group: &mut Group<'_>) {
    let table = T::new();
    group.bench_function(T::NAME, |bencher| {
        bencher.iter_custom(|count| {
            on_two(count, |_, count| {
                let keys = Keys::some(&table);
                (0..count as usize).for_each(|turn| read(&table, keys.1[turn % HANDLES as usize], 1));
            })
        });
    });
}

/// Created here; looked up and removed there.
fn moved<T: Table>(group: &mut Group<'_>) {
    let table = T::new();
    group.throughput(Throughput::Elements(BATCH as u64));
    group.bench_function(T::NAME, |bencher| {
        bencher.iter_custom(|batches| {
            let ring = Ring::new();
            std::thread::scope(|scope| {
                let taker = scope.spawn(|| {
                    let _pinned = Pinned::to(1);
                    for _ in 0..batches {
                        ring.read(|batch| {
                            for key in batch {
                                read(&table, *key, 1);
                                table.remove(black_box(*key));
                            }
                        });
                    }
                });
                let _pinned = Pinned::to(0);
                let begun = Instant::now();
                for _ in 0..batches {
                    ring.write(|batch| {
                        let make = |(value, key): (usize, &mut u64)| {
                            *key = black_box(table.create(black_box(value as u64)));
                        };
                        batch.iter_mut().enumerate().for_each(make);
                    });
                }
                taker.join().unwrap();
                begun.elapsed()
            })
        });
    });
}

/// The next of a sequence of dice.
fn dice(state: &mut u64) -> usize {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    (*state >> 16) as usize
}

/// Two threads: nine of ten steps look up one of a thousand shared handles, the tenth replaces one of the thread's own.
fn mixed<T: Table>(group: &mut Group<'_>) {
    let table = T::new();
    let shared = Keys::some(&table);
    group.bench_function(T::NAME, |bencher| {
        bencher.iter_custom(|count| {
            on_two(count, |thread, count| {
                let mut own = Keys::some(&table);
                let mut state = thread as u64 + 1;
                for _ in 0..count {
                    let dice = dice(&mut state);
                    let place = dice / 10 % HANDLES as usize;
                    if dice % 10 == 0 {
                        table.remove(black_box(own.1[place]));
                        own.1[place] = black_box(table.create(black_box(1)));
                    } else {
                        read(&table, shared.1[place], 1);
                    }
                }
            })
        });
    });
}

fn stale<T: Table>(group: &mut Group<'_>) {
    let table = T::new();
    let key = table.create(7);
    table.remove(key);
    assert!(table.find(key).is_none());
    group.bench_function(T::NAME, |bencher| {
        bencher.iter(|| black_box(table.find(black_box(key))).is_none());
    });
}

/// Random lookups; the order is prepared.
fn ten_million<T: Table>(group: &mut Group<'_>) {
    const LIVE: usize = 10_000_000;
    const LOOKUPS: usize = 1 << 20;
    let table = T::new();
    let keys: Vec<u64> = (0..LIVE as u64).map(|value| table.create(value)).collect();
    let mut state = 7;
    let order: Vec<u64> = (0..LOOKUPS).map(|_| keys[dice(&mut state) % LIVE]).collect();
    group.sample_size(10);
    group.throughput(Throughput::Elements(LOOKUPS as u64));
    group.bench_function(T::NAME, |bencher| {
        bencher.iter(|| order.iter().fold(0_u64, |sum, key| sum.wrapping_add(table.find(*key).unwrap())));
    });
    keys.iter().for_each(|key| table.remove(*key));
}

fn all(criterion: &mut Criterion) {
    beside!(criterion, "cycle", not_concurrent);
    beside!(criterion, "cycle-two-threads", concurrent);
    beside!(criterion, "create-1000", create);
    beside!(criterion, "look-up-1000", look_up);
    beside!(criterion, "remove-1000", remove);
    beside!(criterion, "lookup", one_handle);
    beside!(criterion, "hot-lookup-two-threads", hot);
    beside!(criterion, "own-lookups-two-threads", own);
    beside!(criterion, "moved-256", moved);
    beside!(criterion, "mixed-two-threads", mixed);
    beside!(criterion, "stale-lookup", stale);
    beside!(criterion, "lookup-among-ten-million", ten_million);
}

criterion_group!(benches, all);
criterion_main!(benches);
