//! The bars: what haft must show, and where it is going.

use crate::from_c;
use crate::peers::{AloneSlab, Haft, HaftRegistry, IdrEbr, Peer, RawArc, RawBox, ShardedSlab};
use crate::results::Results;
use crate::sections::{cycle, growth, latency, lookup, memory, moved};
use crate::table::Middle;
use crate::tried;
use std::fmt::Write;

/// Those that are named in other places as well.
pub const CYCLE_SHARDED_SLAB: f64 = 0.5;
pub const CYCLE_BOX: f64 = 1.2;
pub const CYCLE_GO: f64 = 1.0 / 15.0;
pub const BYTES: f64 = 24.0;
pub const HANDLE_REGISTRY: f64 = 1.3;
/// Bytes of a value, beyond which bytes are counted.
pub const VALUE: f64 = 8.0;

struct Bar {
    name: &'static str,
    what: &'static str,
    measured: Option<Middle>,
    bar: f64,
    aim: f64,
}

impl Bar {
    fn is_missed(&self) -> bool {
        self.measured.is_some_and(|measured| measured.median > self.bar)
    }
}

fn all(results: &Results) -> Vec<Bar> {
    let ratio = |section: &str, over: (&str, &str), under: (&str, &str)| {
        results.table(section, 0)?.ratio(over, under)
    };
    let cycles = |over: &str, under: &str| ratio("cycle", (over, cycle::ONE), (under, cycle::ONE));
    let lookups = |over: (&str, &str), under: (&str, &str)| ratio("lookup", over, under);
    let random = growth::COLUMNS[growth::COLUMNS.len() - 1];
    let bytes = results.table("memory", 0).and_then(|table| table.middle(memory::SEEN, memory::MILLION));
    let creation =
        results.table("latency", 0).and_then(|table| table.middle(Haft::NAME, latency::COLUMNS[3]));
    let scaled = |middle: Middle, by: f64, less: f64| Middle {
        low: middle.low * by - less,
        median: middle.median * by - less,
        high: middle.high * by - less,
    };
    // The last Go is the newest.
    let go = results.table("cycle", 0).and_then(|table| {
        let row = table.rows.iter().rfind(|row| row.name.starts_with("Go "))?;
        table.ratio((Haft::NAME, cycle::ONE), (&row.name, cycle::ONE))
    });
    let bar = |name, what, measured, bar, aim| Bar { name, what, measured, bar, aim };
    vec![
        bar(
            "B1",
            "cycle, against sharded-slab",
            cycles(Haft::NAME, ShardedSlab::NAME),
            CYCLE_SHARDED_SLAB,
            0.2,
        ),
        bar("B1", "cycle, against `Box`", cycles(Haft::NAME, RawBox::NAME), CYCLE_BOX, 0.5),
        bar("B1", "cycle, against the newest Go that was found", go, CYCLE_GO, 1.0 / 30.0),
        bar(
            "B2",
            "cycle on two threads, against one",
            ratio("cycle", (Haft::NAME, cycle::TWO), (Haft::NAME, cycle::ONE)),
            1.15,
            1.0,
        ),
        bar(
            "B3",
            "hot lookup on two threads, a third's handle, against sharded-slab",
            lookups((Haft::NAME, lookup::HOT), (ShardedSlab::NAME, lookup::HOT)),
            0.12,
            0.05,
        ),
        bar(
            "B3",
            "the same, against idr-ebr",
            lookups((Haft::NAME, lookup::HOT), (IdrEbr::NAME, lookup::HOT)),
            0.7,
            0.7,
        ),
        bar(
            "B3",
            "the same, against one thread and another's handle",
            lookups((Haft::NAME, lookup::HOT), (Haft::NAME, lookup::FOREIGN)),
            1.25,
            1.25,
        ),
        bar(
            "B3",
            "where one of the two made it: that one, against one thread and its own handle",
            lookups((Haft::NAME, lookup::MAKER), (Haft::NAME, lookup::OWN)),
            1.25,
            1.25,
        ),
        bar(
            "B3",
            "where one of the two made it: the other, against one thread and another's handle",
            lookups((Haft::NAME, lookup::OTHER), (Haft::NAME, lookup::FOREIGN)),
            1.25,
            1.25,
        ),
        bar(
            "B4",
            "lookup of the thread's own, against sharded-slab",
            lookups((Haft::NAME, lookup::OWN), (ShardedSlab::NAME, lookup::OWN)),
            0.5,
            0.5,
        ),
        bar(
            "B4",
            "the same, against `Arc` clone and drop",
            lookups((Haft::NAME, lookup::OWN), (RawArc::NAME, lookup::OWN)),
            1.3,
            0.5,
        ),
        bar(
            "B4",
            "lookup of another thread's, against `Arc` clone and drop",
            lookups((Haft::NAME, lookup::FOREIGN), (RawArc::NAME, lookup::FOREIGN)),
            1.3,
            0.5,
        ),
        bar(
            "B5",
            "moved between threads, against sharded-slab",
            ratio("moved", (Haft::NAME, moved::MOVED), (ShardedSlab::NAME, moved::MOVED)),
            0.6,
            0.3,
        ),
        bar(
            "B6",
            "bytes per handle beyond the value, at a million, of the process",
            bytes.map(|bytes| scaled(bytes, 1.0, VALUE)),
            BYTES,
            16.0,
        ),
        bar(
            "B7",
            "random lookup among ten million, against `slab`",
            results
                .table("growth", growth::LOOKUP)
                .and_then(|table| table.ratio((Haft::NAME, random), (AloneSlab::NAME, random))),
            1.5,
            1.2,
        ),
        bar(
            "B8",
            "p99.99 of a creation while growing to ten million, microseconds",
            creation.map(|nanoseconds| scaled(nanoseconds, 1e-3, 0.0)),
            20.0,
            5.0,
        ),
        bar(
            "B9",
            "cycle by `Handle`, against `Registry`",
            cycles(Haft::NAME, HaftRegistry::NAME),
            HANDLE_REGISTRY,
            1.1,
        ),
        bar("B10", "cycle from C, against Rust", cycles(from_c::NAME, Haft::NAME), 1.5, 1.2),
    ]
}

/// The table, and how many bars are missed.
pub fn text(results: &Results) -> String {
    let bars = all(results);
    let missed: Vec<&Bar> = bars.iter().filter(|bar| bar.is_missed()).collect();
    let mut text = match missed.len() {
        0 => "None that was measured is missed.".to_string(),
        count => {
            let names: Vec<&str> = missed.iter().map(|bar| bar.name).collect();
            format!(
                "**{count} of these {} are missed**: {}; what was tried is below.",
                bars.len(),
                names.join(", ")
            )
        }
    };
    text.push_str(
        " Ratios are formed in each round by itself; given are their median and quartiles. Lower is better.\n\n\
         | | | measured | quartiles | bar | aim | |\n|---|---|---|---|---|---|---|\n",
    );
    for Bar { name, what, measured, bar, aim } in &bars {
        let (figures, verdict) = match measured {
            None => ("– | –".to_string(), "not measured"),
            Some(Middle { low, median, high }) => {
                let verdict = match *median {
                    median if median <= *aim => "aim",
                    median if median <= *bar => "bar",
                    _ => "**missed**",
                };
                (format!("{median:.3} | {low:.3} to {high:.3}"), verdict)
            }
        };
        let _ = writeln!(text, "| {name} | {what} | {figures} | {bar:.3} | {aim:.3} | {verdict} |");
    }
    if !missed.is_empty() {
        text.push_str("\nFor those that are missed:\n\n");
    }
    for Bar { name, what, .. } in missed {
        let tried = tried::text(name, what).unwrap_or("nothing is written down about it yet.");
        let _ = writeln!(text, "* **{name}**, {what}. {tried}");
    }
    text
}
