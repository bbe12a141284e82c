//! The workloads, the same for every peer. Each returns nanoseconds per operation.

use crate::peers::Peer;
use std::hint::black_box;
use std::sync::Barrier;
use std::time::{Duration, Instant};

/// How long one sample takes at least.
const SAMPLE: Duration = Duration::from_millis(25);

/// The time of one call, from as many calls as fill a sample.
pub fn time(mut work: impl FnMut(u32)) -> f64 {
    let mut count = 1_000;
    loop {
        let begun = Instant::now();
        work(count);
        let elapsed = begun.elapsed();
        if elapsed >= SAMPLE {
            return elapsed.as_nanos() as f64 / f64::from(count);
        }
        count = count.saturating_mul(if elapsed < SAMPLE / 8 { 8 } else { 2 });
    }
}

/// The same on two threads at once: the mean of both, per thread.
fn time_two(work: impl Fn(u32) + Sync) -> f64 {
    let barrier = Barrier::new(2);
    let run = || {
        barrier.wait();
        time(&work)
    };
    std::thread::scope(|scope| {
        let other = scope.spawn(run);
        let mine = run();
        (mine + other.join().unwrap()) / 2.0
    })
}

fn cycle<P: Peer>(peer: &P, count: u32) {
    for value in 0..count {
        let key = black_box(peer.create(black_box(u64::from(value))));
        black_box(peer.read(key));
        peer.remove(black_box(key));
    }
}

/// Create, look up, read, remove.
pub fn cycle_one<P: Peer>(peer: &P) -> f64 {
    time(|count| cycle(peer, count))
}

/// The same on two threads, each its own.
pub fn cycle_two<P: Peer>(peer: &P) -> f64 {
    time_two(|count| cycle(peer, count))
}

fn read<P: Peer>(peer: &P, key: P::Key, count: u32) {
    for _ in 0..count {
        black_box(peer.read(black_box(key)));
    }
}

/// Look up one key.
pub fn read_one<P: Peer>(peer: &P) -> f64 {
    let key = peer.create(7);
    let result = time(|count| read(peer, key, count));
    peer.remove(key);
    result
}

/// Look one key up from two threads at once.
pub fn read_hot<P: Peer>(peer: &P) -> f64 {
    let key = peer.create(7);
    let result = time_two(|count| read(peer, key, count));
    peer.remove(key);
    result
}

/// Created on one thread, looked up and removed on the other, in batches of 256 through a ring of four.
pub fn moved<P: Peer>(peer: &P) -> f64 {
    const BATCH: usize = 256;
    time(|count| {
        let batches = count as usize / BATCH + 1;
        let (sender, receiver) = std::sync::mpsc::sync_channel::<Vec<P::Key>>(4);
        let (back, empty) = std::sync::mpsc::sync_channel::<Vec<P::Key>>(8);
        (0..6).for_each(|_| back.send(Vec::with_capacity(BATCH)).unwrap());
        std::thread::scope(|scope| {
            scope.spawn(move || {
                for mut batch in receiver {
                    for key in batch.drain(..) {
                        black_box(peer.read(key));
                        peer.remove(key);
                    }
                    let _ = back.try_send(batch);
                }
            });
            for number in 0..batches {
                let mut batch = empty.recv().unwrap();
                batch.extend((0..BATCH).map(|value| peer.create((number + value) as u64)));
                sender.send(batch).unwrap();
            }
            drop(sender);
        });
    })
}
