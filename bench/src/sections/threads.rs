//! Many threads that have come and gone.

use super::Section;
use super::{cycle, lookup, moved};
use crate::harness::{alone, calibrate};
use crate::peers::Peer;
use crate::scale::Scale;
use crate::table::{Row, Table};
use crate::words;
use std::hint::black_box;
use std::sync::Barrier;

const THREADS: [usize; 5] = [1, 2, 8, 64, 1024];
const COLUMNS: [&str; 5] = ["1", "2", "8", "64", "1,024"];

pub const SECTION: Section = Section {
    id: "past-threads",
    title: "Does it get slower with the threads that were there?",
    method: "So many threads were there at once; each created a handle, looked it up, removed it, and all ended. Then the cycle and the lookup on one thread, and handles moved from one thread to another. Per operation.",
    unit: "ns",
    measure,
    conclude: |tables| {
        tables
            .iter()
            .flat_map(|table| words::growth(table, &format!("{} after", table.id), "threads"))
            .collect()
    },
    draw: super::lines,
};

trait Touched {
    fn touch(&self, threads: usize);
    fn figures(&self, scale: &Scale) -> [f64; 3];
}

struct Touching<P>(P);

impl<P: Peer> Touched for Touching<P> {
    fn touch(&self, threads: usize) {
        let (all_there, all_done) = (Barrier::new(threads), Barrier::new(threads));
        std::thread::scope(|scope| {
            for _ in 0..threads {
                let thread = std::thread::Builder::new().stack_size(128 << 10);
                let touch = || {
                    all_there.wait();
                    let key = self.0.create(7);
                    black_box(self.0.read(key));
                    self.0.remove(key);
                    all_done.wait();
                };
                thread.spawn_scoped(scope, touch).expect("a thread");
            }
        });
    }
    fn figures(&self, scale: &Scale) -> [f64; 3] {
        let peer = &self.0;
        let cycle = |count| alone(count, |count| cycle::work(peer, count));
        let key = peer.create(7);
        let look_up = |count| alone(count, |count| lookup::work(peer, key, count));
        let (cycles, lookups) = (calibrate(scale.sample, cycle), calibrate(scale.sample, look_up));
        let figures = [cycle(cycles), look_up(lookups), moved::sample(peer, scale)];
        peer.remove(key);
        figures
    }
}

fn touching<P: Peer>(_: &Scale) -> Box<dyn Touched> {
    Box::new(Touching(P::new()))
}

fn measure(scale: &Scale) -> Vec<Table> {
    let peers = for_some!(touching(scale); Haft, ShardedSlab, IdrEbr, Papaya, DashMap);
    let mut tables = ["cycle", "lookup", "moved"].map(|id| {
        Table::new(id, &COLUMNS, peers.iter().map(|(name, _)| Row::new(name, COLUMNS.len())).collect())
    });
    for (column, threads) in THREADS.into_iter().enumerate() {
        peers.iter().for_each(|(_, peer)| peer.touch(threads.min(scale.threads)));
        for round in 0..=scale.rounds {
            for (row, (_, peer)) in peers.iter().enumerate() {
                let figures = peer.figures(scale);
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
