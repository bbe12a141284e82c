//! What was found: the committed file, and the tables in the documentation.

use crate::cores::Grain;
use crate::workloads::Workload;
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// How many cores there are.
pub const SIZES: [usize; 9] = [1, 2, 4, 8, 16, 32, 64, 128, 256];

/// Those that the documentation shows.
const SHOWN: [usize; 4] = [2, 8, 64, 256];

/// The protocols, with what they are called in the documentation and what they do.
pub const PROTOCOLS: [(&str, &str, &[Workload]); 4] = [
    ("haft", "haft", &Workload::ALL),
    ("count_in_slot", "count in the slot", &Workload::ALL),
    ("arc", "`Arc`", &[Workload::Cycle, Workload::Hot, Workload::Cold]),
    ("haft_limited", "haft, registry with a limit", &[Workload::CreateRemove]),
];

/// One simulation: counts per operation.
#[derive(Clone, Debug, PartialEq)]
pub struct Record {
    pub protocol: String,
    pub workload: Workload,
    pub cores: usize,
    /// Accesses that waited for another core's cache.
    pub transfers: f64,
    /// Transfers of the line that moved most, for each core's doing one operation: they happen one after the other.
    pub busiest_line: f64,
    pub locked: f64,
    pub barriers: f64,
    pub accesses: f64,
}

/// Runs one simulation in this process, which is good for only one. The record, and the lines that moved most.
pub fn simulate(protocol: &str, workload: Workload, cores: usize, grain: Grain) -> (Record, Vec<String>) {
    let caches = workload.run(protocol, cores, grain);
    let counts = caches.counts();
    let operations = workload.operations(cores) as f64;
    let per_operation = |count: u64| count as f64 / operations;
    let record = Record {
        protocol: protocol.to_owned(),
        workload,
        cores,
        transfers: per_operation(counts.transfers),
        busiest_line: per_operation(caches.busiest()) * cores as f64,
        locked: per_operation(counts.locked),
        barriers: per_operation(counts.barriers),
        accesses: per_operation(counts.accesses),
    };
    (record, caches.movers())
}

impl Record {
    /// As it is committed: an object on one line.
    pub fn json(&self) -> String {
        let Self { protocol, workload, cores, transfers, busiest_line, locked, barriers, accesses } = self;
        let workload = workload.name();
        format!(
            r#"{{"protocol":"{protocol}","workload":"{workload}","cores":{cores},"transfers":{transfers:.3},"busiest_line":{busiest_line:.3},"locked":{locked:.3},"barriers":{barriers:.3},"accesses":{accesses:.3}}}"#
        )
    }
}

/// Runs one simulation in a process of its own: what an earlier one left behind would change it. What `executable` says.
///
/// # Panics
///
/// Where it fails.
pub fn simulate_apart(
    executable: &Path,
    protocol: &str,
    workload: Workload,
    cores: usize,
    grain: Grain,
) -> String {
    let name = workload.name();
    let cores = cores.to_string();
    let grain = format!("{grain:?}");
    let output = Command::new(executable).args(["--one", protocol, name, &cores, &grain]).output();
    let output = output.expect("the program of the simulation");
    assert!(
        output.status.success(),
        "{protocol} {name} {cores} {grain}: {}\n{}",
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).expect("text").trim_end().to_owned()
}

/// The number of a field of a record that was written by [`Record::json`].
///
/// # Panics
///
/// Where there is no such field.
pub fn field(json: &str, name: &str) -> f64 {
    let start = json.find(&format!("\"{name}\":")).unwrap_or_else(|| panic!("no {name} in {json}"));
    let value = &json[start + name.len() + 3..];
    let end = value.find([',', '}']).expect("an object");
    value[..end].parse().expect("a number")
}

/// Everything, a record a line, by the given program.
pub fn all(executable: &Path) -> Vec<String> {
    let mut records = Vec::new();
    for (protocol, _, workloads) in PROTOCOLS {
        for &workload in workloads {
            for cores in SIZES.into_iter().filter(|cores| *cores >= workload.from()) {
                records.push(simulate_apart(executable, protocol, workload, cores, Grain::Step));
            }
        }
    }
    records
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The committed records.
pub fn file() -> PathBuf {
    root().join("benches/simulation.json")
}

/// The page with the tables.
pub fn page() -> PathBuf {
    root().join("src/docs/scaling.md")
}

/// The file's text.
pub fn text(records: &[String]) -> String {
    format!("[\n{}\n]\n", records.join(",\n"))
}

const BEGIN: &str = "<!-- from here on written by `cargo run -p haft-simulation` -->\n";
const END: &str = "<!-- up to here -->\n";

/// The page with its tables made anew.
///
/// # Panics
///
/// Where it lacks the marks.
pub fn page_with(records: &[String]) -> String {
    let page = fs::read_to_string(page()).expect("the page");
    let (before, rest) = page.split_once(BEGIN).expect("the mark where the tables begin");
    let (_, after) = rest.split_once(END).expect("the mark where the tables end");
    format!("{before}{BEGIN}{}{END}{after}", tables(records))
}

fn tables(records: &[String]) -> String {
    let mut tables = String::from("\nTransfers per operation, and locked instructions:\n\n");
    let locked = " locked instructions, 256 cores |";
    table(&mut tables, records, "transfers", locked, |last| format!(" {} |", short(field(last, "locked"))));
    tables.push_str("\nTransfers of the busiest line while each core does one operation:\n\n");
    table(&mut tables, records, "busiest_line", "", |_| String::new());
    tables.push('\n');
    tables
}

fn table(out: &mut String, records: &[String], name: &str, more_head: &str, more: impl Fn(&str) -> String) {
    let heads = SHOWN.map(|cores| format!(" {cores} cores |")).concat();
    let rules = "---:|".repeat(SHOWN.len() + more_head.matches('|').count());
    let _ = writeln!(out, "| work | protocol |{heads}{more_head}\n|---|---|{rules}");
    for workload in Workload::ALL {
        for (protocol, title, workloads) in PROTOCOLS {
            if !workloads.contains(&workload) {
                continue;
            }
            let find = |cores: usize| {
                let start =
                    format!(r#"{{"protocol":"{protocol}","workload":"{}","cores":{cores},"#, workload.name());
                let found = records.iter().find(|record| record.starts_with(&start));
                found.unwrap_or_else(|| panic!("no record {start}"))
            };
            let cells = SHOWN.map(|cores| format!(" {} |", short(field(find(cores), name)))).concat();
            let more = more(find(SHOWN[SHOWN.len() - 1]));
            let _ = writeln!(out, "| {} | {title} |{cells}{more}", workload.meaning());
        }
    }
}

/// Two decimals, and none where there is nothing behind the point.
fn short(value: f64) -> String {
    match format!("{value:.2}") {
        whole if whole.ends_with(".00") => whole.trim_end_matches(".00").to_owned(),
        other => other,
    }
}
