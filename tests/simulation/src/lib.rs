//! haft on up to 256 simulated cores: which cache lines move.
//!
//! The method, its limits and the results are in haft's documentation, `docs::scaling`. Built with `--cfg haft_sim` alone; otherwise there is nothing here.

#![cfg(haft_sim)]

pub mod cores;
pub mod mesi;
pub mod protocols;
pub mod results;
pub mod workloads;
