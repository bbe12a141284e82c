//! The picture.

use crate::history::{Group, History};
use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Style, Stylize};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Paragraph, Sparkline};

/// Lines for each group.
const HEIGHT: u16 = 2;

pub(crate) fn draw(frame: &mut Frame<'_>, history: &History) {
    let [head, body] = Layout::vertical([Constraint::Length(4), Constraint::Min(0)]).areas(frame.area());
    frame.render_widget(
        summary(history).block(Block::bordered().title(" haft top ").title_bottom(" q quits ")),
        head,
    );
    let room = body.height / HEIGHT;
    let places = Layout::vertical(vec![Constraint::Length(HEIGHT); room.into()]).split(body);
    for (group, place) in history.groups().into_iter().zip(places.iter()) {
        row(frame, group, *place);
    }
}

fn summary(history: &History) -> Paragraph<'_> {
    let stats = &history.stats;
    let number = |value: String| Span::from(value).bold();
    let held = number(history.held.to_string());
    Paragraph::new(vec![
        Line::from(vec![
            number(stats.live.to_string()),
            " live, ".into(),
            if history.held > 0 { held.red() } else { held },
            " removed and held; ".into(),
            number(format!("{:.0}", history.rates.0)),
            " created and ".into(),
            number(format!("{:.0}", history.rates.1)),
            " removed per second".into(),
        ]),
        Line::from(vec![
            number(stats.shards.to_string()),
            " shards, ".into(),
            number(stats.records.to_string()),
            " threads at once, ".into(),
            number(stats.pages.to_string()),
            " pages, ".into(),
            number(format!("{} KiB", stats.bytes / 1024)),
        ]),
    ])
}

/// How many, how that changed, who made them.
fn row(frame: &mut Frame<'_>, group: &Group, area: Rect) {
    let widths =
        [Constraint::Length(8), Constraint::Percentage(40), Constraint::Length(8), Constraint::Min(20)];
    let [count, past, word, who] = Layout::horizontal(widths).spacing(1).areas(area);
    let colour = if group.grows() { Color::Red } else { Color::Cyan };

    let now = group.counts.back().copied().unwrap_or(0);
    frame.render_widget(Paragraph::new(now.to_string()).right_aligned().bold(), count);
    // As many looks as there is room for, the latest at the right.
    let shown = group.counts.len().min(past.width.into());
    let latest: Vec<u64> = group.counts.iter().skip(group.counts.len() - shown).copied().collect();
    let empty = usize::from(past.width) - shown;
    let bars = std::iter::repeat_n(0, empty).chain(latest);
    frame.render_widget(Sparkline::default().data(bars).style(Style::new().fg(colour)), past);
    if group.grows() {
        frame.render_widget(Paragraph::new("grows").red().bold(), word);
    }
    let place =
        group.leak.created_at.map_or_else(|| "(no line recorded)".to_owned(), |site| site.to_string());
    let mut lower = vec![Span::from(place).dim()];
    if group.leak.deferred > 0 {
        lower.push(format!("  {} held by {}", group.leak.deferred, group.leak.holders).red());
    }
    frame.render_widget(Paragraph::new(vec![Line::from(group.leak.type_name), Line::from(lower)]), who);
}
