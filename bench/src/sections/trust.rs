//! What the harness does by itself.

use super::{Section, cycle, lookup, moved};
use crate::harness::{Sampler, Samplers, alone, calibrate, take_turns};
use crate::peers::{HaftRegistry, Nothing, Peer, ShardedSlab};
use crate::scale::Scale;
use crate::table::Table;
use crate::words;
use std::sync::atomic::{Ordering, compiler_fence};

pub const COLUMNS: [&str; 3] = ["cycle", "lookup", "moved"];

pub const SECTION: Section = Section {
    id: "trust",
    title: "How far can these figures be trusted?",
    method: "Two peers are measured twice, as if they were four: the second time the loops are compiled again, at another address. Where the two rows of one peer differ, that is the harness, the placement of code, or the noise of the machine; no smaller difference above means anything. \
             The harness alone is the same loops without any table.",
    unit: "ns",
    measure,
    conclude: |tables| words::twice(&tables[0]),
    draw: super::bars,
};

/// The same peer as another type. The fences cost no instruction, but keep the compiler from using one loop for both.
struct Again<P>(P);

impl<P: Peer> Peer for Again<P> {
    const NAME: &'static str = P::NAME;
    fn new() -> Self {
        Self(P::new())
    }
    #[inline(always)]
    fn create(&self, value: u64) -> u64 {
        compiler_fence(Ordering::SeqCst);
        self.0.create(value)
    }
    #[inline(always)]
    fn find(&self, key: u64) -> Option<u64> {
        compiler_fence(Ordering::SeqCst);
        self.0.find(key)
    }
    #[inline(always)]
    fn remove(&self, key: u64) {
        compiler_fence(Ordering::SeqCst);
        self.0.remove(key);
    }
}

fn sampler<P: Peer>(scale: &Scale) -> Option<Sampler> {
    let peer: &'static P = Box::leak(Box::new(P::new()));
    let key = peer.create(7);
    let cycles = calibrate(scale.sample, |count| alone(count, |count| cycle::work(peer, count)));
    let lookups = calibrate(scale.sample, |count| alone(count, |count| lookup::work(peer, key, count)));
    let mut moved = moved::sampler::<P>(scale)?;
    Some(Box::new(move || {
        let cycle = alone(cycles, |count| cycle::work(peer, count));
        let lookup = alone(lookups, |count| lookup::work(peer, key, count));
        vec![Some(cycle), Some(lookup), moved()[0]]
    }))
}

fn measure(scale: &Scale) -> Vec<Table> {
    let samplers: Samplers = vec![
        (HaftRegistry::NAME, sampler::<HaftRegistry>(scale)),
        ("haft `Registry`, again", sampler::<Again<HaftRegistry>>(scale)),
        (ShardedSlab::NAME, sampler::<ShardedSlab>(scale)),
        ("sharded-slab, again", sampler::<Again<ShardedSlab>>(scale)),
        (Nothing::NAME, sampler::<Nothing>(scale)),
    ];
    vec![take_turns("trust", &COLUMNS, scale, samplers)]
}
