//! Go's two workloads: create, look up, read, delete; alone and at once.

use super::Section;
use crate::harness::{Sampler, alone, calibrate, mean, take_turns};
use crate::peers::{Kind, Peer};
use crate::scale::Scale;
use crate::table::Table;
use crate::together::together;
use crate::words;
use crate::{from_c, go};
use std::hint::black_box;

pub const ONE: &str = "one thread";
pub const TWO: &str = "two threads, each its own";

pub const SECTION: Section = Section {
    id: "cycle",
    title: "What does a handle cost from its creation to its end?",
    method: "Create, look up, read, remove, a handle at a time: both workloads of Go's own benchmark. Per cycle, and per thread where two run at once.",
    unit: "ns",
    measure,
    conclude: |tables| {
        let mut lines = words::beside(&tables[0], ONE);
        lines.extend(words::beside(&tables[0], TWO));
        lines
    },
    draw: super::bars,
};

pub fn work<P: Peer>(peer: &P, count: u32) {
    for value in 0..count {
        let key = black_box(peer.create(black_box(u64::from(value))));
        black_box(peer.read(key));
        peer.remove(black_box(key));
    }
}

fn sampler<P: Peer>(scale: &Scale) -> Option<Sampler> {
    let peer: &'static P = Box::leak(Box::new(P::new()));
    let once = calibrate(scale.sample, |count| alone(count, |count| work(peer, count)));
    let both = move |count| mean(&together(2, count, |_, count| work(peer, count)));
    let twice = (P::KIND != Kind::Alone).then(|| calibrate(scale.sample, both));
    Some(Box::new(move || vec![Some(alone(once, |count| work(peer, count))), twice.map(both)]))
}

fn measure(scale: &Scale) -> Vec<Table> {
    let mut samplers = for_all!(sampler(scale));
    samplers.insert(2, (from_c::NAME, Some(from_c::sampler(scale))));
    samplers.extend(go::samplers(scale, &[("Cycle", 1), ("CycleParallel", 2)]));
    vec![take_turns("cycle", &[ONE, TWO], scale, samplers)]
}
