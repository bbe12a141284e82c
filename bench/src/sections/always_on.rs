//! haft with and without its record of who made and removed each handle.

use super::{Section, cycle, memory, steps};
use crate::harness::{Sampler, Samplers, alone, calibrate, take_turns};
use crate::peers::{BareHaft, BareRegistry, Haft, HaftRegistry, Peer, RawBox, ShardedSlab};
use crate::scale::Scale;
use crate::table::{Middle, Row, Table};
use crate::words::{self, figure};
use crate::{bars, chart, go};

const CYCLE: &str = "cycle";
const TIMED: [&str; 3] = [CYCLE, steps::CREATE, steps::REMOVE];
const SEEN: &str = "of the process";
const COUNTED: &str = "of its pages, by its own count";
const BYTES: [&str; 2] = [SEEN, COUNTED];
/// With the record, and without.
const PAIRS: [(&str, &str); 2] = [(Haft::NAME, BareHaft::NAME), (HaftRegistry::NAME, BareRegistry::NAME)];

pub const SECTION: Section = Section {
    id: "always-on",
    title: "What does it cost that every handle knows who made it?",
    method: "The record says of each handle which line created and which line removed it, which thread, and when. *No record*: the same sources, compiled a second time into the same program, \
             with the eight bytes of it taken out of each slot. The cycle is that of *cycle*, creation and removal are those of *steps*; bytes per handle are those of *memory*, with a million live, each figure from a process of its own. \
             The bars are for haft as it is, with the record; without it is what they would be otherwise.",
    unit: "ns, and bytes per handle",
    measure,
    conclude,
    draw: |section, table| {
        let unit = if table.id == BYTES_TABLE { "bytes per handle" } else { "ns" };
        chart::bars(section.title, unit, table, &|_| true)
    },
};

const BYTES_TABLE: &str = "bytes";

/// That the one has the record, that the other has none, and that it is haft all the same.
fn check() {
    // A type of its own: what another thread removes here must not slow down what is measured.
    #[derive(Debug)]
    struct Checked(u64);
    macro_rules! lines_of_a_removed_handle {
        ($library:ident) => {{
            let before = $library::stats();
            let handles: Vec<_> = (0..10_000).map(|value| $library::Handle::new(Checked(value))).collect();
            assert!(handles.iter().zip(0..).all(|(handle, value)| handle.get().unwrap().0 == value));
            let live = $library::stats();
            assert_eq!((live.live - before.live, live.pages > before.pages), (handles.len(), true));
            // The one half here, the other by another thread.
            let (here, there) = handles.split_at(handles.len() / 2);
            here.iter().for_each(|handle| _ = handle.remove().unwrap());
            std::thread::scope(|scope| {
                scope.spawn(|| there.iter().for_each(|handle| _ = handle.remove().unwrap()));
            });
            assert_eq!($library::stats().live, before.live);
            let error = handles[handles.len() - 1].get().unwrap_err();
            assert_eq!(error.kind(), $library::ErrorKind::Stale, "{error}");
            assert!(handles[0].remove().is_err() && $library::AnyHandle::from_bits(2).is_some());
            (error.created_at().is_some(), error.removed_at().is_some(), error.thread().is_some())
        }};
    }
    assert_eq!(lines_of_a_removed_handle!(haft), (true, true, true));
    assert_eq!(lines_of_a_removed_handle!(haft_bare), (false, false, false));
}

fn sampler<P: Peer>(scale: &Scale) -> Option<Sampler> {
    let peer: &'static P = Box::leak(Box::new(P::new()));
    let cycles = calibrate(scale.sample, |count| alone(count, |count| cycle::work(peer, count)));
    let repeats = steps::repeats(peer, scale);
    Some(Box::new(move || {
        let cycle = alone(cycles, |count| cycle::work(peer, count));
        let [create, _, remove] = steps::phases(peer, repeats);
        [cycle, create, remove].map(Some).into()
    }))
}

fn measure(scale: &Scale) -> Vec<Table> {
    // What is compared stands side by side.
    let mut samplers: Samplers =
        for_some!(sampler(scale); Haft, BareHaft, HaftRegistry, BareRegistry, RawBox, ShardedSlab);
    let names: Vec<&str> = samplers.iter().map(|(name, _)| *name).collect();
    samplers.extend(go::samplers(scale, &[("Cycle", 1), ("", 1), ("", 1)]));
    let time = take_turns("time", &TIMED, scale, samplers);
    let bytes = names.iter().map(|name| {
        let figures = memory::of(name, memory::A_MILLION.min(scale.largest));
        let counted = if name.starts_with("haft") { vec![figures[3]] } else { Vec::new() };
        Row { name: (*name).to_string(), cells: vec![vec![figures[0]], counted] }
    });
    let tables = vec![time, Table::new(BYTES_TABLE, &BYTES, bytes.collect())];
    check();
    tables
}

/// A bar, and haft's figures of each round.
struct Measured {
    name: &'static str,
    what: String,
    with: Vec<f64>,
    without: Vec<f64>,
    bar: f64,
}

fn against_bars(tables: &[Table]) -> Vec<Measured> {
    let [time, bytes] = tables else { return Vec::new() };
    let against = |other: &str, bar| {
        Some(Measured {
            name: "B1",
            what: format!("cycle, against {other}"),
            with: time.ratios((Haft::NAME, CYCLE), (other, CYCLE))?,
            without: time.ratios((BareHaft::NAME, CYCLE), (other, CYCLE))?,
            bar,
        })
    };
    // The last Go is the newest.
    let go = time.rows.iter().rfind(|row| row.name.starts_with("Go "));
    let beyond = |row: &str| {
        let samples = bytes.samples(row, SEEN)?;
        Some(samples.iter().map(|bytes| bytes - bars::VALUE).collect())
    };
    let memory = || {
        Some(Measured {
            name: "B6",
            what: "bytes per handle beyond the value, at a million, of the process".into(),
            with: beyond(HaftRegistry::NAME)?,
            without: beyond(BareRegistry::NAME)?,
            bar: bars::BYTES,
        })
    };
    let registry = || {
        Some(Measured {
            name: "B9",
            what: "cycle by `Handle`, against `Registry`".into(),
            with: time.ratios((Haft::NAME, CYCLE), (HaftRegistry::NAME, CYCLE))?,
            without: time.ratios((BareHaft::NAME, CYCLE), (BareRegistry::NAME, CYCLE))?,
            bar: bars::HANDLE_REGISTRY,
        })
    };
    let all = [
        against(ShardedSlab::NAME, bars::CYCLE_SHARDED_SLAB),
        against(RawBox::NAME, bars::CYCLE_BOX),
        go.and_then(|row| against(&row.name, bars::CYCLE_GO)),
        memory(),
        registry(),
    ];
    all.into_iter().flatten().collect()
}

fn conclude(tables: &[Table]) -> Vec<String> {
    let measured = against_bars(tables);
    let mut missed = Vec::new();
    let mut rows = Vec::new();
    for Measured { name, what, with, without, bar } in measured {
        let quotients: Vec<f64> = with.iter().zip(&without).map(|(with, without)| with / without).collect();
        let [Some(with), Some(without), Some(quotient)] =
            [&with, &without, &quotients].map(|samples| Middle::of(samples))
        else {
            continue;
        };
        let verdict = if with.median <= bar { "met" } else { "**missed**" };
        if with.median > bar {
            missed.push(format!("{name}, {what}"));
        }
        let shown =
            |middle: Middle| format!("{:.3} ({:.3} to {:.3})", middle.median, middle.low, middle.high);
        rows.push(format!(
            "| {name} | {what} | {} | {} | {} | {bar:.3} | {verdict} |",
            shown(with),
            shown(without),
            figure(quotient.median),
        ));
    }
    let answer = match missed.len() {
        0 => "* *B1, B6 and B9*: met with the record.".to_string(),
        _ => format!("* *B1, B6 and B9*: **missed with the record**: {}.", missed.join("; ")),
    };
    let mut lines = vec![answer];
    for table in tables {
        for column in &table.columns {
            lines.extend(words::with_and_without(table, column, &PAIRS));
        }
    }
    lines.push(
        "\n| | | with the record | without | with / without | bar | |\n|---|---|---:|---:|---:|---:|---|"
            .into(),
    );
    lines.extend(rows);
    lines
}
