//! haft for a given time: every operation on every kind of thread, on values that know their state, and a final account.
//!
//! `cargo run --release -p soak -- --seconds 30 --threads 6`
//!
//! `--plant race`, `leak` or `use-after-free` does that and nothing else: whoever runs this under a sanitizer can see that it would be found.

#![allow(dropping_copy_types)]

mod account;
mod planted;
mod threads;
mod values;
mod work;

use std::io::{IsTerminal, Write};
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

struct Options {
    seconds: u64,
    threads: usize,
    planted: Option<String>,
}

fn options() -> Result<Options, lexopt::Error> {
    use lexopt::prelude::*;
    let mut options = Options { seconds: 30, threads: 6, planted: None };
    let mut arguments = lexopt::Parser::from_env();
    while let Some(argument) = arguments.next()? {
        match argument {
            Long("seconds") => options.seconds = arguments.value()?.parse()?,
            Long("threads") => options.threads = arguments.value()?.parse()?,
            Long("plant") => options.planted = Some(arguments.value()?.string()?),
            _ => return Err(argument.unexpected()),
        }
    }
    Ok(options)
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let options = options().map_err(|error| format!("{error}\nusage: soak [--seconds 30] [--threads 6]"))?;
    if let Some(fault) = options.planted {
        return planted::plant(&fault).map_err(Into::into);
    }
    work::silence_expected_panics();
    let begun = Instant::now();
    let threads: Vec<_> = (0..options.threads).map(threads::start).collect();
    let end = begun + Duration::from_secs(options.seconds);
    while Instant::now() < end {
        std::thread::sleep(Duration::from_millis(500).min(end - Instant::now()));
        progress(begun);
    }
    threads::STOP.store(true, Relaxed);
    for thread in threads {
        thread.join().map_err(|_| "a thread panicked")?;
    }
    account(begun)
}

fn progress(begun: Instant) {
    let (operations, issued, _) = work::counts();
    let line = format!(
        "{:>5.0} s  {operations} operations  {issued} handles issued  {} threads started",
        begun.elapsed().as_secs_f64(),
        threads::started()
    );
    let mut out = std::io::stderr();
    // In a file, now and then a line.
    let _ = match out.is_terminal() {
        true => write!(out, "\r{line}"),
        false if begun.elapsed().as_secs() % 10 == 9 && begun.elapsed().subsec_millis() < 500 => {
            writeln!(out, "{line}")
        }
        false => Ok(()),
    };
}

/// Created is dropped and live, to the last one; and haft counts the same.
fn account(begun: Instant) -> Result<(), Box<dyn std::error::Error>> {
    let forgotten = work::end();
    let (created, dropped, live) = account::totals();
    let (operations, issued, _) = work::counts();
    let stats = haft::stats();
    println!(
        "\n{operations} operations by {} threads in {:.0} s, {issued} handles issued",
        threads::started(),
        begun.elapsed().as_secs_f64()
    );
    println!(
        "values: {created} created = {dropped} dropped + {live} live ({forgotten} guards were leaked on purpose)"
    );
    println!(
        "haft:   {} created, {} removed, {} live, {} held",
        stats.created, stats.removed, stats.live, stats.deferred
    );
    println!(
        "        {} pages of {} bytes, {} shards, {} records",
        stats.pages, stats.bytes, stats.shards, stats.records
    );
    let checks = [
        ("every value is dropped, or kept by a leaked guard", created == dropped + live && live == forgotten),
        ("haft counts the same handles", stats.created == issued && stats.removed == issued),
        (
            "nothing is live, and what is held is what was leaked",
            (stats.live, stats.deferred as u64) == (0, forgotten),
        ),
    ];
    for (what, holds) in checks {
        println!("{}: {what}", if holds { "ok" } else { "BROKEN" });
    }
    match checks.iter().all(|(_, holds)| *holds) {
        true => Ok(()),
        false => Err("the account does not balance".into()),
    }
}
