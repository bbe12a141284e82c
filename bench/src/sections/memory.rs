//! Memory, seen by the system: each figure comes from a process of its own.

use super::Section;
use crate::peers::{BareHaft, Haft, Peer};
use crate::scale::Scale;
use crate::table::{Row, Table};
use crate::words;
use std::process::Command;

const SIZES: [usize; 5] = [1_000, 10_000, 100_000, 1_000_000, 10_000_000];
const COLUMNS: [&str; 5] = ["1,000", "10,000", "100,000", "1,000,000", "10,000,000"];
pub const A_MILLION: usize = SIZES[3];
pub const MILLION: &str = COLUMNS[3];
pub const COUNTED: &str = "haft `Registry`, by its own count";
pub const SEEN: &str = "haft `Registry`";
const AFTER: [&str; 3] = ["live", "all removed", "table dropped"];
/// What a child is asked for.
pub const CHILD: &str = "--memory";

pub const SECTION: Section = Section {
    id: "memory",
    title: "How much memory does a handle take?",
    method: "One thread creates so many handles of eight bytes each; the growth of what the process has resident (`/proc/self/smaps_rollup`, in whole system pages), divided by the handles, the eight bytes included. *After*: bytes per handle of the largest number while all are live, \
             when all are removed, and when the table is dropped (the allocator may keep some).",
    unit: "bytes per handle",
    measure,
    conclude: |tables| {
        let mut lines = words::growth(&tables[0], "bytes per handle with", "live handles");
        lines.extend(words::beside(&tables[0], MILLION));
        lines.extend(words::left(&tables[1]));
        lines
    },
    draw: super::bars,
};

fn resident() -> f64 {
    let text = std::fs::read_to_string("/proc/self/smaps_rollup").expect("Linux");
    let line = text.lines().find(|line| line.starts_with("Rss:")).expect("a line with the resident size");
    let kibibytes = line.split_whitespace().nth(1).and_then(|number| number.parse::<f64>().ok());
    kibibytes.expect("a number") * 1024.0
}

/// By haft's own count. (A child has but one peer.)
fn counted() -> usize {
    haft::stats().bytes + haft_bare::stats().bytes
}

/// Resident bytes: live, all removed, dropped; and the same by haft's own count.
fn figures<P: Peer>(size: usize) -> [f64; 6] {
    let mut keys = vec![1_u64; size];
    let (before, counted) = (resident(), counted());
    let seen = || [resident() - before, (self::counted() - counted) as f64];
    let peer = P::new();
    for (value, key) in keys.iter_mut().enumerate() {
        *key = peer.create(value as u64);
    }
    let live = seen();
    keys.iter().for_each(|key| peer.remove(*key));
    let removed = seen();
    drop(peer);
    let dropped = seen();
    [live[0], removed[0], dropped[0], live[1], removed[1], dropped[1]]
}

macro_rules! measured {
    ($function:ident($argument:expr)) => {
        for_some!($function($argument);
            HaftRegistry, ShardedSlab, IdrEbr, ConcurrentSlotMap, DashMap, Papaya, SccMap, GoModel, RawBox, AloneSlab, AloneSlotMap)
    };
}

/// In a child: one figure of one peer.
pub fn child(name: &str, size: usize) {
    fn with<P: Peer>(_: ()) -> fn(usize) -> [f64; 6] {
        figures::<P>
    }
    let mut peers = measured!(with(()));
    peers.extend(for_some!(with(()); Haft, BareHaft, BareRegistry));
    let (_, figures) = peers.iter().find(|(peer, _)| *peer == name).expect("a peer");
    // What a first handle of any kind brings in is not counted.
    Haft.remove(Haft.create(0));
    BareHaft.remove(BareHaft.create(0));
    resident();
    println!("{}", serde_json::to_string(&figures(size)).expect("figures"));
}

/// The figures of one peer, per handle, from a child.
pub fn of(name: &str, size: usize) -> [f64; 6] {
    let child = Command::new(std::env::current_exe().expect("this program"))
        .args([CHILD, name, &size.to_string()])
        .output()
        .expect("a child");
    assert!(child.status.success(), "{name}: {}", String::from_utf8_lossy(&child.stderr));
    let figures: [f64; 6] = serde_json::from_slice(&child.stdout).expect("figures");
    figures.map(|bytes| bytes / size as f64)
}

fn measure(scale: &Scale) -> Vec<Table> {
    fn nothing<P: Peer>(_: ()) {}
    let names: Vec<&str> = measured!(nothing(())).iter().map(|(name, ())| *name).collect();
    let mut rows: Vec<Row> = names.iter().map(|name| Row::new(name, COLUMNS.len())).collect();
    let mut after: Vec<Row> = names.iter().map(|name| Row::new(name, AFTER.len())).collect();
    let mut counted = Row::new(COUNTED, COLUMNS.len());
    let mut counted_after = Row::new(COUNTED, AFTER.len());
    for (index, name) in names.iter().enumerate() {
        for (column, size) in SIZES.iter().enumerate() {
            let figures = of(name, (*size).min(scale.largest));
            let record = |row: &mut Row, after: &mut Row, figures: &[f64]| {
                row.cells[column].push(figures[0]);
                if column == COLUMNS.len() - 1 {
                    after.cells.iter_mut().zip(figures).for_each(|(cell, figure)| cell.push(*figure));
                }
            };
            record(&mut rows[index], &mut after[index], &figures[..3]);
            if *name == SEEN {
                record(&mut counted, &mut counted_after, &figures[3..]);
            }
        }
    }
    rows.insert(1, counted);
    after.insert(1, counted_after);
    vec![Table::new("live", &COLUMNS, rows), Table::new("after", &AFTER, after)]
}
