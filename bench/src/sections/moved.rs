//! Created on one thread, looked up and removed on another.

use super::Section;
use crate::go;
use crate::harness::{Sampler, calibrate, take_turns};
use crate::peers::{Kind, Peer};
use crate::pinned::Pinned;
use crate::ring::{BATCH, Ring, wait_until};
use crate::scale::Scale;
use crate::table::Table;
use crate::words;
use std::hint::black_box;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

pub const MOVED: &str = "created here, removed there";

pub const SECTION: Section = Section {
    id: "moved",
    title: "What does it cost to remove on another thread than the one that created?",
    method: "One thread creates, the other looks up, reads and removes, in batches of 256 through a ring of eight batches; both work at once, so the slower side counts. Per handle, from the first creation to the last removal.",
    unit: "ns",
    measure,
    conclude: |tables| words::beside(&tables[0], MOVED),
    draw: super::bars,
};

fn run<P: Peer>(peer: &P, batches: u32) -> f64 {
    let ring = Ring::new();
    let ready = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let taker = scope.spawn(|| {
            let _pinned = Pinned::to(1);
            ready.store(true, Ordering::Release);
            for _ in 0..batches {
                ring.read(|batch| {
                    for key in batch {
                        black_box(peer.read(black_box(*key)));
                        peer.remove(black_box(*key));
                    }
                });
            }
        });
        let _pinned = Pinned::to(0);
        wait_until(|| ready.load(Ordering::Acquire));
        let begun = Instant::now();
        for _ in 0..batches {
            ring.write(|batch| {
                for (value, key) in batch.iter_mut().enumerate() {
                    *key = black_box(peer.create(black_box(value as u64)));
                }
            });
        }
        taker.join().unwrap();
        begun.elapsed().as_nanos() as f64 / f64::from(batches) / BATCH as f64
    })
}

/// Batches that fill a sample.
fn calibrated<P: Peer>(peer: &P, scale: &Scale) -> u32 {
    calibrate(scale.sample, |batches| run(peer, batches) * BATCH as f64)
}

pub fn sampler<P: Peer>(scale: &Scale) -> Option<Sampler> {
    if P::KIND == Kind::Alone {
        return None;
    }
    let peer: &'static P = Box::leak(Box::new(P::new()));
    let batches = calibrated(peer, scale);
    Some(Box::new(move || vec![Some(run(peer, batches))]))
}

/// One figure, for other sections.
pub fn sample<P: Peer>(peer: &P, scale: &Scale) -> f64 {
    run(peer, calibrated(peer, scale))
}

fn measure(scale: &Scale) -> Vec<Table> {
    let mut samplers = for_all!(sampler(scale));
    samplers.extend(go::samplers(scale, &[("Moved", 2)]));
    vec![take_turns("moved", &[MOVED], scale, samplers)]
}
