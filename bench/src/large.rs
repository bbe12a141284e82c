//! Many handles: memory, random lookups, and the latency of creation while the table grows.

use hdrhistogram::Histogram;
use std::hint::black_box;
use std::time::Instant;

pub struct Large {
    /// Bytes per live handle beyond the value's eight, at a million: from the pages that haft made.
    pub overhead: f64,
    /// Bytes of pages when a million handles were removed from a registry that is still there, and when it is dropped.
    pub after: (usize, usize),
    /// Nanoseconds per random lookup among ten million: haft and `slab`, medians.
    pub random: (f64, f64),
    /// Nanoseconds of one creation while the table grows to ten million: quantiles, and the largest.
    pub growth: [(&'static str, u64); 5],
}

const MILLION: usize = 1_000_000;

pub fn measure() -> Large {
    let (overhead, after) = memory();
    Large { overhead, after, growth: growth(), random: random() }
}

fn memory() -> (f64, (usize, usize)) {
    let before = haft::stats().bytes;
    let registry = haft::Registry::new();
    let handles: Vec<_> = (0..MILLION as u64).map(|value| registry.insert(value)).collect();
    let bytes = haft::stats().bytes - before;
    handles.iter().for_each(|handle| assert!(registry.take(*handle).is_ok()));
    let removed = haft::stats().bytes - before;
    drop(registry);
    (bytes as f64 / MILLION as f64 - 8.0, (removed, haft::stats().bytes - before))
}

fn growth() -> [(&'static str, u64); 5] {
    let registry = haft::Registry::new();
    let mut histogram = Histogram::<u64>::new(3).unwrap();
    for value in 0..10 * MILLION as u64 {
        let begun = Instant::now();
        black_box(registry.insert(value));
        histogram.record(begun.elapsed().as_nanos() as u64).unwrap();
    }
    let at = |quantile| histogram.value_at_quantile(quantile);
    [
        ("p50", at(0.5)),
        ("p99", at(0.99)),
        ("p99.9", at(0.999)),
        ("p99.99", at(0.9999)),
        ("largest", histogram.max()),
    ]
}

fn random() -> (f64, f64) {
    const COUNT: usize = 10 * MILLION;
    let registry = haft::Registry::new();
    let handles: Vec<_> = (0..COUNT as u64).map(|value| registry.insert(value)).collect();
    let mut slab = slab::Slab::new();
    let keys: Vec<_> = (0..COUNT as u64).map(|value| slab.insert(value)).collect();
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    let mut next = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state as usize % COUNT
    };
    // The order is the same for both, and prepared, so that only the lookup's own misses count beside that of the list.
    let order: Vec<u32> = (0..2 * MILLION).map(|_| next() as u32).collect();
    let time = |work: &dyn Fn(usize) -> u64| {
        let begun = Instant::now();
        let sum = order.iter().fold(0_u64, |sum, index| sum.wrapping_add(work(*index as usize)));
        black_box(sum);
        begun.elapsed().as_nanos() as f64 / order.len() as f64
    };
    let mut samples: Vec<(f64, f64)> = (0..7)
        .map(|_| (time(&|index| *registry.get(handles[index]).unwrap()), time(&|index| slab[keys[index]])))
        .collect();
    let mut median = |pick: fn(&(f64, f64)) -> f64| {
        samples.sort_by(|one, two| pick(one).total_cmp(&pick(two)));
        pick(&samples[samples.len() / 2])
    };
    (median(|sample| sample.0), median(|sample| sample.1))
}
