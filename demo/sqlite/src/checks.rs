//! Checks that are counted and named, and the same results computed in Rust.

use crate::functions::{Engine, backwards};

/// One row of the table.
pub struct Row {
    pub id: i64,
    pub group: i64,
    pub amount: i64,
    pub name: String,
}

/// Row number `id`; always the same.
pub fn row(id: i64) -> Row {
    let mut bits = (id as u64).wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    bits ^= bits >> 29;
    let syllables = ["ka", "lo", "mi", "ne", "ru", "sa", "ti", "vo"];
    let name = (0..5).map(|part| syllables[(bits >> (part * 3)) as usize & 7]).collect::<String>();
    Row {
        id,
        group: (bits >> 20 & 63) as i64,
        amount: (bits >> 32 & 0xF_FFFF) as i64,
        name: format!("{name}-{id}"),
    }
}

/// The rows that thread `part` of `parts` queries.
pub fn rows(total: i64, part: i64, parts: i64) -> impl Iterator<Item = Row> {
    (0..total).filter(move |id| id % parts == part).map(row)
}

/// What the queries of one thread must give.
pub struct Expected {
    pub score: i64,
    /// Per group, in order: the group and the spread of its amounts.
    pub spreads: Vec<(i64, i64)>,
    /// The first names in the order of the collation.
    pub first: Vec<String>,
}

/// How many names are compared.
pub const FIRST: usize = 20;

pub fn expected(engine: &Engine, total: i64, part: i64, parts: i64) -> Expected {
    let rows: Vec<Row> = rows(total, part, parts).collect();
    let mut groups = std::collections::BTreeMap::new();
    for row in &rows {
        let (smallest, largest) = groups.entry(row.group).or_insert((row.amount, row.amount));
        *smallest = row.amount.min(*smallest);
        *largest = row.amount.max(*largest);
    }
    let mut names: Vec<&str> = rows.iter().map(|row| row.name.as_str()).collect();
    names.sort_by(|left, right| backwards(left.as_bytes(), right.as_bytes()));
    Expected {
        score: rows.iter().map(|row| engine.score(&row.name, row.amount)).sum(),
        spreads: groups.into_iter().map(|(group, (smallest, largest))| (group, largest - smallest)).collect(),
        first: names.into_iter().take(FIRST).map(str::to_owned).collect(),
    }
}

/// What was checked and what failed.
#[derive(Default)]
pub struct Checks {
    passed: usize,
    failed: Vec<String>,
}

impl Checks {
    pub fn check(&mut self, name: impl Into<String>, holds: bool) {
        if holds {
            self.passed += 1;
        } else {
            let name = name.into();
            println!("  FAILED: {name}");
            self.failed.push(name);
        }
    }

    pub fn equal<T: PartialEq + std::fmt::Debug>(&mut self, name: &str, found: T, expected: T) {
        let holds = found == expected;
        let name = if holds { name.to_string() } else { format!("{name}: {found:?} is not {expected:?}") };
        self.check(name, holds);
    }

    pub fn absorb(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed.extend(other.failed);
    }

    /// Says how it went: whether all held.
    pub fn conclude(&self) -> bool {
        println!("\n{} checks held, {} failed", self.passed, self.failed.len());
        for name in &self.failed {
            println!("  failed: {name}");
        }
        self.failed.is_empty()
    }
}
