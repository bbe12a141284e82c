//! Measures haft beside its peers and writes BENCHMARKS.md and its charts: `cargo run --profile bench -p haft-bench`.
//!
//! * `--only PART[,PART]` measures these alone, and takes the others from earlier calls (`target/haft-bench`).
//! * `--render` measures nothing.
//! * `--runs N`, `--rounds N` instead of the usual numbers.
//! * `--quick` shows in a minute that everything works, and writes to `target/haft-bench-quick` alone.
//! * `HAFT_GO` in the environment names Go programs, separated as in `PATH`; else `go` is looked for there.

// First, for its macros.
#[macro_use]
mod peers;

mod bars;
mod chart;
mod committed;
mod environment;
mod from_c;
mod go;
mod harness;
#[path = "../../benches/shared/pinned.rs"]
mod pinned;
mod report;
mod results;
#[path = "../../benches/shared/ring.rs"]
mod ring;
mod scale;
mod sections;
mod simulated;
mod table;
#[path = "../../benches/shared/together.rs"]
mod together;
mod tried;
mod words;

use environment::Environment;
use results::{Measured, Results};
use scale::Scale;
use sections::Section;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, exit};
use table::Table;

/// What a child is asked for: one run of one section.
const CHILD: &str = "--section";

struct Options {
    scale: Scale,
    quick: bool,
    render: bool,
    sections: Vec<&'static Section>,
    child: bool,
}

fn usage(wrong: &str) -> ! {
    let known: Vec<&str> = sections::ALL.iter().map(|section| section.id).collect();
    eprintln!(
        "{wrong}\nusage: haft-bench [--quick] [--render] [--only PART[,PART]] [--runs N] [--rounds N]\nparts: {}",
        known.join(", ")
    );
    exit(2);
}

fn section(id: &str) -> &'static Section {
    let found = sections::ALL.iter().find(|section| section.id == id);
    found.copied().unwrap_or_else(|| usage(&format!("there is no part {id:?}")))
}

fn options(arguments: &[String]) -> Options {
    let quick = arguments.iter().any(|argument| argument == "--quick");
    let mut options = Options {
        scale: if quick { Scale::quick() } else { Scale::full() },
        quick,
        render: false,
        sections: sections::ALL.to_vec(),
        child: false,
    };
    let mut arguments = arguments.iter();
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().unwrap_or_else(|| usage(&format!("{argument} needs a value")));
        let number = |text: &String| match text.parse() {
            Ok(number) if number > 0 => number,
            _ => usage(&format!("{text:?} is not a number above 0")),
        };
        match argument.as_str() {
            "--quick" => {}
            "--render" => options.render = true,
            "--only" => options.sections = value().split(',').map(section).collect(),
            "--runs" => options.scale.runs = number(value()),
            "--rounds" => options.scale.rounds = number(value()),
            CHILD => (options.child, options.sections) = (true, vec![section(value())]),
            _ => usage(&format!("{argument:?} is not known")),
        }
    }
    options
}

/// One run in a process of its own.
fn run(section: &Section, options: &Options, go: &(&str, String)) -> Vec<Table> {
    let mut child = Command::new(std::env::current_exe().expect("this program"));
    child.args([CHILD, section.id, "--rounds", &options.scale.rounds.to_string()]);
    if options.quick {
        child.arg("--quick");
    }
    child.env(go.0, &go.1);
    let output = child.stderr(std::process::Stdio::inherit()).output().expect("a child");
    assert!(output.status.success(), "{}: the child ended with {}", section.id, output.status);
    serde_json::from_slice(&output.stdout).expect("the child's tables")
}

fn measure(section: &Section, options: &Options, go: &(&str, String), root: &Path) -> Measured {
    let environment = Environment::now(root, options.scale.runs, options.scale.rounds);
    let mut tables: Option<Vec<Table>> = None;
    for number in 1..=options.scale.runs {
        eprintln!("{}: run {number} of {}", section.id, options.scale.runs);
        let more = run(section, options, go);
        match &mut tables {
            None => tables = Some(more),
            Some(tables) => tables.iter_mut().zip(more).for_each(|(table, more)| table.append(more)),
        }
    }
    Measured { environment, tables: tables.expect("at least one run") }
}

/// Cells that are no figures: in a run that only shows that all works, there must be none.
fn wrong(results: &Results) -> Vec<String> {
    let mut wrong = Vec::new();
    for section in sections::ALL {
        let Some(measured) = results.get(section.id) else {
            wrong.push(format!("{} was not measured", section.id));
            continue;
        };
        for (table, row) in
            measured.tables.iter().flat_map(|table| table.rows.iter().map(move |row| (table, row)))
        {
            let samples: Vec<f64> = row.cells.iter().flatten().copied().collect();
            // What is left after removal may be nothing, or less than before.
            let right = |sample: &f64| {
                sample.is_finite() && (*sample > 0.0 || table.id == "after" || table.id == "live")
            };
            if samples.is_empty() || !samples.iter().all(right) {
                wrong.push(format!("{}, {}, {}: {samples:?}", section.id, table.id, row.name));
            }
        }
    }
    wrong
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [memory, name, size] = &*arguments
        && memory == sections::memory::CHILD
    {
        sections::memory::child(name, size.parse().expect("a size"));
        return ExitCode::SUCCESS;
    }
    let options = options(&arguments);
    if options.child {
        let tables = (options.sections[0].measure)(&options.scale);
        println!("{}", serde_json::to_string(&tables).expect("figures"));
        return ExitCode::SUCCESS;
    }
    let root: PathBuf =
        Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("a member of the workspace").into();
    let folder = root.join(if options.quick { "target/haft-bench-quick" } else { "target/haft-bench" });
    std::fs::create_dir_all(&folder).expect("the target folder can be written");
    if !options.render {
        let go = go::build(&root, &folder);
        for section in &options.sections {
            Results::store(&folder, section.id, &measure(section, &options, &go, &root));
        }
    }
    let known: Vec<&str> = sections::ALL.iter().map(|section| section.id).collect();
    let results = Results::load(&folder, &known);
    let missing: Vec<&str> = known.into_iter().filter(|id| results.get(id).is_none()).collect();
    // A part of the report must not replace a whole one.
    let into = if options.quick || !missing.is_empty() { &folder } else { &root };
    report::write(&root, into, &results);
    eprintln!("{} is written", into.join("BENCHMARKS.md").display());
    if !missing.is_empty() {
        eprintln!("not measured yet, so not written into the sources: {}", missing.join(", "));
    }
    let wrong = wrong(&results);
    if options.quick && missing.is_empty() && !wrong.is_empty() {
        eprintln!("no figures:\n{}", wrong.join("\n"));
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}
