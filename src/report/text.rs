//! Reports as plain text: what `Display` gives, everywhere the same.

use super::sheet::{Sheet, held, place};
use std::fmt::{Formatter, Result};

impl Sheet<'_> {
    /// Right-aligned numbers, then what may be long.
    pub(super) fn write(&self, f: &mut Formatter<'_>) -> Result {
        writeln!(f, "{}", self.title)?;
        if self.rows.is_empty() {
            return Ok(());
        }
        let widths: Vec<usize> = (0..self.columns.len())
            .map(|column| {
                let cells = self.rows.iter().map(|(numbers, _)| numbers[column].len());
                cells.chain([self.columns[column].len()]).max().unwrap_or(0) + 2
            })
            .collect();
        let line = |f: &mut Formatter<'_>, cells: &mut dyn Iterator<Item = &str>| {
            cells.zip(&widths).try_for_each(|(cell, &width)| write!(f, "{cell:>width$}"))
        };
        line(f, &mut self.columns.iter().copied())?;
        writeln!(f, "  type, created at, for example")?;
        for (numbers, leak) in &self.rows {
            line(f, &mut numbers.iter().map(String::as_str))?;
            writeln!(f, "  {}, {}, {:#018x}", leak.type_name, place(leak), leak.example)?;
            if let Some(held) = held(leak) {
                writeln!(f, "{:indent$}{held}", "", indent = widths.iter().sum::<usize>() + 2)?;
            }
        }
        Ok(())
    }
}
