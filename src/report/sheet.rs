//! What a report shows, in whatever form: a title, and for each group some numbers.

use super::growth::Growth;
use super::leak::Leak;
use super::leaks::LeakReport;
use super::units::{age, bytes, count, counted, share};

/// A title, and a row of numbers for each group.
pub(super) struct Sheet<'a> {
    pub(super) title: String,
    /// What the numbers are.
    pub(super) columns: &'static [&'static str],
    pub(super) rows: Vec<(Vec<String>, &'a Leak)>,
}

impl<'a> Sheet<'a> {
    pub(super) fn of_leaks(report: &'a LeakReport) -> Self {
        let rows = report.iter().map(|leak| {
            let numbers = vec![
                count(leak.count as u64),
                count(leak.deferred as u64),
                share(leak.share),
                bytes(leak.bytes),
                age(leak.oldest),
                age(leak.newest),
            ];
            (numbers, leak)
        });
        let columns = &["live", "held", "share", "bytes", "oldest", "newest"];
        Self { title: leaks_title(report), columns, rows: rows.collect() }
    }

    pub(super) fn of_growth(growth: &'a Growth) -> Self {
        let rows = growth.iter().map(|one| {
            let numbers = vec![
                format!("+{}", count(one.grown as u64)),
                count(one.before as u64),
                count(one.leak.total() as u64),
                age(one.leak.oldest),
                age(one.leak.newest),
            ];
            (numbers, &one.leak)
        });
        let columns = &["grown", "before", "now", "oldest", "newest"];
        Self { title: growth_title(growth), columns, rows: rows.collect() }
    }
}

fn leaks_title(report: &LeakReport) -> String {
    if report.is_empty() {
        return "no live handles".into();
    }
    let mut title = counted(report.count() as u64, "live handle");
    if report.deferred() > 0 {
        title += &format!(", {} removed and still held", count(report.deferred() as u64));
    }
    title + &format!("; {}", bytes(report.bytes()))
}

fn growth_title(growth: &Growth) -> String {
    let mut title = match growth.grown() {
        0 => "no group of handles grew".into(),
        1 => "1 handle more".into(),
        more => format!("{} handles more", count(more as u64)),
    };
    if let Some(elapsed) = growth.elapsed() {
        title += &format!(" in {:.1} s", elapsed.as_secs_f64());
    }
    if growth.shrunk() > 0 {
        title += &format!("; {} fewer in other groups", count(growth.shrunk() as u64));
    }
    title
}

/// Where a group's handles were created.
pub(super) fn place(leak: &Leak) -> String {
    leak.created_at.map_or_else(|| "(no line recorded)".into(), |site| site.to_string())
}

/// What is known of the removed ones that are still held; `None` where there are none.
pub(super) fn held(leak: &Leak) -> Option<String> {
    if leak.deferred == 0 {
        return None;
    }
    let mut text = format!("{} removed", count(leak.deferred as u64));
    if let Some(site) = leak.removed_at {
        text += if leak.deferred == 1 { " at " } else { ", the first at " };
        text += &site.to_string();
    }
    if leak.held_for.is_some() {
        text += &format!(" up to {} ago", age(leak.held_for));
    }
    Some(text + &format!(", still held by {}", counted(leak.holders, "guard")))
}
