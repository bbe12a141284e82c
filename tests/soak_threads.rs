//! Threads that come and go leave bounded memory and a bounded number of shards (S9).
//!
//! `HAFT_THREADS` is how many there are.

use haft::{Handle, Registry};
use std::sync::Barrier;
use std::thread;

const WAVE: usize = 64;

/// The memory of this process in KiB, where the system tells.
fn resident() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmRSS:"))?;
    line.split_whitespace().nth(1)?.parse().ok()
}

#[test]
fn s9_short_lived_threads_leave_bounded_memory_and_shards() {
    let threads = std::env::var("HAFT_THREADS").map_or(10_000, |count| count.parse::<usize>().unwrap());
    let waves = threads.div_ceil(WAVE);
    let registry = Registry::new();
    let hot = Handle::new(7_u64);
    let mut early = None;
    for wave in 0..waves {
        let (barrier, handles) = (Barrier::new(WAVE), std::sync::Mutex::new(vec![None; WAVE]));
        thread::scope(|scope| {
            for index in 0..WAVE {
                let (registry, barrier, handles) = (&registry, &barrier, &handles);
                scope.spawn(move || {
                    let mine = (registry.insert(index), Handle::new(index as u32));
                    handles.lock().unwrap()[index] = Some(mine);
                    barrier.wait();
                    // The neighbour's handles are looked up, and one of them removed, here.
                    let other = (index + 1) % WAVE;
                    let (theirs, default) = handles.lock().unwrap()[other].unwrap();
                    assert_eq!(*registry.get(theirs).unwrap(), other);
                    assert_eq!((*default.get().unwrap(), *hot.get().unwrap()), (other as u32, 7));
                    barrier.wait();
                    registry.remove(theirs).unwrap();
                    mine.1.delete();
                });
            }
        });
        if wave + 1 == waves.div_ceil(10) {
            early = Some(haft::stats());
        }
        if (wave + 1) % waves.div_ceil(10) == 0 || wave + 1 == waves {
            let stats = haft::stats();
            println!(
                "{:>8} threads: {:?} KiB resident, {} shards, {} records, {} pages of {} bytes",
                (wave + 1) * WAVE,
                resident(),
                stats.shards,
                stats.records,
                stats.pages,
                stats.bytes
            );
        }
    }
    assert!(registry.is_empty());
    let (early, stats) = (early.unwrap(), haft::stats());
    // A thread may still be ending when the next wave begins, so two waves may overlap; beside them this thread and the common record.
    // Each is given sixteen places at a time.
    assert!(stats.shards <= 2 * WAVE + 1, "{stats:?}");
    assert!(stats.records <= 2 * 2 * WAVE + 2, "{stats:?}");
    assert!(stats.pages <= 2 * (2 * WAVE + 1) + 2, "{stats:?}");
    assert!(stats.bytes <= 2 * early.bytes, "{early:?} {stats:?}");
    hot.delete();
}
