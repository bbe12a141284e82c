//! BENCHMARKS.md and its charts, written as a whole.

use crate::peers::{Kind, kind};
use crate::results::{Measured, Results};
use crate::sections::{self, Section};
use crate::table::{Row, Table};
use crate::words::{self, figure};
use crate::{bars, chart, committed, simulated};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::path::Path;

pub const COMMAND: &str = "cargo run --profile bench -p haft-bench";

/// Writes the report into a folder.
pub fn write(root: &Path, into: &Path, results: &Results) {
    let charts = into.join("benches/charts");
    std::fs::create_dir_all(&charts).expect("the folder of charts can be made");
    let mut text = format!(
        "# Benchmarks\n\nWritten by `{COMMAND}`; nothing here is edited by hand. `--only PART` measures a part again, `--quick` shows that all works.\n\n"
    );
    if let Some(overview) = overview(results) {
        std::fs::write(charts.join("overview.svg"), overview).expect("the chart is written");
        text.push_str("![The cycle and the lookup, beside others](benches/charts/overview.svg)\n\n");
    }
    text.push_str("## Where is haft slower?\n\n");
    text.push_str(&slower(results));
    text.push_str("\n## Are the bars met?\n\n");
    text.push_str(&bars::text(results));
    for section in sections::ALL {
        if let Some(measured) = results.get(section.id) {
            text.push('\n');
            text.push_str(&one(section, measured, &charts));
        }
    }
    let counted = committed::section(
        root,
        "benches/instructions.json",
        "How many instructions does each path take?",
        "Counted, not timed; the check that keeps them from growing commits them.",
    );
    for section in [counted, simulated::section(root, &charts)].into_iter().flatten() {
        text.push('\n');
        text.push_str(&section);
    }
    text.push_str("\n## Where\n\n");
    text.push_str(&place(results));
    let file = into.join("BENCHMARKS.md");
    // Charts that the last report had, and this one has not, would stay for ever.
    let before = std::fs::read_to_string(&file).unwrap_or_default();
    for chart in named(&before).difference(&named(&text)) {
        let _ = std::fs::remove_file(charts.join(chart));
    }
    std::fs::write(file, text).expect("the report is written");
}

/// The charts that a report shows.
fn named(text: &str) -> BTreeSet<&str> {
    text.split("](benches/charts/").skip(1).filter_map(|rest| rest.split(')').next()).collect()
}

/// Where haft is behind: of each peer the largest ratio in each section.
fn slower(results: &Results) -> String {
    let (mut checked, mut others) = (Vec::new(), BTreeMap::<&str, Vec<String>>::new());
    // These two measure again what others have.
    let again = [sections::trust::SECTION.id, sections::always_on::SECTION.id];
    for section in sections::ALL.iter().filter(|section| !again.contains(&section.id)) {
        let mut worst = BTreeMap::<&str, (f64, String)>::new();
        for table in results.get(section.id).iter().flat_map(|measured| &measured.tables) {
            for column in &table.columns {
                for (name, ratio) in
                    words::ratios(table, column).into_iter().filter(|(_, ratio)| ratio.median > 1.0)
                {
                    let place = if table.id == section.id {
                        column.clone()
                    } else {
                        format!("{}: {column}", table.id)
                    };
                    let known = worst.entry(name).or_default();
                    if ratio.median > known.0 {
                        *known = (ratio.median, place);
                    }
                }
            }
        }
        let (mine, theirs): (Vec<_>, Vec<_>) =
            worst.into_iter().partition(|(name, _)| kind(name) == Kind::Checked);
        for (name, (ratio, _)) in theirs {
            others.entry(name).or_default().push(format!("{} × ({})", figure(ratio), section.id));
        }
        let listed: Vec<String> = mine
            .iter()
            .map(|(name, (ratio, place))| format!("{} × {name} ({place})", figure(*ratio)))
            .collect();
        if !listed.is_empty() {
            checked.push(format!("* *{}* Up to {}.", section.title, listed.join(", ")));
        }
    }
    let mut text = "Here, with haft's figure as a multiple of theirs: the median of the ratios of each round, of each peer the largest in a section.\n\n".to_string();
    match checked.len() {
        0 => text.push_str("* Nowhere, among those that check their keys and work on every thread.\n"),
        _ => text.push_str(&(checked.join("\n") + "\n")),
    }
    if !others.is_empty() {
        text.push_str("\nOf those that believe every pointer, or are for one thread only:\n\n");
        for (name, places) in others {
            let _ = writeln!(text, "* {name}: {}.", places.join(", "));
        }
    }
    text
}

/// Conclusion, method, table, chart, environment.
fn one(section: &Section, measured: &Measured, charts: &Path) -> String {
    let mut text = format!("## {}\n\n", section.title);
    for line in (section.conclude)(&measured.tables) {
        let _ = writeln!(text, "{line}");
    }
    let _ = writeln!(text, "\n{} In {}.", section.method, section.unit);
    for table in &measured.tables {
        let named = if measured.tables.len() > 1 { table.id.as_str() } else { "" };
        let _ = writeln!(
            text,
            "\n| {named} | {} |\n|---|{}",
            table.columns.join(" | "),
            "---:|".repeat(table.columns.len())
        );
        for row in &table.rows {
            let _ = writeln!(text, "| {} | {} |", row.name, cells(row).join(" | "));
        }
        let file = if measured.tables.len() > 1 {
            format!("{}-{}.svg", section.id, table.id.replace(", ", "-").replace(' ', "-"))
        } else {
            format!("{}.svg", section.id)
        };
        std::fs::write(charts.join(&file), (section.draw)(section, table)).expect("the chart is written");
        let _ = writeln!(text, "\n![{}](benches/charts/{file})", section.title);
    }
    let widest = measured.tables.iter().filter_map(Table::widest).max_by(|one, two| one.0.total_cmp(&two.0));
    let spread = widest.map_or(String::new(), |(spread, row, column)| {
        format!(
            " Half the distance between the quartiles is at most {:.0} % of a median ({row}, {column}).",
            spread * 100.0
        )
    });
    let _ =
        writeln!(text, "\n`{COMMAND} -- --only {}`: {}.{spread}", section.id, measured.environment.line());
    text
}

fn cells(row: &Row) -> Vec<String> {
    let cell = |samples: &Vec<f64>| {
        crate::table::Middle::of(samples).map_or("–".to_string(), |middle| {
            if samples.len() < 3 {
                return figure(middle.median);
            }
            format!("{} ± {:.0} %", figure(middle.median), middle.spread() * 100.0)
        })
    };
    row.cells.iter().map(cell).collect()
}

/// The chart for the README: the cycle and the hot lookup, beside those whom people know.
fn overview(results: &Results) -> Option<String> {
    let (cycle, lookup) = (results.table("cycle", 0)?, results.table("lookup", 0)?);
    let shown = |name: &str| {
        let known = [
            "haft `Handle`",
            "sharded-slab",
            "idr-ebr",
            "dashmap",
            "`Mutex<HashMap",
            "ffi-support",
            "concurrent-slotmap",
        ];
        known.iter().any(|known| name.starts_with(known)) || name.starts_with("Go ")
    };
    let columns = ["whole life, one thread", "whole life, two threads", "looking one up, two threads"];
    let rows = cycle.rows.iter().filter(|row| shown(&row.name)).map(|row| {
        let hot = lookup.samples(&row.name, sections::lookup::HOT).unwrap_or_default().to_vec();
        Row { name: row.name.clone(), cells: vec![row.cells[0].clone(), row.cells[1].clone(), hot] }
    });
    let table = Table::new("overview", &columns, rows.collect());
    Some(chart::bars(
        "A handle's whole life (create, look up, read, remove), and looking one up",
        "nanoseconds per operation and thread",
        &table,
        &|_| true,
    ))
}

fn place(results: &Results) -> String {
    let distinct = |pick: fn(&crate::environment::Environment) -> String| {
        let all: BTreeSet<String> = results.environments().map(pick).collect();
        all.into_iter().collect::<Vec<_>>().join(" and ")
    };
    let mut text = format!(
        "| | |\n|---|---|\n| date | {} |\n| commit | {} |\n| compiler | {} |\n| system | {} |\n| processor | {} |\n| versions, from Cargo.lock | {} |\n",
        distinct(|environment| environment.date.clone()),
        distinct(|environment| environment.commit.clone()),
        distinct(|environment| environment.compiler.clone()),
        distinct(|environment| environment.system.clone()),
        distinct(|environment| format!("{}, {} processors", environment.processor, environment.processors)),
        distinct(|environment| environment.versions.clone()),
    );
    text.push_str(
        "\nEach run is a process of its own; in each round all peers take turns, beginning with another one, after a round that is not counted. A figure is the median of all rounds, \
         ± is half the distance between the quartiles. Ratios are formed within each round. A key is the integer that C would hold for everybody.\n",
    );
    let go = results
        .table("cycle", 0)
        .is_some_and(|table| table.rows.iter().any(|row| row.name.starts_with("Go ")));
    if !go {
        text.push_str("\nGo was not measured: no toolchain was found (`HAFT_GO`, or `go` in `PATH`).\n");
    }
    text
}
