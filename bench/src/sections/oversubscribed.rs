//! More threads than two.

use super::Section;
use super::{cycle, lookup};
use crate::harness::{Sampler, calibrate, mean, take_turns};
use crate::peers::{Kind, Peer};
use crate::scale::Scale;
use crate::table::Table;
use crate::together::together;
use crate::words;

const COLUMNS: [&str; 4] =
    ["cycle, 4 threads", "cycle, 8 threads", "hot lookup, 4 threads", "hot lookup, 8 threads"];

pub const SECTION: Section = Section {
    id: "more-threads",
    title: "What if there are more threads?",
    method: "The cycle and the lookup of one handle that a third thread made, as above, on four and eight threads. Where they are more than the processors (see *Where*) this is **oversubscribed**: \
             threads are stopped anywhere, also while they hold a lock. Counted is the time of a processor: the time of one operation on one thread, divided by the threads that share a processor.",
    unit: "ns of a processor",
    measure,
    conclude: |tables| COLUMNS.iter().flat_map(|column| words::beside(&tables[0], column)).collect(),
    draw: super::bars,
};

/// The part of a processor that each of so many threads has.
fn share(threads: usize) -> f64 {
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    (processors as f64 / threads as f64).min(1.0)
}

fn sampler<P: Peer>(scale: &Scale) -> Option<Sampler> {
    if P::KIND == Kind::Alone {
        return None;
    }
    let peer: &'static P = Box::leak(Box::new(P::new()));
    let key = lookup::of_another_thread(peer);
    let cycles = move |threads, count| {
        mean(&together(threads, count, |_, count| cycle::work(peer, count))) * share(threads)
    };
    let lookups = move |threads, count| {
        mean(&together(threads, count, |_, count| lookup::work(peer, key, count))) * share(threads)
    };
    // As long as on two threads for each: the scheduler must have turned several times.
    let length = scale.sample * 2;
    let (cycle, lookup) =
        (calibrate(length, |count| cycles(4, count)), calibrate(length, |count| lookups(4, count)));
    Some(Box::new(move || {
        vec![
            Some(cycles(4, cycle)),
            Some(cycles(8, cycle)),
            Some(lookups(4, lookup)),
            Some(lookups(8, lookup)),
        ]
    }))
}

fn measure(scale: &Scale) -> Vec<Table> {
    vec![take_turns("more-threads", &COLUMNS, scale, for_all!(sampler(scale)))]
}
