//! Runs the simulations and writes `benches/simulation.json` and the tables in `src/docs/scaling.md`:
//!
//! ```sh
//! RUSTFLAGS="--cfg haft_sim" CARGO_TARGET_DIR=target/simulation cargo run --release -p haft-simulation
//! ```
//!
//! `--lines PROTOCOL WORKLOAD CORES [Access]` runs one and says which lines moved most, and which lines of code moved them.
//!
//! The file is a flat list, one record for each protocol, workload and number of cores; what they are is in `results.rs` and `workloads.rs`:
//!
//! ```json
//! {"protocol": "haft", "workload": "hot_lookup", "cores": 8, "transfers": 0.000, "busiest_line": 0.000, "locked": 0.000, "barriers": 0.000, "accesses": 12.000}
//! ```
//!
//! All counts are per operation, but for `busiest_line`: the transfers of the line that moved most, while each core does one operation. `transfers` are accesses that waited for
//! another core's cache, `locked` are locked instructions, `barriers` are barriers of all threads, `accesses` all accesses that the simulation sees.

#[cfg(haft_sim)]
fn main() {
    use haft_simulation::cores::Grain;
    use haft_simulation::results::{all, file, page, page_with, simulate, text};
    use haft_simulation::workloads::Workload;
    use std::fs;

    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match *arguments {
        [] => {
            let records = all(&std::env::current_exe().expect("this program"));
            fs::write(file(), text(&records)).expect("benches/simulation.json can be written");
            fs::write(page(), page_with(&records)).expect("src/docs/scaling.md can be written");
            println!("wrote {} records to benches/simulation.json, and the tables", records.len());
        }
        [what @ ("--one" | "--lines"), protocol, name, cores, ref grain @ ..] => {
            let workload = Workload::ALL.into_iter().find(|workload| workload.name() == name);
            let workload = workload.unwrap_or_else(|| panic!("no workload is called {name}"));
            let grain = if grain == ["Access"] { Grain::Access } else { Grain::Step };
            let cores = cores.parse().expect("a number of cores");
            let (record, lines) = simulate(protocol, workload, cores, grain);
            println!("{}", record.json());
            if what == "--lines" {
                lines.iter().for_each(|line| println!("{line}"));
            }
            // The cores' threads are still there, in the middle of their lives.
            std::process::exit(0);
        }
        _ => panic!("nothing, or --lines PROTOCOL WORKLOAD CORES [Access]"),
    }
}

#[cfg(not(haft_sim))]
fn main() {
    eprintln!(
        "this is built without the simulation:\n\
         RUSTFLAGS=\"--cfg haft_sim\" CARGO_TARGET_DIR=target/simulation cargo run --release -p haft-simulation"
    );
    std::process::exit(2);
}
