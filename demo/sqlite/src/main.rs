//! SQLite calling back into Rust by handle, from several threads; then every mistake, and a leak report.

mod checks;
mod functions;
mod leaks;
mod misuse;
mod sqlite;

use checks::{Checks, Expected, FIRST};
use clap::Parser;
use functions::Engine;
use haft::Handle;
use indicatif::{ProgressBar, ProgressStyle};
use sqlite::{Connection, Result};
use std::path::Path;
use std::process::ExitCode;
use std::sync::atomic::Ordering;
use std::time::Instant;

/// SQLite calls Rust objects by haft handles, from several threads.
#[derive(Parser)]
struct Arguments {
    /// Rows of the table.
    #[arg(long, default_value_t = 400_000, value_parser = clap::value_parser!(i64).range(1..))]
    rows: i64,
    /// Threads, each with a connection of its own.
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(i64).range(1..=256))]
    threads: i64,
}

/// Rows per transaction.
const BATCH: usize = 2_000;

fn main() -> ExitCode {
    let Arguments { rows, threads } = Arguments::parse();
    let mut checks = Checks::default();
    let before = haft::leaks();
    if let Err(error) = work(rows, threads, &mut checks) {
        checks.check(error.to_string(), false);
    }
    leaks::compare(&before, &mut checks);
    heading("Every mistake, and what it is told");
    misuse::run(&mut checks);
    heading("Three leaks, the report, and the difference of two");
    leaks::run(&mut checks);
    if checks.conclude() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn heading(text: &str) {
    println!("\n== {text} ==");
}

fn bar(length: u64, what: &'static str) -> ProgressBar {
    let style =
        ProgressStyle::with_template("  {msg:<10} [{bar:40}] {human_pos}/{human_len} rows, {elapsed}")
            .expect("a valid template")
            .progress_chars("=> ");
    ProgressBar::new(length).with_style(style).with_message(what)
}

/// Runs a closure on each thread; the checks of all of them.
fn on_each(threads: i64, work: impl Fn(i64, &mut Checks) -> Result<()> + Sync) -> Checks {
    let mut all = Checks::default();
    std::thread::scope(|scope| {
        let work = &work;
        let running: Vec<_> = (0..threads)
            .map(|part| {
                scope.spawn(move || {
                    let mut checks = Checks::default();
                    let result = work(part, &mut checks);
                    checks.check(format!("thread {part}: {result:?}"), result.is_ok());
                    checks
                })
            })
            .collect();
        for thread in running {
            match thread.join() {
                Ok(checks) => all.absorb(checks),
                Err(_) => all.check("a thread panicked", false),
            }
        }
    });
    all
}

fn work(rows: i64, threads: i64, checks: &mut Checks) -> std::result::Result<(), Box<dyn std::error::Error>> {
    let directory = tempfile::tempdir()?;
    let path = directory.path().join("demo.db");
    let engine = Handle::new(Engine::new());
    Connection::open(&path)?
        .execute("CREATE TABLE items (id INTEGER PRIMARY KEY, grp INTEGER, amount INTEGER, name TEXT)")?;

    heading(&format!("Loading {rows} rows from {threads} threads"));
    let progress = bar(rows as u64, "loading");
    checks.absorb(on_each(threads, |part, _| load(&path, rows, part, threads, &progress)));
    progress.finish();

    heading("Querying through Rust functions");
    let progress = bar(3 * rows as u64, "querying");
    let begun = Instant::now();
    checks.absorb(on_each(threads, |part, checks| {
        query(&path, engine, rows, part, threads, &progress, checks)
    }));
    let seconds = begun.elapsed().as_secs_f64();
    progress.finish();

    let engine = engine.take()?.ok_or("the engine is still in use")?;
    let count = |counter: &std::sync::atomic::AtomicU64| counter.load(Ordering::Relaxed);
    let total_rows = rows as u64;
    checks.equal("score was called once for each row", count(&engine.scored), total_rows);
    checks.equal("spread was stepped once for each row", count(&engine.stepped), total_rows);
    checks.check("every group was finished", count(&engine.finished) > 0);
    checks.equal("each thread's three queries were traced", count(&engine.traced), 3 * threads as u64);
    checks.check("the collation was used", rows < 2 * threads || count(&engine.compared) > 0);
    checks.equal("no callback failed", count(&engine.failed), 0);
    // Each call looks up its own object and the engine; a step of the aggregate its group as well.
    let calls = [&engine.scored, &engine.stepped, &engine.finished, &engine.compared, &engine.traced];
    let calls: u64 = calls.into_iter().map(count).sum();
    let lookups = 2 * calls + count(&engine.stepped);
    println!("  {} calls from C, {} lookups by handle", separated(calls), separated(lookups));
    println!(
        "  {} calls per second, the work of SQLite included",
        separated((calls as f64 / seconds) as u64)
    );

    let stats = haft::stats();
    println!("  handles: {} created, {} removed, {} live", stats.created, stats.removed, stats.live);
    checks.equal("SQLite destroyed every object", stats.live, 0);
    Ok(())
}

fn load(path: &Path, rows: i64, part: i64, parts: i64, progress: &ProgressBar) -> Result<()> {
    let connection = Connection::open(path)?;
    let insert = connection.prepare("INSERT INTO items (id, grp, amount, name) VALUES (?, ?, ?, ?)")?;
    let mut rows = checks::rows(rows, part, parts).peekable();
    while rows.peek().is_some() {
        connection.execute("BEGIN IMMEDIATE")?;
        for row in rows.by_ref().take(BATCH) {
            insert.run(&[row.id, row.group, row.amount], &row.name)?;
            progress.inc(1);
        }
        connection.execute("COMMIT")?;
    }
    Ok(())
}

fn query(
    path: &Path,
    engine: Handle<Engine>,
    rows: i64,
    part: i64,
    parts: i64,
    progress: &ProgressBar,
    checks: &mut Checks,
) -> Result<()> {
    let Expected { score, spreads, first } = match engine.get() {
        Ok(engine) => checks::expected(&engine, rows, part, parts),
        Err(error) => return Err(sqlite::Error(error.to_string())),
    };
    let mine = checks::rows(rows, part, parts).count() as u64;
    let connection = Connection::open(path)?;
    let tracer = functions::register(&connection, engine)?;
    let own = format!("FROM items WHERE id % {parts} = {part}");

    let sum = connection.query(&format!("SELECT sum(score(name, amount)) {own}"), |row| row.number(0))?;
    checks.equal("the sum of the scores", sum, vec![score]);
    progress.inc(mine);
    let sql = format!("SELECT grp, spread(amount) {own} GROUP BY grp ORDER BY grp");
    let found = connection.query(&sql, |row| (row.number(0), row.number(1)))?;
    checks.equal("the spread of each group", found, spreads);
    progress.inc(mine);
    let sql = format!("SELECT name {own} ORDER BY name COLLATE backwards LIMIT {FIRST}");
    let found = connection.query(&sql, |row| row.text(0))?;
    checks.equal("the order of the collation", found, first);
    progress.inc(mine);

    connection.trace(None, std::ptr::null_mut())?;
    checks.check("the tracer was alive until the end", tracer.remove().is_ok());
    // Closing the connection destroys the other three.
    Ok(())
}

/// A number with separators.
fn separated(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}
