//! What is alive, who made it, and what grew: the leak report in all its forms.
//!
//! `leak` is one group of handles, `gather` finds the groups, `leaks` is the report, `growth` the difference of two. `sheet` says what of it is
//! shown, and `text`, `table` and `json` show it. `at_exit` and `no_leaks` are the two moments at which a report is wanted without being asked for.

pub(crate) mod at_exit;
mod gather;
mod growth;
mod json;
mod leak;
mod leaks;
mod no_leaks;
mod sheet;
#[cfg(feature = "table")]
mod table;
mod text;
mod units;

pub(crate) use gather::of_registry;
pub use {
    at_exit::report_at_exit,
    growth::{Grown, Growth},
    leak::Leak,
    leaks::{LeakReport, leaks},
    no_leaks::NoLeaks,
};
