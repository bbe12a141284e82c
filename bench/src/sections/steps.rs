//! Each step alone, on a thousand handles.

use super::Section;
use crate::harness::{Sampler, calibrate, mean, take_turns};
use crate::peers::{Kind, Peer};
use crate::scale::Scale;
use crate::table::Table;
use crate::together::together;
use crate::words;
use std::hint::black_box;
use std::time::{Duration, Instant};

const HANDLES: usize = 1000;
pub const CREATE: &str = "create";
const LOOK_UP: &str = "look up";
pub const REMOVE: &str = "remove";
const OWN: &str = "look up, two threads, each its own";

pub const SECTION: Section = Section {
    id: "steps",
    title: "What does each step cost alone?",
    method: "A thousand handles are created, then each is looked up and read, then each removed, oldest first; each phase is timed by itself. The last column: two threads at once look a \
             thousand of their own up. Per operation, and per thread.",
    unit: "ns",
    measure,
    conclude: |tables| {
        [CREATE, LOOK_UP, REMOVE, OWN].iter().flat_map(|column| words::beside(&tables[0], column)).collect()
    },
    draw: super::bars,
};

fn create<P: Peer>(peer: &P, keys: &mut [u64]) {
    for (value, key) in keys.iter_mut().enumerate() {
        *key = black_box(peer.create(black_box(value as u64)));
    }
}

fn read<P: Peer>(peer: &P, keys: &[u64]) {
    for key in keys {
        black_box(peer.read(black_box(*key)));
    }
}

fn remove<P: Peer>(peer: &P, keys: &[u64]) {
    for key in keys {
        peer.remove(black_box(*key));
    }
}

/// How often it takes to fill a sample.
pub fn repeats<P: Peer>(peer: &P, scale: &Scale) -> u32 {
    calibrate(scale.sample, |repeats| phases(peer, repeats).iter().sum::<f64>() * HANDLES as f64)
}

/// Creation, lookup, removal.
pub fn phases<P: Peer>(peer: &P, repeats: u32) -> [f64; 3] {
    let mut keys = [0; HANDLES];
    let mut sums = [Duration::ZERO; 3];
    for _ in 0..repeats {
        let begun = Instant::now();
        create(peer, &mut keys);
        let created = Instant::now();
        read(peer, &keys);
        let looked_up = Instant::now();
        remove(peer, &keys);
        sums[0] += created - begun;
        sums[1] += looked_up - created;
        sums[2] += looked_up.elapsed();
    }
    sums.map(|sum| sum.as_nanos() as f64 / f64::from(repeats) / HANDLES as f64)
}

fn own<P: Peer>(peer: &P, repeats: u32) -> f64 {
    let each = together(2, repeats, |_, repeats| {
        let mut keys = [0; HANDLES];
        create(peer, &mut keys);
        (0..repeats).for_each(|_| read(peer, &keys));
        remove(peer, &keys);
    });
    mean(&each) / HANDLES as f64
}

fn sampler<P: Peer>(scale: &Scale) -> Option<Sampler> {
    let peer: &'static P = Box::leak(Box::new(P::new()));
    let repeats = repeats(peer, scale);
    let twice = (P::KIND != Kind::Alone)
        .then(|| calibrate(scale.sample, |repeats| own(peer, repeats) * HANDLES as f64));
    Some(Box::new(move || {
        let [create, look_up, remove] = phases(peer, repeats);
        vec![Some(create), Some(look_up), Some(remove), twice.map(|repeats| own(peer, repeats))]
    }))
}

fn measure(scale: &Scale) -> Vec<Table> {
    vec![take_turns("steps", &[CREATE, LOOK_UP, REMOVE, OWN], scale, for_all!(sampler(scale)))]
}
