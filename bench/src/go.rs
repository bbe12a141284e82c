//! Go's `runtime/cgo.Handle`, where a Go toolchain is found: `HAFT_GO` (paths of `go` programs, separated as in `PATH`), or `go` in `PATH`.

use crate::harness::{Sampler, Samplers};
use crate::scale::Scale;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What the parent has built, for its children: lines of names and programs.
const BUILT: &str = "HAFT_BENCH_GO";

/// Builds the benchmark with each toolchain; says which cannot. Gives what children must have in their environment.
pub fn build(root: &Path, folder: &Path) -> (&'static str, String) {
    let found = std::env::var_os("HAFT_GO");
    let programs: Vec<PathBuf> =
        found.map_or(vec!["go".into()], |paths| std::env::split_paths(&paths).collect());
    let one = |(number, program): (usize, &PathBuf)| {
        let target = folder.join(format!("go-{number}.test"));
        match built(root, folder, program, &target) {
            Ok(version) => Some(format!("Go {version} `cgo.Handle`\t{}\n", target.display())),
            Err(why) => {
                eprintln!("Go is not measured with `{}` (see HAFT_GO): {why}", program.display());
                None
            }
        }
    };
    (BUILT, programs.iter().enumerate().filter_map(one).collect())
}

/// Builds with one toolchain. Gives its version.
fn built(root: &Path, folder: &Path, program: &Path, target: &Path) -> Result<String, String> {
    let mut go = Command::new(program);
    go.current_dir(root.join("benches/go"))
        .env("CGO_ENABLED", "1")
        .env("GOTOOLCHAIN", "local")
        .env("GOCACHE", folder.join("go-cache"))
        .env("GOFLAGS", "")
        .args(["test", "-c", "-o"])
        .arg(target)
        .arg(".");
    let output = go.output().map_err(|error| error.to_string())?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).trim().to_string());
    }
    let version = Command::new(program).arg("version").output().map_err(|error| error.to_string())?;
    let version = String::from_utf8_lossy(&version.stdout);
    Ok(version.split_whitespace().nth(2).unwrap_or("?").trim_start_matches("go").to_string())
}

/// A row for each toolchain. For each column the benchmark's name and the threads that run it; no name where there is none.
pub fn samplers(scale: &Scale, columns: &[(&'static str, u32)]) -> Samplers {
    let built = std::env::var(BUILT).unwrap_or_default();
    // Longer than for others: the collector's work is part of the cost, and must come by.
    let length = format!("{}us", (scale.sample * 5).as_micros());
    let row = |line: &str| {
        let (name, program) = line.split_once('\t').expect("a name and a program");
        let (program, columns, length) = (program.to_string(), columns.to_vec(), length.clone());
        let sampler: Sampler =
            Box::new(move || columns.iter().map(|column| run(&program, *column, &length)).collect());
        // Leaked: a child has few of them.
        (&*name.to_string().leak(), Some(sampler))
    };
    built.lines().map(row).collect()
}

fn run(program: &str, (name, threads): (&str, u32), length: &str) -> Option<f64> {
    if name.is_empty() {
        return None;
    }
    let output = Command::new(program)
        .arg("-test.run=^$")
        .arg(format!("-test.bench=^Benchmark{name}$"))
        .arg(format!("-test.cpu={threads}"))
        .arg(format!("-test.benchtime={length}"))
        .output()
        .expect("the Go benchmark runs");
    let text = String::from_utf8_lossy(&output.stdout);
    let words: Vec<&str> = text.split_whitespace().collect();
    let unit = words.iter().position(|word| *word == "ns/op");
    let figure = unit.and_then(|unit| words[unit - 1].parse::<f64>().ok());
    // The benchmark divides by the operations of all threads, where they run at once.
    let parallel = if name.ends_with("Parallel") { f64::from(threads) } else { 1.0 };
    Some(figure.unwrap_or_else(|| panic!("no figure in: {text}")) * parallel)
}
