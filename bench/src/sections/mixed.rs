//! Lookups of shared handles among replacements of the thread's own.

use super::Section;
use crate::harness::{Sampler, alone, calibrate, mean, take_turns};
use crate::peers::{Kind, Peer};
use crate::scale::Scale;
use crate::table::Table;
use crate::together::together;
use crate::words;
use crate::words::Random;
use std::hint::black_box;

const SHARED: usize = 1024;
const OWN: usize = 64;
const COLUMNS: [&str; 4] =
    ["nine of ten look up", "nine of ten, two threads", "every other looks up", "every other, two threads"];

pub const SECTION: Section = Section {
    id: "mixed",
    title: "What does it cost when everything happens at once?",
    method: "Each step is by chance either a lookup of one of 1,024 handles that all threads share, or removes the oldest of the thread's own 64 handles and creates another. Nine of ten steps look up, or every other. Per step, and per thread; the dice are in it.",
    unit: "ns",
    measure,
    conclude: |tables| {
        [COLUMNS[1], COLUMNS[3]].iter().flat_map(|column| words::beside(&tables[0], column)).collect()
    },
    draw: super::bars,
};

/// So many steps, of which that percentage look up.
fn work<P: Peer>(peer: &P, shared: &[u64], seed: u64, percent: u64, count: u32) {
    let mut random = Random::new(seed);
    let mut own: [u64; OWN] = std::array::from_fn(|value| peer.create(value as u64));
    let mut oldest = 0;
    for value in 0..count {
        let dice = random.next();
        if (dice >> 32) % 100 < percent {
            black_box(peer.read(black_box(shared[dice as usize % SHARED])));
        } else {
            peer.remove(black_box(own[oldest]));
            own[oldest] = black_box(peer.create(black_box(u64::from(value))));
            oldest = (oldest + 1) % OWN;
        }
    }
    own.iter().for_each(|key| peer.remove(*key));
}

fn sampler<P: Peer>(scale: &Scale) -> Option<Sampler> {
    let peer: &'static P = Box::leak(Box::new(P::new()));
    let shared: Vec<u64> = (0..SHARED as u64).map(|value| peer.create(value)).collect();
    let shared: &'static [u64] = shared.leak();
    let one = move |percent, count| alone(count, |count| work(peer, shared, 1, percent, count));
    let two = move |percent, count| {
        mean(&together(2, count, |thread, count| work(peer, shared, thread as u64 + 1, percent, count)))
    };
    let once = calibrate(scale.sample, |count| one(50, count));
    let twice = (P::KIND != Kind::Alone).then(|| calibrate(scale.sample, |count| two(50, count)));
    Some(Box::new(move || {
        let both = |percent| twice.map(|count| two(percent, count));
        vec![Some(one(90, once)), both(90), Some(one(50, once)), both(50)]
    }))
}

fn measure(scale: &Scale) -> Vec<Table> {
    vec![take_turns("mixed", &COLUMNS, scale, for_all!(sampler(scale)))]
}
