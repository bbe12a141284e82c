//! Sentences that follow from the figures, and the dice.

use crate::peers::{Kind, kind};
use crate::table::{Middle, Table};

/// Xorshift: the same dice for every peer.
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }
    #[inline]
    pub fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }
    #[inline]
    pub fn below(&mut self, end: usize) -> usize {
        ((u128::from(self.next()) * end as u128) >> 64) as usize
    }
}

/// A figure with three digits.
pub fn figure(value: f64) -> String {
    match value.abs() {
        size if size >= 1e6 => format!("{:.2} M", value / 1e6),
        size if size >= 1e4 => format!("{:.1} k", value / 1e3),
        size if size >= 100.0 => format!("{value:.0}"),
        size if size >= 10.0 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}

/// haft's row that stands for haft: the first.
pub fn haft(table: &Table) -> &str {
    let row = table.rows.iter().find(|row| row.name.starts_with("haft"));
    &row.expect("haft is in every table").name
}

/// All that are not haft and not the harness, with haft's ratio to each in one column.
pub fn ratios<'a>(table: &'a Table, column: &str) -> Vec<(&'a str, Middle)> {
    let haft = haft(table);
    let others =
        table.rows.iter().filter(|row| !row.name.starts_with("haft") && kind(&row.name) != Kind::Harness);
    others.filter_map(|row| Some((&*row.name, table.ratio((haft, column), (&row.name, column))?))).collect()
}

/// Where haft is slower in one column: each with its ratio, worst first.
pub fn slower(table: &Table, column: &str) -> Option<String> {
    let mut worse: Vec<_> =
        ratios(table, column).into_iter().filter(|(_, ratio)| ratio.median > 1.0).collect();
    worse.sort_by(|one, two| two.1.median.total_cmp(&one.1.median));
    let listed: Vec<String> =
        worse.iter().map(|(name, ratio)| format!("{} × {name}", figure(ratio.median))).collect();
    (!listed.is_empty()).then(|| listed.join(", "))
}

/// The answer for one column: where haft is behind, then what it takes.
pub fn beside(table: &Table, column: &str) -> Vec<String> {
    let Some(middle) = table.middle(haft(table), column) else { return Vec::new() };
    let ratios = ratios(table, column);
    let first = match slower(table, column) {
        Some(listed) => format!("*{column}*: **haft takes more than others**: {listed}."),
        None => format!("*{column}*: nothing here takes less than haft."),
    };
    let less = ratios.iter().filter(|(_, ratio)| ratio.median < 1.0).count();
    let named = |wanted: &str| {
        let (name, ratio) = ratios.iter().find(|(name, _)| name.starts_with(wanted))?;
        Some(format!("{} × {name} ({} to {})", figure(ratio.median), figure(ratio.low), figure(ratio.high)))
    };
    // The last Go is the newest.
    let go = ratios.iter().rfind(|(name, _)| name.starts_with("Go ")).and_then(|(name, _)| named(name));
    let known: Vec<String> = [named("sharded-slab"), named("idr-ebr"), go].into_iter().flatten().collect();
    let known = if known.is_empty() { String::new() } else { format!(": {}", known.join(", ")) };
    let second = format!(
        " It takes {}, less than {less} of the {} others{known}.",
        figure(middle.median),
        ratios.len()
    );
    vec![format!("* {first}{second}")]
}

/// From the first column to the last.
pub fn growth(table: &Table, what: &str, of: &str) -> Vec<String> {
    let (first, last) = (&table.columns[0], &table.columns[table.columns.len() - 1]);
    let way = |name: &str| {
        let (begin, end) = (table.middle(name, first)?, table.middle(name, last)?);
        let (begin, end) = (begin.median, end.median);
        Some(format!("{} to {} ({} ×)", figure(begin), figure(end), figure(end / begin)))
    };
    let haft = haft(table);
    let Some(mine) = way(haft) else { return Vec::new() };
    let behind = slower(table, last)
        .map_or(String::new(), |listed| format!(" **With {last} it takes more than others**: {listed}."));
    let others: Vec<String> = ratios(table, last)
        .iter()
        .filter_map(|(name, _)| Some(format!("{name} from {}", way(name)?)))
        .collect();
    vec![format!("* *{what} {first} to {last} {of}*:{behind} haft goes from {mine}; {}.", others.join("; "))]
}

/// One quantile of one kind of operation.
pub fn quantile(table: &Table, column: &str, what: &str) -> Vec<String> {
    let Some(middle) = table.middle(haft(table), column) else { return Vec::new() };
    let behind = slower(table, column).map_or(" Nothing here is lower.".to_string(), |listed| {
        format!(" **Higher than others**: {listed}.")
    });
    vec![format!("* *{what}*: one of ten thousand takes haft {} ns or more.{behind}", figure(middle.median))]
}

/// What is left when all is removed, and when the table is gone.
pub fn left(table: &Table) -> Vec<String> {
    let haft = haft(table);
    let at = |column: usize| table.middle(haft, &table.columns[column]).map(|middle| middle.median);
    let (Some(live), Some(removed), Some(dropped)) = (at(0), at(1), at(2)) else { return Vec::new() };
    vec![format!(
        "* *After*: of {} bytes per handle haft keeps {} when all are removed, and {} when the registry is dropped.",
        figure(live),
        figure(removed),
        figure(dropped)
    )]
}

/// How far two measurements of one thing are apart.
pub fn twice(table: &Table) -> Vec<String> {
    let pairs = table.rows.iter().filter_map(|row| {
        let again = format!("{}, again", row.name);
        table.rows.iter().any(|row| row.name == again).then_some((&row.name, again))
    });
    let lines = pairs.map(|(name, again)| {
        let each = table.columns.iter().filter_map(|column| {
            let ratio = table.ratio((&again, column), (name, column))?;
            Some(format!(
                "{column} {} ({} to {})",
                figure(ratio.median),
                figure(ratio.low),
                figure(ratio.high)
            ))
        });
        format!("* *{name}, again, over {name}*: {}.", each.collect::<Vec<_>>().join(", "))
    });
    lines.collect()
}

/// What something costs in one column, by pairs of rows with and without it.
pub fn with_and_without(table: &Table, column: &str, pairs: &[(&str, &str)]) -> Option<String> {
    let one = |(with, without): &(&str, &str)| {
        let ratio = table.ratio((with, column), (without, column))?;
        let (with_it, without_it) = (table.middle(with, column)?, table.middle(without, column)?);
        Some(format!(
            "{with} {} instead of {}: {} × ({} to {})",
            figure(with_it.median),
            figure(without_it.median),
            figure(ratio.median),
            figure(ratio.low),
            figure(ratio.high)
        ))
    };
    let each: Vec<String> = pairs.iter().filter_map(one).collect();
    (!each.is_empty()).then(|| format!("* *{}, {column}*: {}.", table.id, each.join("; ")))
}
