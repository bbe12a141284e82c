//! The report at the end of the process, by a call or by an environment variable.

use super::leaks::{LeakReport, leaks};
use crate::raw::at_exit;
use std::ffi::OsString;
use std::io::{ErrorKind, Write};
use std::panic::catch_unwind;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

/// Prints the leak report on standard error when the process ends. Calling it again changes nothing.
///
/// It comes when `main` returns or somebody calls `exit`, after whatever was registered later to be done then. Threads that still run go on, and what
/// they have is in the report. Nothing is printed after a signal, an abort or `_exit`.
///
/// On Windows, [`std::process::exit`] ends the process without asking the C runtime, so then
/// nothing is printed; and the main thread's thread-local values are destroyed after the report.
/// (With musl they never are.) On systems that are neither Unix nor Windows it does nothing.
///
/// The environment variable `HAFT_REPORT` does the same without a change to the program, also where C uses haft as a shared library. It is read before the first
/// handle is created, and decides where both are given:
///
/// | `HAFT_REPORT` | |
/// |---|---|
/// | unset, empty, `0` | nothing |
/// | `1` | the report as text, on standard error |
/// | `json` | the report as a line of JSON ([`LeakReport::to_json`]), on standard error |
/// | a path, with a `/` or `.` in it (on Windows also a `\`) | the report goes to that file, as JSON where the name ends in `.json`; `%p` stands for the number of the process. A second copy of haft in the process finds that file, and writes to one with `-2` at the end of its name |
///
/// A process that runs with more rights than the user who started it does not look at the variable.
///
/// ```
/// haft::report_at_exit();
/// ```
pub fn report_at_exit() {
    at_exit::first_use(ask_environment);
    plan(Plan { json: false, path: None });
}

/// What to do at the end.
#[derive(Debug, PartialEq, Eq)]
struct Plan {
    json: bool,
    /// Where to; standard error if there is none.
    path: Option<PathBuf>,
}

static PLAN: OnceLock<Plan> = OnceLock::new();

fn plan(plan: Plan) {
    if PLAN.set(plan).is_ok() {
        at_exit::at_exit(run);
    }
}

/// Looks at the environment variable.
pub(crate) fn ask_environment() {
    let Some(value) = std::env::var_os("HAFT_REPORT").filter(|_| !at_exit::is_privileged()) else {
        return;
    };
    match parse(value) {
        Ok(Some(wanted)) => plan(wanted),
        Ok(None) => {}
        Err(value) => {
            complain(&format!("HAFT_REPORT={value:?} is not known: use 1, json, or a path with a / or ."))
        }
    }
}

/// What the variable says: `Ok(None)` where it asks for nothing.
fn parse(value: OsString) -> Result<Option<Plan>, OsString> {
    let text = value.to_string_lossy();
    match &*text {
        "" | "0" => Ok(None),
        "1" => Ok(Some(Plan { json: false, path: None })),
        "json" => Ok(Some(Plan { json: true, path: None })),
        path if path.contains(|next| next == '.' || std::path::is_separator(next)) => {
            let json = path.ends_with(".json");
            Ok(Some(Plan { json, path: Some(value.into()) }))
        }
        _ => Err(value),
    }
}

/// The process ends. Thread-local values are gone already, and other threads may be running.
extern "C" fn run() {
    // Whatever happens, ending goes on.
    let _ = catch_unwind(|| {
        if let Some(plan) = PLAN.get() {
            print(plan, &leaks());
        }
    });
}

fn print(Plan { json, path }: &Plan, report: &LeakReport) {
    let end = format!("haft: at the end of process {}: ", std::process::id());
    let text = match (json, path) {
        (true, _) => report.to_json() + "\n",
        (false, Some(_)) => format!("{end}{report}"),
        (false, None) => end + &for_stderr(report),
    };
    match path {
        None => {
            let _ = std::io::stderr().write_all(text.as_bytes());
        }
        Some(path) => {
            if let Err(error) = write(path, text.as_bytes()) {
                complain(&format!("the report could not be written to {}: {error}", path.display()));
            }
        }
    }
}

/// Writes to the path, or to one with the number of this process put in: now and not earlier, since a fork
/// changes it. What another copy of haft has written there stays.
fn write(path: &Path, text: &[u8]) -> std::io::Result<()> {
    let Some(name) = path.to_str().filter(|name| name.contains("%p")) else {
        return std::fs::write(path, text);
    };
    let path = PathBuf::from(name.replace("%p", &std::process::id().to_string()));
    let mut result = create(&path, text);
    for copy in 2..=COPIES {
        match &result {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                let mut name = path.file_stem().unwrap_or_default().to_owned();
                name.push(format!("-{copy}"));
                if let Some(extension) = path.extension() {
                    name.push(".");
                    name.push(extension);
                }
                result = create(&path.with_file_name(name), text);
            }
            _ => break,
        }
    }
    result
}

/// Copies of haft that a process can have, as far as reports go.
const COPIES: u32 = 100;

fn create(path: &Path, text: &[u8]) -> std::io::Result<()> {
    std::fs::OpenOptions::new().write(true).create_new(true).open(path)?.write_all(text)
}

fn for_stderr(report: &LeakReport) -> String {
    #[cfg(feature = "table")]
    if std::io::IsTerminal::is_terminal(&std::io::stderr()) {
        return report.table(&std::io::stderr());
    }
    report.to_string()
}

fn complain(what: &str) {
    let _ = writeln!(std::io::stderr(), "haft: {what}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_variable_asks_for_nothing_text_json_or_a_file() {
        let plan = |text: &str| parse(text.into());
        let some = |json, path: Option<&str>| Ok(Some(Plan { json, path: path.map(Into::into) }));
        assert_eq!(plan(""), Ok(None));
        assert_eq!(plan("0"), Ok(None));
        assert_eq!(plan("1"), some(false, None));
        assert_eq!(plan("json"), some(true, None));
        assert_eq!(plan("leaks.txt"), some(false, Some("leaks.txt")));
        assert_eq!(plan("/tmp/leaks"), some(false, Some("/tmp/leaks")));
        assert_eq!(plan("./leaks.json"), some(true, Some("./leaks.json")));
        assert_eq!(plan("./leaks-%p.json"), some(true, Some("./leaks-%p.json")));
        assert_eq!(plan("true"), Err("true".into()));
    }

    #[test]
    fn the_reports_of_two_copies_in_one_process_are_both_there() {
        let folder = std::env::temp_dir().join(format!("haft-reports-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        for text in ["one", "two", "three"] {
            write(&folder.join("r-%p.v1.json"), text.as_bytes()).unwrap();
        }
        write(&folder.join("same"), b"one").unwrap();
        write(&folder.join("same"), b"two").unwrap();
        let pid = std::process::id();
        let read = |name: String| std::fs::read_to_string(folder.join(name)).unwrap();
        assert_eq!(read(format!("r-{pid}.v1.json")), "one");
        assert_eq!(read(format!("r-{pid}.v1-2.json")), "two");
        assert_eq!(read(format!("r-{pid}.v1-3.json")), "three");
        assert_eq!(read("same".to_owned()), "two");
        std::fs::remove_dir_all(&folder).unwrap();
    }

    #[cfg(windows)]
    #[test]
    fn a_path_of_windows_is_one() {
        let path = OsString::from("C:\\leaks");
        assert_eq!(parse(path.clone()), Ok(Some(Plan { json: false, path: Some(path.into()) })));
    }

    #[cfg(unix)]
    #[test]
    fn a_path_need_not_be_text() {
        use std::os::unix::ffi::OsStringExt;
        let path = OsString::from_vec(b"/tmp/\xff".to_vec());
        assert_eq!(parse(path.clone()), Ok(Some(Plan { json: false, path: Some(path.into()) })));
    }
}
