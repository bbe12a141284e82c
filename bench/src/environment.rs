//! Where and with what a section was measured.

use serde::{Deserialize, Serialize};
use std::path::Path;
use std::process::Command;

#[derive(Serialize, Deserialize, Clone, PartialEq, Eq)]
pub struct Environment {
    pub date: String,
    pub commit: String,
    pub compiler: String,
    pub system: String,
    pub processor: String,
    pub processors: usize,
    /// Peers and their versions, from Cargo.lock.
    pub versions: String,
    pub runs: usize,
    pub rounds: usize,
}

const PEERS: [&str; 10] = [
    "concurrent-slotmap",
    "dashmap",
    "ffi-support",
    "haft",
    "idr-ebr",
    "papaya",
    "scc",
    "sharded-slab",
    "slab",
    "slotmap",
];

fn output(program: &str, arguments: &[&str]) -> Option<String> {
    let output =
        Command::new(program).args(arguments).output().ok().filter(|output| output.status.success())?;
    Some(String::from_utf8_lossy(&output.stdout).trim().to_string())
}

/// The value of the first such line of a file of keys and values.
fn line_of(file: &str, key: &str, between: char) -> Option<String> {
    let text = std::fs::read_to_string(file).ok()?;
    let (_, value) =
        text.lines().filter_map(|line| line.split_once(between)).find(|(name, _)| name.trim() == key)?;
    Some(value.trim().trim_matches('"').to_string())
}

fn versions(lock: &str) -> String {
    let version = |name: &str| {
        let package =
            lock.split("[[package]]").find(|package| package.contains(&format!("\nname = \"{name}\"\n")))?;
        package
            .lines()
            .find_map(|line| Some(line.strip_prefix("version = \"")?.trim_end_matches('"').to_string()))
    };
    let named = PEERS.iter().map(|name| format!("{name} {}", version(name).unwrap_or("(not found)".into())));
    named.collect::<Vec<_>>().join(", ")
}

/// What the processor is called, and which it is: those of one name can differ much.
fn processor() -> Option<String> {
    let of = |key| line_of("/proc/cpuinfo", key, ':');
    let number = |key| of(key).map(|number| format!(" {key} {number}")).unwrap_or_default();
    Some(format!("{},{}{}", of("model name")?, number("cpu family"), number("model")))
}

impl Environment {
    pub fn now(root: &Path, runs: usize, rounds: usize) -> Self {
        let unknown = || "unknown".to_string();
        let git = |arguments: &[&str]| output("git", &[&["-C", &root.to_string_lossy()], arguments].concat());
        // Only what is compiled counts.
        let changed =
            git(&["status", "--porcelain", "--", "src", "bench", "benches", "Cargo.lock", "Cargo.toml"])
                .is_some_and(|text| text.lines().any(|line| !line.contains("benches/charts/")));
        let commit = git(&["rev-parse", "--short", "HEAD"]).unwrap_or_else(unknown);
        let system = line_of("/etc/os-release", "PRETTY_NAME", '=').unwrap_or_else(unknown);
        Self {
            date: output("date", &["-u", "+%Y-%m-%d"]).unwrap_or_else(unknown),
            commit: if changed { format!("{commit}, with changes that are not committed") } else { commit },
            compiler: output("rustc", &["--version"]).unwrap_or_else(unknown),
            system: format!("{system}, Linux {}", output("uname", &["-r"]).unwrap_or_else(unknown)),
            processor: processor().unwrap_or_else(unknown),
            processors: std::thread::available_parallelism().map_or(0, usize::from),
            versions: versions(&std::fs::read_to_string(root.join("Cargo.lock")).unwrap_or_default()),
            runs,
            rounds,
        }
    }

    /// In one line.
    pub fn line(&self) -> String {
        let Self { date, commit, compiler, processor, processors, runs, rounds, .. } = self;
        let compiler = compiler.split(" (").next().unwrap_or(compiler);
        format!(
            "{date}, commit {commit}, {compiler}, {processors} processors ({processor}), {runs} runs of {rounds} rounds"
        )
    }
}
