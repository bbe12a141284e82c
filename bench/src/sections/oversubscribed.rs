//! More threads than two.

use super::Section;
use super::{cycle, lookup};
use crate::harness::{Sampler, calibrate, take_turns};
use crate::peers::{Kind, Peer};
use crate::ring::wait_until;
use crate::scale::Scale;
use crate::table::Table;
use crate::words;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

const COLUMNS: [&str; 4] =
    ["cycle, 4 threads", "cycle, 8 threads", "hot lookup, 4 threads", "hot lookup, 8 threads"];

pub const SECTION: Section = Section {
    id: "more-threads",
    title: "What if there are more threads?",
    method: "The cycle and the lookup of one handle that a third thread made, as above, on four and eight threads. Where they are more than the processors (see *Where*) this is **oversubscribed**: \
             threads are stopped anywhere, also while they hold a lock. Counted is processor time: the time until all threads have done their part, times the processors that they use, divided by all operations.",
    unit: "ns of a processor",
    measure,
    conclude: |tables| COLUMNS.iter().flat_map(|column| words::beside(&tables[0], column)).collect(),
    draw: super::bars,
};

/// Processor time of one operation: the time until all threads have done their part, of all processors that they use.
fn crowd(threads: usize, count: u32, work: impl Fn(u32) + Sync) -> f64 {
    let processors = std::thread::available_parallelism().map_or(1, usize::from).min(threads);
    let ready = AtomicUsize::new(0);
    let run = || {
        ready.fetch_add(1, Ordering::AcqRel);
        wait_until(|| ready.load(Ordering::Acquire) == threads);
        let begun = Instant::now();
        work(count);
        (begun, Instant::now())
    };
    let spans: Vec<(Instant, Instant)> = std::thread::scope(|scope| {
        let each: Vec<_> = (0..threads).map(|_| scope.spawn(run)).collect();
        each.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    let begun = spans.iter().map(|span| span.0).min().expect("a thread");
    let ended = spans.iter().map(|span| span.1).max().expect("a thread");
    let all = (ended - begun).as_nanos() as f64 * processors as f64;
    all / threads as f64 / f64::from(count)
}

fn sampler<P: Peer>(scale: &Scale) -> Option<Sampler> {
    if P::KIND == Kind::Alone {
        return None;
    }
    let peer: &'static P = Box::leak(Box::new(P::new()));
    let key = lookup::of_another_thread(peer);
    let cycles = move |threads, count| crowd(threads, count, |count| cycle::work(peer, count));
    let lookups = move |threads, count| crowd(threads, count, |count| lookup::work(peer, key, count));
    // Longer than others: the scheduler must have turned several times.
    let length = scale.sample * 4;
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
