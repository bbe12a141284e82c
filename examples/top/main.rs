//! Live handles as they come and go: a small terminal view of a workload in this very process, with a slow leak to be found.
//!
//! `cargo run --release --example top` shows it until `q` is pressed; with `--frames 12` it takes so many looks without a terminal and prints the last.

mod history;
mod view;
mod workload;

use history::History;
use ratatui::Terminal;
use ratatui::backend::{Backend, TestBackend};
use ratatui::crossterm::event::{self, Event, KeyCode, KeyModifiers};
use std::io::{self, IsTerminal};
use std::process::ExitCode;
use std::time::{Duration, Instant};

/// Between two looks.
const EVERY: Duration = Duration::from_millis(250);

/// How many looks to take without a terminal; `None` for a terminal.
fn frames() -> Result<Option<usize>, String> {
    let mut arguments = std::env::args().skip(1);
    match (arguments.next().as_deref(), arguments.next(), arguments.next()) {
        (None, None, None) => Ok(None),
        (Some("--frames"), Some(count), None) => match count.parse() {
            Ok(count) if count > 0 => Ok(Some(count)),
            _ => Err(format!("--frames {count}: a number from 1 is wanted")),
        },
        _ => Err("usage: top [--frames COUNT]".into()),
    }
}

fn main() -> ExitCode {
    let frames = match frames() {
        Ok(frames) => frames,
        Err(error) => {
            eprintln!("{error}");
            return ExitCode::from(2);
        }
    };
    if frames.is_none() && !io::stdout().is_terminal() {
        eprintln!("this is no terminal; `--frames 12` needs none");
        return ExitCode::from(2);
    }
    workload::start();
    if let Some(frames) = frames {
        print(frames);
        return ExitCode::SUCCESS;
    }
    match ratatui::run(watch) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("the terminal does not work: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Shows what happens until somebody quits.
fn watch<B: Backend<Error = io::Error>>(terminal: &mut Terminal<B>) -> io::Result<()> {
    let mut history = History::default();
    loop {
        history.look();
        terminal.draw(|frame| view::draw(frame, &history))?;
        let next = Instant::now() + EVERY;
        while event::poll(next.saturating_duration_since(Instant::now()))? {
            match event::read()? {
                Event::Key(key) if matches!(key.code, KeyCode::Char('q') | KeyCode::Esc) => return Ok(()),
                Event::Key(key)
                    if key.code == KeyCode::Char('c') && key.modifiers.contains(KeyModifiers::CONTROL) =>
                {
                    return Ok(());
                }
                Event::Resize(..) => terminal.draw(|frame| view::draw(frame, &history)).map(drop)?,
                _ => {}
            }
        }
    }
}

/// Takes so many looks and prints the last.
fn print(frames: usize) {
    let mut history = History::default();
    let mut terminal = Terminal::new(TestBackend::new(110, 24)).expect("memory always works");
    for frame in 0..frames {
        if frame > 0 {
            std::thread::sleep(EVERY);
        }
        history.look();
        terminal.draw(|frame| view::draw(frame, &history)).expect("memory always works");
    }
    let buffer = terminal.backend().buffer();
    for line in buffer.content().chunks(buffer.area.width.into()) {
        let line: String = line.iter().map(ratatui::buffer::Cell::symbol).collect();
        println!("{}", line.trim_end());
    }
}
