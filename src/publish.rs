//! [`publish_metrics`], in builds with the feature `metrics`.

use crate::error::ErrorKind;
use crate::stats::stats;
use metrics::{Unit, counter, describe_counter, describe_gauge, gauge};

/// Tells the recorder of the crate `metrics` what [`stats`](crate::stats()) says now. Call it as often as the figures are wanted: from a timer, or before they
/// are collected.
///
/// | name | what | |
/// |---|---|---|
/// | `haft_created_total`, `haft_removed_total` | counter | handles |
/// | `haft_errors_total`, with the label `kind` | counter | [`Error`](crate::Error)s, `kind` is the [`ErrorKind`]'s name, as `Stale` |
/// | `haft_live`, `haft_deferred` | gauge | live handles; values that are removed and still held |
/// | `haft_pages`, `haft_bytes` | gauge | pages of slots, and their size |
/// | `haft_retired`, `haft_returned` | gauge | slots: see [`Stats`](crate::Stats) |
/// | `haft_shards`, `haft_records` | gauge | see [`Stats`](crate::Stats) |
///
/// Costs as [`stats`](crate::stats()), and what the recorder does with 17 figures.
///
/// ```
/// haft::publish_metrics();
/// ```
pub fn publish_metrics() {
    let stats = stats();
    let counters = [
        ("haft_created_total", "handles created", stats.created),
        ("haft_removed_total", "handles removed", stats.removed),
    ];
    for (name, what, value) in counters {
        describe_counter!(name, Unit::Count, what);
        counter!(name).absolute(value);
    }
    describe_counter!("haft_errors_total", Unit::Count, "misuses of handles, by kind");
    for (kind, value) in stats.errors.iter() {
        counter!("haft_errors_total", "kind" => label(kind)).absolute(value);
    }
    let gauges = [
        ("haft_live", Unit::Count, "live handles", stats.live),
        ("haft_deferred", Unit::Count, "values that are removed and still held", stats.deferred),
        ("haft_retired", Unit::Count, "slots whose generations are used up", stats.retired),
        ("haft_returned", Unit::Count, "slots that other threads freed", stats.returned),
        ("haft_pages", Unit::Count, "pages of slots", stats.pages),
        ("haft_bytes", Unit::Bytes, "bytes of pages", stats.bytes),
        ("haft_shards", Unit::Count, "shards given to threads", stats.shards),
        ("haft_records", Unit::Count, "threads at the same time, at most", stats.records),
    ];
    for (name, unit, what, value) in gauges {
        describe_gauge!(name, unit, what);
        gauge!(name).set(value as f64);
    }
}

const fn label(kind: ErrorKind) -> &'static str {
    match kind {
        ErrorKind::Null => "Null",
        ErrorKind::Malformed => "Malformed",
        ErrorKind::Unissued => "Unissued",
        ErrorKind::Stale => "Stale",
        ErrorKind::WrongType => "WrongType",
        ErrorKind::WrongRegistry => "WrongRegistry",
        ErrorKind::TooManyHolds => "TooManyHolds",
        ErrorKind::HeldHere => "HeldHere",
    }
}
