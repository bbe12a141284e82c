//! The simulation's figures, which its own program commits: cores across, a row per protocol and workload.

use crate::chart;
use crate::table::{Row, Table};
use crate::words::figure;
use serde_json::Value;
use std::fmt::Write;
use std::path::Path;

const FILE: &str = "benches/simulation.json";
const HOT: &str = "hot_lookup";

struct Record {
    protocol: String,
    workload: String,
    cores: u64,
    transfers: f64,
    busiest_line: f64,
}

fn records(text: &str) -> Option<Vec<Record>> {
    let value: Value = serde_json::from_str(text).ok()?;
    let record = |value: &Value| {
        Some(Record {
            protocol: value.get("protocol")?.as_str()?.to_string(),
            workload: value.get("workload")?.as_str()?.to_string(),
            cores: value.get("cores")?.as_u64()?,
            transfers: value.get("transfers")?.as_f64()?,
            busiest_line: value.get("busiest_line")?.as_f64()?,
        })
    };
    value.as_array()?.iter().map(record).collect()
}

/// A table of one figure of those records that have a name.
fn table(
    id: &str,
    records: &[Record],
    name: impl Fn(&Record) -> Option<String>,
    of: impl Fn(&Record) -> f64,
) -> Table {
    let mut cores: Vec<u64> = records.iter().map(|record| record.cores).collect();
    cores.sort_unstable();
    cores.dedup();
    let columns: Vec<String> = cores.iter().map(u64::to_string).collect();
    let mut table = Table::new(id, &columns.iter().map(String::as_str).collect::<Vec<_>>(), Vec::new());
    for record in records {
        let Some(name) = name(record) else { continue };
        let row = match table.rows.iter().position(|row| row.name == name) {
            Some(row) => row,
            None => {
                table.rows.push(Row::new(&name, cores.len()));
                table.rows.len() - 1
            }
        };
        let column = cores.iter().position(|cores| *cores == record.cores).expect("from these records");
        table.rows[row].cells[column] = vec![of(record)];
    }
    table
}

/// The section, and its chart into the folder; nothing where there is no file.
pub fn section(root: &Path, charts: &Path) -> Option<String> {
    let text = std::fs::read_to_string(root.join(FILE)).ok()?;
    let records =
        records(&text).unwrap_or_else(|| panic!("{FILE} is a list of records as its program writes them"));
    let name = |record: &Record| Some(format!("{}, {}", record.protocol, record.workload.replace('_', " ")));
    let transfers = table("transfers", &records, name, |record| record.transfers);
    let hot = |record: &Record| (record.workload == HOT).then(|| record.protocol.clone());
    let busiest = table("hot lookup", &records, hot, |record| record.busiest_line);
    let title = "How does it scale beyond this machine?";
    std::fs::write(
        charts.join("simulation.svg"),
        chart::lines(
            "Looking one handle up on many cores",
            "transfers of the busiest cache line while each core does one operation (0 is drawn at 0.1); simulated",
            &busiest,
        ),
    )
    .expect("the chart is written");
    let mut text = format!("## {title}\n\n");
    let most = transfers.columns.last()?;
    let workloads = records.iter().map(|record| &record.workload);
    let mut seen = Vec::new();
    for workload in workloads {
        if seen.contains(workload) {
            continue;
        }
        seen.push(workload.clone());
        let at_most =
            records.iter().filter(|record| record.workload == *workload && record.cores.to_string() == *most);
        let mut each: Vec<&Record> = at_most.collect();
        // Whoever moves most is first, so that it is seen where haft does.
        each.sort_by(|one, two| two.transfers.total_cmp(&one.transfers));
        let listed: Vec<String> =
            each.iter().map(|record| format!("{} {}", record.protocol, figure(record.transfers))).collect();
        let _ = writeln!(
            text,
            "* *{}*, cache lines moved per operation on {most} cores: {}.",
            workload.replace('_', " "),
            listed.join(", ")
        );
    }
    let _ = writeln!(
        text,
        "\nCounted, not timed: every atomic access of the real operations, and the cache lines that it moves between so many cores. Cache lines moved per operation:\n"
    );
    let _ = writeln!(
        text,
        "| cores | {} |\n|---|{}",
        transfers.columns.join(" | "),
        "---:|".repeat(transfers.columns.len())
    );
    for row in &transfers.rows {
        let cells: Vec<String> = row
            .cells
            .iter()
            .map(|cell| cell.first().map_or("–".to_string(), |value| figure(*value)))
            .collect();
        let _ = writeln!(text, "| {} | {} |", row.name, cells.join(" | "));
    }
    let _ = writeln!(
        text,
        "\n![{title}](benches/charts/simulation.svg)\n\nFrom `{FILE}`, which its own program writes."
    );
    Some(text)
}
