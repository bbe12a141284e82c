//! Counts the instructions of haft's fast paths under callgrind: `cargo run -p haft-instructions`.
//!
//! Compares them with those in `benches/instructions.json`, and fails where one has grown by more than [`ALLOWED`]. With `--renew` it writes that file
//! instead. It needs valgrind, and installs the runner of gungraun in the target directory.
//!
//! The file is a flat list, one record for each path of `benches/paths.rs`:
//!
//! ```json
//! {"path": "handle_get", "instructions": 78.0, "rustc": "rustc 1.95.0 (...)", "target": "x86_64-unknown-linux-gnu"}
//! ```
//!
//! `instructions` is what one operation takes: the difference between 2,000 and 1,000 of them, divided by 1,000. It includes a step of the loop around it, and what
//! a program of several call sites pays for calls. Which instructions there are depends on the compiler and the target, so both are recorded, and figures are
//! compared with those of the same alone.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::{env, fs};

/// The growth that is allowed without new figures being committed. So few instructions are in a path that it is less than one or two of
/// them.
const ALLOWED: f64 = 0.03;

/// The version of gungraun in the manifest: its runner must be the same.
const GUNGRAUN: &str = "0.20.0";

const RENEW: &str = "cargo run -p haft-instructions -- --renew";

/// One path, as it is committed.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
struct Record {
    path: String,
    instructions: f64,
    rustc: String,
    target: String,
}

fn main() -> Result<ExitCode, Box<dyn Error>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let file = root.join("benches/instructions.json");
    let renew = match env::args().nth(1).as_deref() {
        None => false,
        Some("--renew") => true,
        Some(other) => return Err(format!("what is {other}? Only --renew is known").into()),
    };
    let (rustc, target) = compiler()?;
    let counted = count(&root)?;
    let counted: Vec<_> = counted
        .into_iter()
        .map(|(path, instructions)| Record {
            path,
            instructions,
            rustc: rustc.clone(),
            target: target.clone(),
        })
        .collect();
    if renew {
        fs::write(&file, text(&counted)?)?;
        println!("wrote {} paths to benches/instructions.json", counted.len());
        return Ok(ExitCode::SUCCESS);
    }
    let committed: Vec<Record> = serde_json::from_str(&fs::read_to_string(&file)?)?;
    let faults = compare(&committed, &counted);
    faults.iter().for_each(|fault| println!("{fault}"));
    Ok(if faults.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// A record a line, so that a diff shows what has changed.
fn text(records: &[Record]) -> serde_json::Result<String> {
    let lines = records.iter().map(serde_json::to_string).collect::<Result<Vec<_>, _>>()?;
    Ok(format!("[\n{}\n]\n", lines.join(",\n")))
}

/// What is wrong with the new counts; says on the way what has changed.
fn compare(committed: &[Record], counted: &[Record]) -> Vec<String> {
    for (old, new) in committed.iter().zip(counted) {
        if (&old.rustc, &old.target) != (&new.rustc, &new.target) {
            return vec![format!(
                "made with another rustc: renew. The committed figures are by {} for {}; this is {} for {}, whose code has other \
                 instructions, so they say nothing about the change at hand. Check that with the older compiler, and renew in a commit \
                 of its own:\n    {RENEW}",
                old.rustc, old.target, new.rustc, new.target
            )];
        }
    }
    let mut faults = Vec::new();
    for new in counted {
        let Some(old) = committed.iter().find(|old| old.path == new.path) else {
            faults.push(format!("{} is not in the committed file: renew with `{RENEW}`", new.path));
            continue;
        };
        let growth = new.instructions / old.instructions - 1.0;
        println!(
            "{:>16} {:>7.1} instructions, committed {:>7.1} ({:+.1} %)",
            new.path,
            new.instructions,
            old.instructions,
            growth * 100.0
        );
        if new.instructions > old.instructions * (1.0 + ALLOWED) {
            faults.push(format!(
                "{} takes {:.1} instructions, {:.1} % more than the committed {:.1}: make it faster, or say in the commit why it is worth \
                 that, and renew with `{RENEW}`",
                new.path,
                new.instructions,
                growth * 100.0,
                old.instructions
            ));
        } else if new.instructions < old.instructions * (1.0 - ALLOWED) {
            println!("{:>16} is faster: renew with `{RENEW}`, so that it stays so", "");
        }
    }
    let gone = committed.iter().filter(|old| counted.iter().all(|new| new.path != old.path));
    faults.extend(gone.map(|old| format!("{} is not counted any more: renew with `{RENEW}`", old.path)));
    faults
}

/// What the compiler calls itself, and the target.
fn compiler() -> Result<(String, String), Box<dyn Error>> {
    let rustc = env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let version = String::from_utf8(Command::new(rustc).arg("-vV").output()?.stdout)?;
    let name = version.lines().next().ok_or("rustc says nothing")?;
    let host = version.lines().find_map(|line| line.strip_prefix("host: ")).ok_or("rustc names no host")?;
    Ok((name.to_owned(), host.to_owned()))
}

fn cargo() -> Command {
    Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
}

/// Instructions per operation, path by path, in the order of the benchmark.
fn count(root: &Path) -> Result<Vec<(String, f64)>, Box<dyn Error>> {
    let valgrind = Command::new("valgrind").arg("--version").stdout(Stdio::null()).status();
    if !valgrind.is_ok_and(|status| status.success()) {
        return Err("valgrind is not there: install it (`apt-get install valgrind`)".into());
    }
    let output = cargo()
        .current_dir(root)
        .env("GUNGRAUN_RUNNER", runner(root)?)
        .args(["bench", "--package", "haft-instructions", "--bench", "paths", "--"])
        .args(["--output-format=json", "--callgrind-args=--cache-sim=no"])
        .stderr(Stdio::inherit())
        .output()?;
    if !output.status.success() {
        return Err(format!("the benchmark ended with {}", output.status).into());
    }
    per_operation(std::str::from_utf8(&output.stdout)?)
}

/// The runner, installed where it is not yet.
fn runner(root: &Path) -> Result<PathBuf, Box<dyn Error>> {
    let target = env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from);
    let tools = std::path::absolute(target)?.join("tools");
    let installed = cargo()
        // Not optimised: it only starts valgrind.
        .args([
            "install",
            "--quiet",
            "--locked",
            "--debug",
            "gungraun-runner",
            "--version",
            GUNGRAUN,
            "--root",
        ])
        .arg(&tools)
        .status()?;
    if !installed.success() {
        return Err(format!("gungraun-runner {GUNGRAUN} cannot be installed in {}", tools.display()).into());
    }
    Ok(tools.join("bin/gungraun-runner"))
}

/// What gungraun says: a summary a line.
fn per_operation(summaries: &str) -> Result<Vec<(String, f64)>, Box<dyn Error>> {
    let mut order = Vec::new();
    let mut counts: BTreeMap<String, BTreeMap<u64, u64>> = BTreeMap::new();
    for line in summaries.lines().filter(|line| line.starts_with('{')) {
        let summary: serde_json::Value = serde_json::from_str(line)?;
        let path = summary["function_name"].as_str().ok_or("no function")?;
        let instructions = summary["profiles"][0]["data"]["total"]["metrics"]["Ir"]["values"]["new"]
            .as_u64()
            .ok_or_else(|| format!("{path} has no count"))?;
        // `(setup(1000))`
        let description = summary["description"].as_str().ok_or("no description")?;
        let digits: String = description.chars().filter(char::is_ascii_digit).collect();
        if !counts.contains_key(path) {
            order.push(path.to_owned());
        }
        counts.entry(path.to_owned()).or_default().insert(digits.parse()?, instructions);
    }
    if order.is_empty() {
        return Err("gungraun has counted nothing".into());
    }
    let each = order.into_iter().map(|path| {
        let mut sizes = counts[&path].iter();
        let (Some((few, less)), Some((many, more)), None) = (sizes.next(), sizes.next(), sizes.next()) else {
            return Err(format!("{path} was not counted for two numbers of operations").into());
        };
        let difference = more.checked_sub(*less).ok_or("more operations took fewer instructions")?;
        Ok((path, difference as f64 / (many - few) as f64))
    });
    each.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(path: &str, instructions: f64, rustc: &str) -> Record {
        Record { path: path.into(), instructions, rustc: rustc.into(), target: "here".into() }
    }

    #[test]
    fn growth_beyond_what_is_allowed_is_a_fault_and_less_is_not() {
        let old = [record("get", 100.0, "1"), record("remove", 40.0, "1")];
        assert_eq!(compare(&old, &old), [""; 0]);
        assert_eq!(compare(&old, &[record("get", 103.0, "1"), record("remove", 20.0, "1")]), [""; 0]);
        let faults = compare(&old, &[record("get", 103.1, "1"), record("remove", 41.0, "1")]);
        assert_eq!(faults.len(), 1);
        assert!(faults[0].starts_with("get takes 103.1 instructions, 3.1 % more"), "{faults:?}");
    }

    #[test]
    fn paths_that_come_and_go_are_faults() {
        let faults = compare(&[record("get", 1.0, "1")], &[record("remove", 1.0, "1")]);
        assert!(faults[0].starts_with("remove is not in the committed file"), "{faults:?}");
        assert!(faults[1].starts_with("get is not counted any more"), "{faults:?}");
    }

    #[test]
    fn another_compiler_is_told_and_nothing_is_compared() {
        let faults = compare(&[record("get", 1.0, "1")], &[record("get", 2.0, "2")]);
        assert_eq!(faults.len(), 1);
        assert!(faults[0].starts_with("made with another rustc: renew"), "{faults:?}");
    }

    #[test]
    fn the_difference_is_what_operations_take() {
        let line = |setup, count| {
            format!(
                r#"{{"function_name":"get","description":"({setup})","profiles":[{{"data":{{"total":{{"metrics":{{"Ir":{{"values":{{"new":{count}}}}}}}}}}}}}]}}"#
            )
        };
        let both = format!("noise\n{}\n{}\n", line("live(1000)", 7_030), line("live(2000)", 14_030));
        assert_eq!(per_operation(&both).unwrap(), [("get".to_owned(), 7.0)]);
        assert!(per_operation(&line("live(1000)", 7_030)).is_err());
        assert!(per_operation("").is_err());
    }
}
