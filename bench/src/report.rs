//! BENCHMARKS.md and its charts, written as a whole.

use crate::large::Large;
use crate::{Row, WORKLOADS, chart};
use std::fmt::Write;
use std::path::Path;
use std::process::Command;

/// The median of the samples.
fn median(samples: &[f64]) -> f64 {
    let mut sorted = samples.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted[sorted.len() / 2]
}

/// Half the distance between the quartiles, as a part of the median.
fn spread(samples: &[f64]) -> f64 {
    let mut sorted = samples.to_vec();
    sorted.sort_by(f64::total_cmp);
    (sorted[sorted.len() * 3 / 4] - sorted[sorted.len() / 4]) / 2.0 / median(samples)
}

fn output(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output();
    output.map_or("unknown".into(), |output| String::from_utf8_lossy(&output.stdout).trim().to_string())
}

fn processor() -> String {
    let info = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let line = info.lines().find(|line| line.starts_with("model name"));
    line.and_then(|line| line.split(": ").nth(1)).unwrap_or("unknown").to_string()
}

pub fn write(rows: &[Row], from_c: &[f64], large: &Large, rounds: usize) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("a member of the workspace");
    let value = |name: &str, workload: usize| {
        median(&rows.iter().find(|row| row.name == name).expect("measured").samples[workload])
    };
    let (haft, slab, boxed, arc) =
        ("haft `Handle`", "sharded-slab", "`Box::into_raw` (unchecked)", "`Arc::into_raw` (unchecked)");
    let ratio = |left: (&str, usize), right: (&str, usize)| value(left.0, left.1) / value(right.0, right.1);
    let bars = [
        ("B1", "cycle, against sharded-slab", ratio((haft, 0), (slab, 0)), 0.5, 0.2),
        ("B1", "cycle, against `Box`", ratio((haft, 0), (boxed, 0)), 1.2, 0.5),
        ("B2", "cycle on two threads, against one", ratio((haft, 1), (haft, 0)), 1.15, 1.0),
        ("B3", "hot lookup on two threads, against sharded-slab", ratio((haft, 3), (slab, 3)), 0.12, 0.05),
        ("B3", "the same, against idr-ebr", ratio((haft, 3), ("idr-ebr", 3)), 0.7, 0.7),
        ("B3", "the same, against one thread", ratio((haft, 3), (haft, 2)), 1.25, 1.25),
        ("B4", "lookup, against sharded-slab", ratio((haft, 2), (slab, 2)), 0.5, 0.5),
        ("B4", "lookup, against `Arc`", ratio((haft, 2), (arc, 2)), 1.3, 0.5),
        ("B5", "moved between threads, against sharded-slab", ratio((haft, 4), (slab, 4)), 0.6, 0.3),
        ("B6", "bytes per handle beyond the value, at a million", large.overhead, 24.0, 16.0),
        ("B7", "random lookup among ten million, against `slab`", large.random.0 / large.random.1, 1.5, 1.2),
        (
            "B8",
            "p99.99 of a creation while growing to ten million, in microseconds",
            large.growth[3].1 as f64 / 1000.0,
            20.0,
            5.0,
        ),
        ("B9", "cycle by `Handle`, against `Registry`", ratio((haft, 0), ("haft `Registry`", 0)), 1.3, 1.1),
        ("B10", "cycle from C, against the Rust one", median(from_c) / value(haft, 0), 1.5, 1.2),
    ];
    let mut text = String::from(
        "# Benchmarks\n\nWritten by `cargo run --profile bench -p haft-bench`; nothing here is edited by hand.\n\n",
    );
    slower(&mut text, rows);
    let _ = writeln!(
        text,
        "\n## What the bars are\n\nRatios and figures that haft must show (*bar*), and where it is going (*aim*); below is better.\n\n\
         | | | measured | bar | aim | |\n|---|---|---|---|---|---|"
    );
    for (name, what, measured, bar, aim) in bars {
        let verdict = if measured <= aim {
            "aim"
        } else if measured <= bar {
            "bar"
        } else {
            "**missed**"
        };
        let _ = writeln!(text, "| {name} | {what} | {measured:.2} | {bar} | {aim} | {verdict} |");
    }
    let _ = writeln!(
        text,
        "\n## Side by side\n\nNanoseconds per operation, per thread; medians of {rounds} rounds in which all took turns. *Cycle* is create, look up, read, remove. *Moved* \
         is created on one thread, looked up and removed on the other, in batches of 256.\n"
    );
    let _ = writeln!(text, "| | {} |\n|---|{}", WORKLOADS.join(" | "), "---|".repeat(WORKLOADS.len()));
    for row in rows {
        let cells: Vec<String> =
            row.samples.iter().map(|samples| format!("{:.1}", median(samples))).collect();
        let _ = writeln!(text, "| {} | {} |", row.name, cells.join(" | "));
    }
    let widest = rows.iter().flat_map(|row| &row.samples).map(|samples| spread(samples)).fold(0.0, f64::max);
    let _ = writeln!(
        text,
        "\nHalf the distance between the quartiles is at most {:.0} % of a median here.\n",
        widest * 100.0
    );
    let _ = std::fs::create_dir_all(root.join("benches/charts"));
    for (index, workload) in WORKLOADS.iter().enumerate() {
        let mut values: Vec<(&str, f64)> =
            rows.iter().map(|row| (row.name, median(&row.samples[index]))).collect();
        values.sort_by(|one, two| one.1.total_cmp(&two.1));
        let file = format!("benches/charts/{}.svg", workload.replace(", ", "-").replace(' ', "-"));
        std::fs::write(root.join(&file), chart::bars(workload, "ns", &values)).expect("the chart is written");
        let _ = writeln!(text, "![{workload}]({file})\n");
    }
    let _ = writeln!(
        text,
        "## How it grows\n\nOne creation while a registry grows to ten million, each timed alone (the clock included), in nanoseconds:\n"
    );
    let _ = writeln!(text, "| {} |", large.growth.map(|(name, _)| name).join(" | "));
    let _ = writeln!(text, "|{}", "---|".repeat(large.growth.len()));
    let _ = writeln!(text, "| {} |", large.growth.map(|(_, value)| value.to_string()).join(" | "));
    let _ = writeln!(
        text,
        "\nA random lookup among ten million: {:.1} ns, in an unsynchronised `slab` {:.1} ns. A million handles of eight bytes take {:.1} bytes each beyond these; when all are \
         removed, {} bytes of pages stay with the registry, and {} when it is dropped.\n",
        large.random.0, large.random.1, large.overhead, large.after.0, large.after.1
    );
    let _ = writeln!(
        text,
        "## Where\n\n{}, {}; {} processors: {}; commit {}. dashmap 6, ffi-support 0.4, idr-ebr 0.3, papaya 0.2, sharded-slab 0.1, slab 0.4, slotmap 1. The machine is \
         shared and small: the ratios are worth more than the figures.",
        output("date", &["-u", "+%Y-%m-%d"]),
        output("rustc", &["--version"]),
        std::thread::available_parallelism().map_or(0, usize::from),
        processor(),
        output("git", &["-C", &root.to_string_lossy(), "rev-parse", "--short", "HEAD"]),
    );
    std::fs::write(root.join("BENCHMARKS.md"), text).expect("BENCHMARKS.md is written");
}

/// Where a checked peer is faster than haft, said first.
fn slower(text: &mut String, rows: &[Row]) {
    text.push_str("## Where haft is slower\n\n");
    let before = text.len();
    for (index, workload) in WORKLOADS.iter().enumerate() {
        let haft = median(&rows[0].samples[index]);
        for row in rows.iter().filter(|row| !row.name.starts_with("haft")) {
            let theirs = median(&row.samples[index]);
            if theirs < haft {
                let _ = writeln!(text, "* {workload}: {} takes {theirs:.1} ns, haft {haft:.1}.", row.name);
            }
        }
    }
    if text.len() == before {
        text.push_str("Nowhere, among these peers and workloads.\n");
    }
}
