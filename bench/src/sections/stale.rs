//! Lookups of a handle that was removed.

use super::Section;
use crate::harness::{Sampler, alone, calibrate, take_turns};
use crate::peers::{Kind, Peer};
use crate::scale::Scale;
use crate::table::Table;
use crate::words;
use std::hint::black_box;

const STALE: &str = "one thread";

pub const SECTION: Section = Section {
    id: "stale",
    title: "What does it cost to be told that a handle is stale?",
    method: "Look one removed handle up, again and again, and learn that it is gone; haft makes the whole error meanwhile (what is wrong, who created and who removed it), the others say \"nothing there\". Per lookup.",
    unit: "ns",
    measure,
    conclude: |tables| words::beside(&tables[0], STALE),
    draw: super::bars,
};

fn sampler<P: Peer>(scale: &Scale) -> Option<Sampler> {
    if matches!(P::KIND, Kind::Unchecked | Kind::Harness) {
        return None;
    }
    let peer = P::new();
    let key = peer.create(7);
    peer.remove(key);
    assert_eq!(peer.find(key), None, "{}", P::NAME);
    let run = move |count| {
        alone(count, |count| {
            for _ in 0..count {
                black_box(peer.find(black_box(key)).is_none());
            }
        })
    };
    let count = calibrate(scale.sample, &run);
    Some(Box::new(move || vec![Some(run(count))]))
}

fn measure(scale: &Scale) -> Vec<Table> {
    vec![take_turns("stale", &[STALE], scale, for_all!(sampler(scale)))]
}
