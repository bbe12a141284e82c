//! What haft's documentation says about many cores, held against the simulation.

#![cfg(haft_sim)]

use haft_simulation::cores::Grain;
use haft_simulation::results::{all, field, file, page, page_with, simulate_apart, text};
use haft_simulation::workloads::Workload;
use std::fs;
use std::path::Path;

fn executable() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_haft-simulation"))
}

const MANY: [usize; 8] = [2, 4, 8, 16, 32, 64, 128, 256];

/// Turns of whole steps, and turns of single accesses for as many cores as that takes little time.
fn turns(cores: usize) -> impl Iterator<Item = Grain> {
    [Grain::Step, Grain::Access].into_iter().filter(move |grain| *grain == Grain::Step || cores <= 64)
}

fn moves_no_line(workload: Workload) {
    for cores in MANY {
        for grain in turns(cores) {
            let record = simulate_apart(executable(), "haft", workload, cores, grain);
            assert_eq!(
                field(&record, "transfers"),
                0.0,
                "{record}: `--lines haft {} {cores} {grain:?}` says which lines move",
                workload.name()
            );
            assert!(field(&record, "accesses") > 0.0, "{record}: it has seen nothing");
        }
    }
}

#[test]
fn b3_a_hot_lookup_moves_no_line() {
    moves_no_line(Workload::Hot);
}

#[test]
fn b2_creation_and_removal_on_ones_own_shard_move_no_line() {
    moves_no_line(Workload::CreateRemove);
    moves_no_line(Workload::Batch);
}

#[test]
fn b2_the_whole_life_of_a_handle_on_its_own_core_moves_no_line() {
    moves_no_line(Workload::Cycle);
}

#[test]
fn lines_that_move_are_seen() {
    let transfers = |protocol, workload| {
        field(&simulate_apart(executable(), protocol, workload, 8, Grain::Step), "transfers")
    };
    assert!(transfers("count_in_slot", Workload::Hot) >= 2.0);
    assert!(transfers("arc", Workload::Hot) >= 2.0);
    assert!(transfers("haft_limited", Workload::CreateRemove) >= 1.0, "the limit is counted in one place");
    assert!(transfers("haft", Workload::Moved) >= 1.0, "a handle that moves takes its slot's line along");
}

#[test]
fn the_committed_results_are_those_of_this_code() {
    let records = all(executable());
    let renew = "write it anew with `cargo run --release -p haft-simulation` (see its main.rs)";
    assert!(
        fs::read_to_string(file()).unwrap() == text(&records),
        "benches/simulation.json is stale: {renew}"
    );
    assert!(
        fs::read_to_string(page()).unwrap() == page_with(&records),
        "the tables in scaling.md are stale: {renew}"
    );
}
