//! The questions, one section of BENCHMARKS.md each.

pub mod always_on;
pub mod cycle;
pub mod growth;
pub mod latency;
pub mod lookup;
pub mod memory;
pub mod mixed;
pub mod moved;
pub mod oversubscribed;
pub mod stale;
pub mod steps;
pub mod threads;
pub mod trust;

use crate::chart;
use crate::scale::Scale;
use crate::table::Table;

/// How a section's table is drawn.
pub type Draw = fn(&Section, &Table) -> String;

pub struct Section {
    /// Its name for `--only`, and of its files.
    pub id: &'static str,
    /// The question.
    pub title: &'static str,
    /// What is done, and how it is counted.
    pub method: &'static str,
    pub unit: &'static str,
    pub measure: fn(&Scale) -> Vec<Table>,
    /// The answer, from the figures.
    pub conclude: fn(&[Table]) -> Vec<String>,
    pub draw: Draw,
}

pub const ALL: &[&Section] = &[
    &cycle::SECTION,
    &lookup::SECTION,
    &moved::SECTION,
    &steps::SECTION,
    &mixed::SECTION,
    &stale::SECTION,
    &oversubscribed::SECTION,
    &growth::SECTION,
    &threads::SECTION,
    &latency::SECTION,
    &memory::SECTION,
    &always_on::SECTION,
    &trust::SECTION,
];

fn bars(section: &Section, table: &Table) -> String {
    chart::bars(section.title, section.unit, table, &|_| true)
}

fn lines(section: &Section, table: &Table) -> String {
    chart::lines(&format!("{} {}", section.title, table.id), section.unit, table)
}
