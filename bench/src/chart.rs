//! Bars as SVG, by hand: no library is needed for rectangles.

use std::fmt::Write;

const WIDTH: f64 = 760.0;
const LABELS: f64 = 220.0;
const BAR: f64 = 20.0;

/// A chart of horizontal bars: shorter is better. haft's are dark.
pub fn bars(title: &str, unit: &str, values: &[(&str, f64)]) -> String {
    let height = 48.0 + values.len() as f64 * (BAR + 6.0);
    let largest = values.iter().map(|(_, value)| *value).fold(0.0, f64::max);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" font-family=\"sans-serif\" font-size=\"13\">\n\
         <rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n<text x=\"10\" y=\"22\" font-size=\"15\">{title} ({unit}, shorter is better)</text>\n"
    );
    for (index, (name, value)) in values.iter().enumerate() {
        let top = 36.0 + index as f64 * (BAR + 6.0);
        let length = (value / largest * (WIDTH - LABELS - 80.0)).max(1.0);
        let fill = if name.starts_with("haft") { "#1f5fa8" } else { "#b8c4d0" };
        let name = name.replace('`', "").replace('<', "&lt;").replace('>', "&gt;");
        let middle = top + BAR - 5.0;
        let _ = writeln!(
            svg,
            "<text x=\"{}\" y=\"{middle}\" text-anchor=\"end\">{name}</text>\
             <rect x=\"{LABELS}\" y=\"{top}\" width=\"{length:.1}\" height=\"{BAR}\" fill=\"{fill}\"/>\
             <text x=\"{:.1}\" y=\"{middle}\">{value:.1}</text>",
            LABELS - 8.0,
            LABELS + length + 6.0,
        );
    }
    svg.push_str("</svg>\n");
    svg
}
