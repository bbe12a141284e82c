// Where the README's links lead. Of several definitions of a link the first counts, so in the README, which is read without these, they lead to files.
//! [finding a leak]: docs::leaks
//! [haft from C]: docs::c
//! [exporting a Rust API]: docs::exporting
//! [Every text]: docs::errors
//! [How it works]: docs::architecture
//! [how it is checked]: docs::verification
//! [All limits]: docs::limits
//! [processors and systems]: docs::systems
//! [watching]: docs::watching
//! [errors]: docs::errors
//! [the debugger]: docs::debugger
//! [`Error`]: Error
//! [`stats`]: stats()
//! [`on_misuse`]: on_misuse()
#![doc = include_str!("docs/overview.md")]
//!
#![doc = include_str!("../README.md")]
#![deny(unsafe_code, missing_docs)]
#![warn(rust_2018_idioms)]
// Programs with debug info carry it, and GDB finds it there.
#![debugger_visualizer(gdb_script_file = "../debug/haft_gdb.py")]

#[cfg(not(target_has_atomic = "64"))]
compile_error!("haft needs 64-bit atomics, which this target does not have");

#[cfg(all(haft_loom, not(test)))]
compile_error!("`haft_loom` is for haft's own models: `cargo test --release --lib models`");

#[cfg(not(haft_loom))]
mod any;
#[cfg(not(haft_loom))]
pub mod capi;
#[cfg(not(haft_loom))]
mod confine;
#[cfg(not(haft_loom))]
pub mod docs;
#[cfg(not(haft_loom))]
mod error;
#[cfg(not(haft_loom))]
mod guard;
#[cfg(not(haft_loom))]
mod handle;
#[cfg(not(haft_loom))]
mod memory;
#[cfg(not(haft_loom))]
mod misuse;
#[cfg(all(feature = "metrics", not(haft_loom)))]
mod publish;
#[cfg(any(not(haft_loom), test))]
mod raw;
#[cfg(not(haft_loom))]
mod registry;
#[cfg(not(haft_loom))]
mod report;
#[cfg(not(haft_loom))]
mod site;
#[cfg(not(haft_loom))]
mod stats;
#[cfg(not(haft_loom))]
mod story;
#[cfg(any(not(haft_loom), test))]
mod sync;
#[cfg(not(haft_loom))]
mod thread_name;
#[cfg(not(haft_loom))]
mod vacant;
#[cfg(not(haft_loom))]
mod values;

/// For the simulation of many cores; not there in a normal build.
#[cfg(haft_sim)]
pub use sync::simulation;

#[cfg(all(feature = "metrics", not(haft_loom)))]
pub use publish::publish_metrics;
#[cfg(not(haft_loom))]
pub use {
    any::AnyHandle,
    capi::ffi,
    confine::confine,
    error::{Error, ErrorKind, Full},
    guard::{Ref, SharedRef},
    handle::{Handle, Removal},
    misuse::on_misuse,
    registry::{Deferred, Live, Registry},
    report::{Grown, Growth, Leak, LeakReport, NoLeaks, leaks, report_at_exit},
    site::Site,
    stats::{ErrorCounts, Stats, stats},
    thread_name::ThreadName,
    vacant::Vacant,
    values::{Drain, Removals},
};
