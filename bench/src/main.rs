//! Measures haft beside its peers and writes BENCHMARKS.md and its charts: `cargo run --profile bench -p haft-bench`.
//!
//! All sides of a comparison are measured in the same run, in turn; what is quoted are medians over the rounds.

mod chart;
mod from_c;
mod large;
mod peers;
mod report;
mod work;

use peers::*;

/// What one peer took, in nanoseconds, a sample per round.
pub struct Row {
    pub name: &'static str,
    pub samples: [Vec<f64>; WORKLOADS.len()],
}

/// The workloads, in the order of the samples.
pub const WORKLOADS: [&str; 5] =
    ["cycle", "cycle, two threads", "lookup", "hot lookup, two threads", "moved between threads"];

fn measure<P: Peer>(rows: &mut Vec<Row>, round: usize) {
    let peer = P::new();
    let samples = [
        work::cycle_one(&peer),
        work::cycle_two(&peer),
        work::read_one(&peer),
        work::read_hot(&peer),
        work::moved(&peer),
    ];
    if round == 0 {
        rows.push(Row { name: P::NAME, samples: Default::default() });
        return;
    }
    let row = rows.iter_mut().find(|row| row.name == P::NAME).expect("measured in round 0");
    row.samples.iter_mut().zip(samples).for_each(|(row, sample)| row.push(sample));
}

fn main() {
    let rounds = std::env::args().nth(1).map_or(11, |rounds| rounds.parse().expect("a number of rounds"));
    let mut rows = Vec::new();
    let mut from_c = Vec::new();
    // Round 0 warms up.
    for round in 0..=rounds {
        eprintln!("round {round} of {rounds}");
        measure::<Haft>(&mut rows, round);
        from_c.push(from_c::cycle());
        measure::<ShardedSlab>(&mut rows, round);
        measure::<HaftRegistry>(&mut rows, round);
        measure::<IdrEbr>(&mut rows, round);
        measure::<LockedSlab>(&mut rows, round);
        measure::<LockedSlotMap>(&mut rows, round);
        measure::<GoModel>(&mut rows, round);
        measure::<DashMap>(&mut rows, round);
        measure::<Papaya>(&mut rows, round);
        measure::<FfiSupport>(&mut rows, round);
        measure::<RawArc>(&mut rows, round);
        measure::<RawBox>(&mut rows, round);
    }
    eprintln!("many handles");
    let large = large::measure();
    report::write(&rows, &from_c[1..], &large, rounds);
}
