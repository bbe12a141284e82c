//! The slow ones among many operations.

use super::Section;
use crate::chart;
use crate::peers::Peer;
use crate::scale::Scale;
use crate::table::{Row, Table};
use crate::words::{self, Random};
use hdrhistogram::Histogram;
use std::hint::black_box;
use std::time::Instant;

pub const COLUMNS: [&str; 5] = ["p50", "p99", "p99.9", "p99.99", "maximum"];
const QUANTILES: [f64; 4] = [0.5, 0.99, 0.999, 0.9999];
/// Operations of a kind while a table grows: after so many creations come so many lookups and removals.
const BLOCK: usize = 1000;
const OTHERS: usize = 100;

pub const TABLES: [&str; 6] = [
    "create, growing",
    "look up, growing",
    "remove, growing",
    "create, steady",
    "look up, steady",
    "remove, steady",
];

pub const SECTION: Section = Section {
    id: "latency",
    title: "How long can a single operation take?",
    method: "One thread; each operation is timed by itself, so the clock's own time is in every figure (the first row has nothing else). *Growing*: to ten million live handles; after every thousand creations a hundred random lookups and a hundred random removals. \
             *Steady*: then, with ten million live, two million times a random handle is looked up and removed and another created. The maximum is the largest single time of a run, and has the interruptions of the machine in it.",
    unit: "ns",
    measure,
    conclude,
    draw: |section, table| chart::lines(&format!("{} ({})", section.title, table.id), section.unit, table),
};

type Histograms = [Histogram<u64>; 6];

fn timed<R>(histogram: &mut Histogram<u64>, work: impl FnOnce() -> R) -> R {
    let begun = Instant::now();
    let result = black_box(work());
    let elapsed = begun.elapsed().as_nanos() as u64;
    histogram.record(elapsed).expect("a histogram that grows by itself");
    result
}

fn histograms<P: Peer>(scale: &Scale) -> Histograms {
    let mut histograms: Histograms = std::array::from_fn(|_| Histogram::new(3).expect("three digits"));
    let [create, look_up, remove, create_steady, look_up_steady, remove_steady] = &mut histograms;
    let peer = P::new();
    let mut random = Random::new(9);
    // Touched already, so that only the table's own growth is timed.
    let mut keys = vec![1_u64; scale.largest + BLOCK];
    keys.clear();
    while keys.len() < scale.largest {
        for value in 0..BLOCK as u64 {
            keys.push(timed(create, || peer.create(black_box(value))));
        }
        for _ in 0..OTHERS {
            let key = keys[random.below(keys.len())];
            timed(look_up, || peer.read(black_box(key)));
        }
        for _ in 0..OTHERS {
            let key = keys.swap_remove(random.below(keys.len()));
            timed(remove, || peer.remove(black_box(key)));
        }
    }
    for value in 0..scale.largest as u64 / 5 {
        let place = random.below(keys.len());
        let key = keys[place];
        timed(look_up_steady, || peer.read(black_box(key)));
        timed(remove_steady, || peer.remove(black_box(key)));
        keys[place] = timed(create_steady, || peer.create(black_box(value)));
    }
    histograms
}

fn measure(scale: &Scale) -> Vec<Table> {
    let peers = for_some!(histograms(scale); Nothing, Haft, ShardedSlab, IdrEbr, DashMap, GoModel);
    let tables = TABLES.iter().enumerate().map(|(index, id)| {
        let rows = peers.iter().map(|(name, histograms)| {
            let histogram = &histograms[index];
            let mut row = Row::new(name, COLUMNS.len());
            for (cell, quantile) in row.cells.iter_mut().zip(QUANTILES) {
                cell.push(histogram.value_at_quantile(quantile) as f64);
            }
            row.cells[COLUMNS.len() - 1].push(histogram.max() as f64);
            row
        });
        Table::new(id, &COLUMNS, rows.collect())
    });
    tables.collect()
}

fn conclude(tables: &[Table]) -> Vec<String> {
    tables.iter().flat_map(|table| words::quantile(table, COLUMNS[3], &table.id)).collect()
}
