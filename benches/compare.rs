//! haft beside sharded-slab, its closest peer: the two workloads of Go's benchmark first, then each step.
//!
//! More peers, and the tables of BENCHMARKS.md: `cargo run --profile bench -p haft-bench`.

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use haft::{Handle, Registry};
use sharded_slab::Slab;
use std::hint::black_box;
use std::sync::Barrier;
use std::time::{Duration, Instant};

/// Runs the work on two threads at once: the mean of both, per thread.
fn on_two_threads(count: u64, work: impl Fn(u64) + Sync) -> Duration {
    let barrier = Barrier::new(2);
    let run = || {
        barrier.wait();
        let begun = Instant::now();
        work(count);
        begun.elapsed()
    };
    std::thread::scope(|scope| {
        let other = scope.spawn(run);
        let mine = run();
        (mine + other.join().unwrap()) / 2
    })
}

fn cycle_haft() {
    let handle = black_box(Handle::new(black_box(5_u64)));
    black_box(*handle.get().unwrap());
    handle.remove().unwrap();
}

fn cycle_slab(slab: &Slab<u64>) {
    let key = black_box(slab.insert(black_box(5)).unwrap());
    black_box(*slab.get(key).unwrap());
    assert!(slab.remove(key));
}

/// Go's `BenchmarkHandle/non-concurrent` and `/concurrent`.
fn cycle(criterion: &mut Criterion) {
    let (slab, registry) = (Slab::new(), Registry::new());
    let mut group = criterion.benchmark_group("cycle");
    group.bench_function("haft", |bencher| bencher.iter(cycle_haft));
    group.bench_function("sharded-slab", |bencher| bencher.iter(|| cycle_slab(&slab)));
    group.bench_function("haft-registry", |bencher| {
        bencher.iter(|| {
            let handle = black_box(registry.insert(black_box(5_u64)));
            black_box(*registry.get(handle).unwrap());
            registry.remove(handle).unwrap();
        });
    });
    group.finish();
    let mut group = criterion.benchmark_group("cycle-two-threads");
    let repeat =
        |count, work: &(dyn Fn() + Sync)| on_two_threads(count, |count| (0..count).for_each(|_| work()));
    group.bench_function("haft", |bencher| bencher.iter_custom(|count| repeat(count, &cycle_haft)));
    group.bench_function("sharded-slab", |bencher| {
        bencher.iter_custom(|count| repeat(count, &|| cycle_slab(&slab)))
    });
    group.finish();
}

fn lookup(criterion: &mut Criterion) {
    let slab = Slab::new();
    let (handle, key) = (Handle::new(7_u64), slab.insert(7_u64).unwrap());
    let haft = || _ = black_box(*black_box(handle).get().unwrap());
    let sharded = || _ = black_box(*slab.get(black_box(key)).unwrap());
    let mut group = criterion.benchmark_group("lookup");
    group.bench_function("haft", |bencher| bencher.iter(haft));
    group.bench_function("sharded-slab", |bencher| bencher.iter(sharded));
    group.finish();
    let mut group = criterion.benchmark_group("hot-lookup-two-threads");
    let repeat =
        |count, work: &(dyn Fn() + Sync)| on_two_threads(count, |count| (0..count).for_each(|_| work()));
    group.bench_function("haft", |bencher| bencher.iter_custom(|count| repeat(count, &haft)));
    group.bench_function("sharded-slab", |bencher| bencher.iter_custom(|count| repeat(count, &sharded)));
    group.finish();
    handle.delete();
    let mut group = criterion.benchmark_group("stale-lookup");
    slab.remove(key);
    group.bench_function("haft", |bencher| bencher.iter(|| black_box(black_box(handle).get().is_err())));
    group.bench_function("sharded-slab", |bencher| {
        bencher.iter(|| black_box(slab.get(black_box(key)).is_none()))
    });
    group.finish();
}

fn steps(criterion: &mut Criterion) {
    const BATCH: u64 = 1000;
    let mut group = criterion.benchmark_group("create-1000");
    group.bench_function("haft", |bencher| {
        bencher.iter_batched_ref(
            || Vec::with_capacity(BATCH as usize),
            |handles: &mut Vec<_>| {
                handles.extend((0..BATCH).map(Handle::new));
                handles.drain(..).for_each(Handle::delete);
            },
            BatchSize::SmallInput,
        );
    });
    let slab = Slab::new();
    group.bench_function("sharded-slab", |bencher| {
        bencher.iter_batched_ref(
            || Vec::with_capacity(BATCH as usize),
            |keys: &mut Vec<_>| {
                keys.extend((0..BATCH).map(|value| slab.insert(value).unwrap()));
                keys.drain(..).for_each(|key| assert!(slab.remove(key)));
            },
            BatchSize::SmallInput,
        );
    });
    group.finish();
}

criterion_group!(benches, cycle, lookup, steps);
criterion_main!(benches);
