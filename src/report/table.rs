//! Reports as tables with lines, for a terminal.
//!
//! The library that lays them out, and finds out how wide the terminal is, comes with the feature `table`: fourteen crates that a program which only wants
//! handles need not build.

use super::sheet::{Sheet, held, place};
use comfy_table::presets::UTF8_FULL_CONDENSED;
use comfy_table::{Attribute, Cell, CellAlignment, Color, ColumnConstraint, ContentArrangement, Table};
use std::io::IsTerminal;

/// Less is not enough for the numbers.
const NARROWEST: u16 = 60;

/// What the stream is like that a table is made for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Looks {
    /// The terminal's width; `None` where it is none, and lines may be long.
    width: Option<u16>,
    coloured: bool,
}

impl Looks {
    pub(super) fn of(stream: &impl IsTerminal) -> Self {
        if !stream.is_terminal() {
            return Self { width: None, coloured: false };
        }
        // The library knows of the two standard streams; any other terminal is most likely the same one.
        let width = Table::new().width().or_else(|| Table::new().use_stderr().width());
        let no_colour = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        Self { width: width.map(|width| width.max(NARROWEST)), coloured: !no_colour }
    }
}

impl Sheet<'_> {
    pub(super) fn table(&self, looks: Looks) -> String {
        if self.rows.is_empty() {
            return format!("{}\n", self.title);
        }
        let mut table = Table::new();
        table
            .load_style(UTF8_FULL_CONDENSED)
            .set_content_arrangement(ContentArrangement::Dynamic)
            .force_no_tty();
        if let Some(width) = looks.width {
            table.set_width(width);
        }
        if looks.coloured {
            table.enforce_styling();
        }
        let header = self.columns.iter().chain(&["handles"]);
        let bold = header.map(|name| Cell::new(name).add_attribute(Attribute::Bold));
        table.set_header(bold.collect::<Vec<_>>());
        for (numbers, leak) in &self.rows {
            let number = |number| Cell::new(number).set_alignment(CellAlignment::Right);
            let mut cells: Vec<Cell> = numbers.iter().map(number).collect();
            cells[0] = number(&numbers[0]).fg(Color::Yellow);
            // What may be long shares one column, so that it has room in a narrow terminal, too.
            let mut handles = format!("{}\n{}\nsuch as {:#018x}", leak.type_name, place(leak), leak.example);
            if let Some(held) = held(leak) {
                handles += &format!("\n{held}");
            }
            let colour = if leak.deferred > 0 { Color::Red } else { Color::Cyan };
            cells.push(Cell::new(handles).fg(colour));
            table.add_row(cells);
        }
        for column in table.column_iter_mut().take(self.columns.len()) {
            column.set_constraint(ColumnConstraint::ContentWidth);
        }
        format!("{}\n{table}\n", self.title)
    }
}
