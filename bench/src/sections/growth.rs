//! Many live handles.

use super::Section;
use super::cycle;
use crate::harness::{alone, calibrate};
use crate::peers::Peer;
use crate::scale::Scale;
use crate::table::{Row, Table};
use crate::words::{self, Random};
use std::hint::black_box;

pub const SIZES: [usize; 4] = [1, 1_000, 100_000, 10_000_000];
pub const COLUMNS: [&str; 4] = ["1", "1,000", "100,000", "10,000,000"];
pub const LOOKUP: usize = 1;

pub const SECTION: Section = Section {
    id: "growth",
    title: "Does it get slower with more handles?",
    method: "So many handles are live; on one thread, the cycle of one more, and lookups of the live ones in random order (the order is prepared and read in sequence, so that it costs no misses of its own). Per operation.",
    unit: "ns",
    measure,
    conclude,
    draw: super::lines,
};

/// A table with its live keys, and what can be done with it.
trait Grown {
    fn grow(&mut self, size: usize, lookups: usize);
    fn cycle(&self, count: u32) -> f64;
    fn look_up(&self) -> f64;
}

struct Growing<P> {
    peer: P,
    keys: Vec<u64>,
    order: Vec<u64>,
}

impl<P: Peer> Grown for Growing<P> {
    fn grow(&mut self, size: usize, lookups: usize) {
        while self.keys.len() < size {
            self.keys.push(self.peer.create(self.keys.len() as u64));
        }
        let mut random = Random::new(5);
        self.order = (0..lookups).map(|_| self.keys[random.below(size)]).collect();
    }
    fn cycle(&self, count: u32) -> f64 {
        alone(count, |count| cycle::work(&self.peer, count))
    }
    fn look_up(&self) -> f64 {
        alone(self.order.len() as u32, |_| {
            let sum = self.order.iter().fold(0_u64, |sum, key| sum.wrapping_add(self.peer.read(*key)));
            black_box(sum);
        })
    }
}

fn growing<P: Peer>(scale: &Scale) -> Box<dyn Grown> {
    // As long as it gets, so that it need not be copied while the table beside it grows.
    let keys = Vec::with_capacity(scale.largest);
    Box::new(Growing { peer: P::new(), keys, order: Vec::new() })
}

fn measure(scale: &Scale) -> Vec<Table> {
    let mut peers = for_some!(growing(scale); Haft, AloneSlab, ShardedSlab, IdrEbr, DashMap, GoModel);
    let tables = ["cycle", "random lookup"];
    let mut tables = tables.map(|id| {
        Table::new(id, &COLUMNS, peers.iter().map(|(name, _)| Row::new(name, COLUMNS.len())).collect())
    });
    for (column, size) in SIZES.into_iter().enumerate() {
        let size = size.min(scale.largest);
        let lookups = if size > 100_000 { 1 << 20 } else { 1 << 16 };
        peers.iter_mut().for_each(|(_, peer)| peer.grow(size, lookups));
        let counts: Vec<u32> =
            peers.iter().map(|(_, peer)| calibrate(scale.sample, |count| peer.cycle(count))).collect();
        for round in 0..=scale.rounds {
            for (row, (_, peer)) in peers.iter().enumerate() {
                let figures = [peer.cycle(counts[row]), peer.look_up()];
                if round > 0 {
                    for (table, figure) in tables.iter_mut().zip(figures) {
                        table.rows[row].cells[column].push(figure);
                    }
                }
            }
        }
    }
    tables.into()
}

fn conclude(tables: &[Table]) -> Vec<String> {
    tables
        .iter()
        .flat_map(|table| words::growth(table, &format!("{} with", table.id), "live handles"))
        .collect()
}
