//! Charts as SVG, by hand: no library is needed for rectangles and lines.

use crate::peers::{Kind, kind};
use crate::table::{Middle, Table};
use crate::words::figure;
use std::fmt::Write;

const LABELS: f64 = 290.0;
const PANEL: f64 = 250.0;
const BAR: f64 = 15.0;
const STEP: f64 = 20.0;
const TOP: f64 = 74.0;

const HAFT: &str = "#1f5fa8";
const CHECKED: &str = "#9aa9b8";
const UNCHECKED: &str = "#d9dfe5";

fn escaped(text: &str) -> String {
    text.replace('`', "").replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

fn begin(width: f64, height: f64, title: &str, below: &str) -> String {
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" font-family=\"sans-serif\" font-size=\"12\">\n\
         <rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n\
         <text x=\"12\" y=\"24\" font-size=\"16\" font-weight=\"bold\">{}</text>\n\
         <text x=\"12\" y=\"42\" fill=\"#555\">{}</text>\n",
        escaped(title),
        escaped(below)
    )
}

/// Horizontal bars, a panel per column, each with its own scale; the ticks are the quartiles. haft's are dark, those that check nothing pale.
pub fn bars(title: &str, unit: &str, table: &Table, shown: &dyn Fn(&str) -> bool) -> String {
    let mut rows: Vec<(&str, Vec<Option<Middle>>)> = table
        .rows
        .iter()
        .filter(|row| kind(&row.name) != Kind::Harness && shown(&row.name))
        .map(|row| (&*row.name, row.cells.iter().map(|cell| Middle::of(cell)).collect()))
        .collect();
    // By the first column in which most take part.
    let median =
        |cells: &[Option<Middle>]| cells.iter().flatten().next().map_or(f64::MAX, |middle| middle.median);
    rows.sort_by(|one, two| median(&one.1).total_cmp(&median(&two.1)));
    let width = LABELS + PANEL * table.columns.len() as f64 + 10.0;
    let height = TOP + rows.len() as f64 * STEP + 12.0;
    let mut svg = begin(
        width,
        height,
        title,
        &format!("{unit}; shorter is better; ticks: quartiles; pale: unchecked, or for one thread only"),
    );
    for (panel, column) in table.columns.iter().enumerate() {
        let left = LABELS + PANEL * panel as f64;
        let largest =
            rows.iter().filter_map(|row| row.1[panel]).map(|middle| middle.high).fold(0.0, f64::max);
        let _ = writeln!(
            svg,
            "<text x=\"{left}\" y=\"{}\" font-weight=\"bold\">{}</text>",
            TOP - 10.0,
            escaped(column)
        );
        for (index, (name, cells)) in rows.iter().enumerate() {
            let top = TOP + index as f64 * STEP;
            let baseline = top + BAR - 3.5;
            if panel == 0 {
                let weight = if name.starts_with("haft") { "bold" } else { "normal" };
                let _ = writeln!(
                    svg,
                    "<text x=\"{}\" y=\"{baseline}\" text-anchor=\"end\" font-weight=\"{weight}\">{}</text>",
                    LABELS - 8.0,
                    escaped(name)
                );
            }
            let Some(middle) = cells[panel] else { continue };
            let scaled = |value: f64| (value / largest * (PANEL - 64.0)).max(1.0);
            let fill = match kind(name) {
                _ if name.starts_with("haft") => HAFT,
                Kind::Unchecked | Kind::Alone => UNCHECKED,
                Kind::Checked | Kind::Harness => CHECKED,
            };
            let (low, high) = (left + scaled(middle.low), left + scaled(middle.high));
            let _ = writeln!(
                svg,
                "<rect x=\"{left}\" y=\"{top}\" width=\"{0:.1}\" height=\"{BAR}\" fill=\"{fill}\"/>\
                 <path d=\"M{low:.1} {1:.1}H{high:.1}M{low:.1} {2:.1}v6M{high:.1} {2:.1}v6\" stroke=\"#333\" stroke-width=\"0.8\"/>\
                 <text x=\"{3:.1}\" y=\"{baseline}\">{4}</text>",
                scaled(middle.median),
                top + BAR / 2.0,
                top + BAR / 2.0 - 3.0,
                high + 5.0,
                figure(middle.median),
            );
        }
    }
    svg.push_str("</svg>\n");
    svg
}

const COLOURS: [&str; 8] =
    ["#d1495b", "#e39a2d", "#5c8a4c", "#7d5ba6", "#3a9ea5", "#8a6d4f", "#66727d", "#b55fa0"];

/// Lines over the columns, with a logarithmic scale; haft's is thick.
pub fn lines(title: &str, unit: &str, table: &Table) -> String {
    let (width, height) = (860.0, 420.0);
    let (left, right, top, bottom) = (64.0, 270.0, 66.0, 44.0);
    let mut svg = begin(width, height, title, &format!("{unit}; logarithmic; lower is better"));
    let medians: Vec<(&str, Vec<Option<f64>>)> = table
        .rows
        .iter()
        .map(|row| (&*row.name, row.cells.iter().map(|cell| Middle::of(cell).map(|m| m.median)).collect()))
        .collect();
    let all = || medians.iter().flat_map(|(_, cells)| cells.iter().flatten().copied());
    let low = all().fold(f64::MAX, f64::min).max(0.1).log10().floor();
    let high = all().fold(0.1, f64::max).log10().ceil().max(low + 1.0);
    let x = |column: usize| {
        left + (width - left - right) * column as f64 / (table.columns.len().max(2) - 1) as f64
    };
    let y = |value: f64| {
        height - bottom - (height - top - bottom) * (value.max(0.1).log10() - low) / (high - low)
    };
    for power in low as i32..=high as i32 {
        for part in [1.0, 2.0, 5.0] {
            let value = part * 10_f64.powi(power);
            if value.log10() > high + 1e-9 {
                break;
            }
            let _ = writeln!(
                svg,
                "<path d=\"M{left} {0:.1}H{1}\" stroke=\"#e4e7ea\"/><text x=\"{2}\" y=\"{3:.1}\" text-anchor=\"end\" fill=\"#555\">{4}</text>",
                y(value),
                width - right,
                left - 6.0,
                y(value) + 4.0,
                if value < 1e4 { format!("{value}") } else { figure(value) },
            );
        }
    }
    for (column, name) in table.columns.iter().enumerate() {
        let _ = writeln!(
            svg,
            "<text x=\"{:.1}\" y=\"{}\" text-anchor=\"middle\">{}</text>",
            x(column),
            height - bottom + 20.0,
            escaped(name)
        );
    }
    // Labels beside the last points, moved apart where they would overlap.
    let mut labels: Vec<(f64, usize)> = Vec::new();
    for (index, (name, cells)) in medians.iter().enumerate() {
        let haft = name.starts_with("haft");
        let colour = if haft { HAFT } else { COLOURS[index % COLOURS.len()] };
        let points: Vec<(f64, f64)> =
            cells.iter().enumerate().filter_map(|(column, cell)| Some((x(column), y((*cell)?)))).collect();
        let Some(last) = points.last() else { continue };
        labels.push((last.1, index));
        let path: Vec<String> = points.iter().map(|(x, y)| format!("{x:.1} {y:.1}")).collect();
        let dashes = if kind(name) == Kind::Checked { "" } else { " stroke-dasharray=\"5 4\"" };
        let thick = if haft { 3.0 } else { 1.6 };
        let _ = writeln!(
            svg,
            "<path d=\"M{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"{thick}\"{dashes}/>",
            path.join("L")
        );
        for (x, y) in points {
            let _ = writeln!(svg, "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"3\" fill=\"{colour}\"/>");
        }
    }
    labels.sort_by(|one, two| one.0.total_cmp(&two.0));
    let mut least = top;
    for (wanted, index) in labels {
        let at = wanted.max(least);
        least = at + 15.0;
        let (name, cells) = &medians[index];
        let haft = name.starts_with("haft");
        let (colour, weight) = if haft { (HAFT, "bold") } else { (COLOURS[index % COLOURS.len()], "normal") };
        let value = cells.iter().flatten().last().copied().unwrap_or_default();
        let _ = writeln!(
            svg,
            "<text x=\"{:.1}\" y=\"{:.1}\" fill=\"{colour}\" font-weight=\"{weight}\">{} {}</text>",
            width - right + 10.0,
            at + 4.0,
            figure(value),
            escaped(name)
        );
    }
    svg.push_str("</svg>\n");
    svg
}
