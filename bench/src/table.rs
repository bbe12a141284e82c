//! What was measured, and what follows from it.

use serde::{Deserialize, Serialize};

/// Samples by row and column. Samples of one round have the same index, in all rows.
#[derive(Serialize, Deserialize)]
pub struct Table {
    pub id: String,
    pub columns: Vec<String>,
    pub rows: Vec<Row>,
}

#[derive(Serialize, Deserialize)]
pub struct Row {
    pub name: String,
    /// The samples of each column; none where the peer cannot do it.
    pub cells: Vec<Vec<f64>>,
}

/// A median and its quartiles.
#[derive(Clone, Copy)]
pub struct Middle {
    pub low: f64,
    pub median: f64,
    pub high: f64,
}

impl Middle {
    pub fn of(samples: &[f64]) -> Option<Self> {
        let mut sorted = samples.to_vec();
        sorted.sort_by(f64::total_cmp);
        let at = |part: f64| {
            let place = part * (sorted.len() - 1) as f64;
            let (below, above) = (sorted[place.floor() as usize], sorted[place.ceil() as usize]);
            below + (above - below) * place.fract()
        };
        (!sorted.is_empty()).then(|| Self { low: at(0.25), median: at(0.5), high: at(0.75) })
    }

    /// Half the distance between the quartiles, as a part of the median.
    pub fn spread(self) -> f64 {
        (self.high - self.low) / 2.0 / self.median
    }
}

impl Row {
    pub fn new(name: &str, columns: usize) -> Self {
        Self { name: name.to_string(), cells: vec![Vec::new(); columns] }
    }
}

impl Table {
    pub fn new(id: &str, columns: &[&str], rows: Vec<Row>) -> Self {
        Self { id: id.to_string(), columns: columns.iter().map(|name| (*name).to_string()).collect(), rows }
    }

    /// Adds another run's samples.
    pub fn append(&mut self, other: Table) {
        assert_eq!(
            (&self.id, &self.columns),
            (&other.id, &other.columns),
            "runs of one table are of one shape"
        );
        for (mine, theirs) in self.rows.iter_mut().zip(other.rows) {
            assert_eq!(mine.name, theirs.name, "runs of one table have the same rows");
            mine.cells.iter_mut().zip(theirs.cells).for_each(|(mine, theirs)| mine.extend(theirs));
        }
    }

    pub fn samples(&self, row: &str, column: &str) -> Option<&[f64]> {
        let column = self.columns.iter().position(|name| name == column)?;
        let row = self.rows.iter().find(|candidate| candidate.name == row)?;
        Some(&row.cells[column])
    }

    pub fn middle(&self, row: &str, column: &str) -> Option<Middle> {
        Middle::of(self.samples(row, column)?)
    }

    /// The ratios of two cells: of each round by itself.
    pub fn ratios(&self, over: (&str, &str), under: (&str, &str)) -> Option<Vec<f64>> {
        let (over, under) = (self.samples(over.0, over.1)?, self.samples(under.0, under.1)?);
        Some(over.iter().zip(under).map(|(over, under)| over / under).collect())
    }

    /// Their median.
    pub fn ratio(&self, over: (&str, &str), under: (&str, &str)) -> Option<Middle> {
        Middle::of(&self.ratios(over, under)?)
    }

    /// The largest spread of a cell, and where.
    pub fn widest(&self) -> Option<(f64, &str, &str)> {
        let cells = self.rows.iter().flat_map(|row| {
            let named = row.cells.iter().zip(&self.columns);
            named.filter_map(|(cell, column)| Some((Middle::of(cell)?.spread(), &*row.name, &**column)))
        });
        cells.max_by(|one, two| one.0.total_cmp(&two.0))
    }
}
