//! Timing: samples of a given length, on one thread or several, in rounds in which all take turns.

use crate::scale::Scale;
use crate::table::{Row, Table};
use std::time::{Duration, Instant};

/// Gives one sample: nanoseconds per operation, one figure per column; `None` where the peer cannot do that.
pub type Sampler = Box<dyn FnMut() -> Vec<Option<f64>>>;

/// The peers' names and their samplers; `None` where a peer cannot take part.
pub type Samplers = Vec<(&'static str, Option<Sampler>)>;

/// How often the work must be done to fill a sample.
pub fn calibrate(length: Duration, mut run: impl FnMut(u32) -> f64) -> u32 {
    let wanted = length.as_nanos() as f64;
    let mut count = 16_u32;
    loop {
        let taken = run(count) * f64::from(count);
        if taken >= wanted / 4.0 || count >= u32::MAX / 8 {
            return (f64::from(count) * (wanted / taken)).clamp(1.0, 4e9) as u32;
        }
        count *= 4;
    }
}

/// The work on this thread alone: nanoseconds per operation.
pub fn alone(count: u32, work: impl Fn(u32)) -> f64 {
    let begun = Instant::now();
    work(count);
    begun.elapsed().as_nanos() as f64 / f64::from(count)
}

pub fn mean(figures: &[f64]) -> f64 {
    figures.iter().sum::<f64>() / figures.len() as f64
}

/// Runs the samplers in rounds. The first round warms up; each further one begins with another peer.
pub fn take_turns(id: &str, columns: &[&str], scale: &Scale, samplers: Samplers) -> Table {
    let mut samplers: Vec<(&str, Sampler)> =
        samplers.into_iter().filter_map(|(name, sampler)| Some((name, sampler?))).collect();
    let mut rows: Vec<Row> = samplers.iter().map(|(name, _)| Row::new(name, columns.len())).collect();
    for round in 0..=scale.rounds {
        for turn in 0..samplers.len() {
            let peer = (turn + round * 5) % samplers.len();
            let figures = samplers[peer].1();
            assert_eq!(figures.len(), columns.len(), "{}: {id}", samplers[peer].0);
            if round > 0 {
                for (cell, figure) in rows[peer].cells.iter_mut().zip(figures) {
                    cell.extend(figure);
                }
            }
        }
    }
    Table::new(id, columns, rows)
}
