//! Lookups of one handle: alone, and where two threads look at the same.

use super::Section;
use crate::go;
use crate::harness::{Sampler, alone, calibrate, mean, take_turns};
use crate::peers::{Kind, Peer};
use crate::scale::Scale;
use crate::table::Table;
use crate::together::together;
use crate::words;
use std::hint::black_box;
use std::sync::mpsc;

pub const OWN: &str = "one thread, its own";
pub const FOREIGN: &str = "one thread, another's";
pub const HOT: &str = "two threads, a third's";
pub const MAKER: &str = "two threads: who made it";
pub const OTHER: &str = "two threads: who did not";

pub const SECTION: Section = Section {
    id: "lookup",
    title: "What does a lookup cost, alone and where all look at one handle?",
    method: "Look up and read one handle, again and again; readers take a new guard each time. The handle was made by the reading thread, or by another that is still there and idle; of two \
             threads that read it at once, neither made it (both are counted), or one did (each by itself). Per lookup, and per thread.",
    unit: "ns",
    measure,
    conclude: |tables| {
        let mut lines = words::beside(&tables[0], OWN);
        lines.extend(words::beside(&tables[0], HOT));
        lines
    },
    draw: super::bars,
};

pub fn work<P: Peer>(peer: &P, key: u64, count: u32) {
    for _ in 0..count {
        black_box(peer.read(black_box(key)));
    }
}

/// A key that a thread made which stays, and does nothing more.
pub fn of_another_thread<P: Peer>(peer: &'static P) -> u64 {
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || {
        sender.send(peer.create(7)).unwrap();
        loop {
            std::thread::park();
        }
    });
    receiver.recv().unwrap()
}

fn sampler<P: Peer>(scale: &Scale) -> Option<Sampler> {
    let peer: &'static P = Box::leak(Box::new(P::new()));
    let own = peer.create(7);
    let one = move |key, count| alone(count, |count| work(peer, key, count));
    let once = calibrate(scale.sample, |count| one(own, count));
    if P::KIND == Kind::Alone {
        return Some(Box::new(move || vec![Some(one(own, once)), None, None, None, None]));
    }
    let foreign = of_another_thread(peer);
    let two = move |key, count| together(2, count, |_, count| work(peer, key, count));
    let twice = calibrate(scale.sample, |count| mean(&two(foreign, count)));
    Some(Box::new(move || {
        let hot = two(foreign, twice);
        // The calling thread is the first, and made its own.
        let half = two(own, twice);
        vec![Some(one(own, once)), Some(one(foreign, once)), Some(mean(&hot)), Some(half[0]), Some(half[1])]
    }))
}

fn measure(scale: &Scale) -> Vec<Table> {
    let mut samplers = for_all!(sampler(scale));
    samplers.extend(go::samplers(scale, &[("Lookup", 1), ("", 0), ("LookupParallel", 2), ("", 0), ("", 0)]));
    vec![take_turns("lookup", &[OWN, FOREIGN, HOT, MAKER, OTHER], scale, samplers)]
}
