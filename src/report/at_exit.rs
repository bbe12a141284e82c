//! The report at the end of the process, by a call or by an environment variable.

use super::leaks::{LeakReport, leaks};
use crate::raw::at_exit;
use std::borrow::Cow;
use std::ffi::OsString;
use std::io::Write;
use std::panic::catch_unwind;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

/// Prints the leak report on standard error when the process ends. Calling it again changes nothing.
///
/// It comes when `main` returns or somebody calls `exit`, after whatever was registered later to be done then. Threads that still run go on, and what
/// they have is in the report. Nothing is printed after a signal, an abort or `_exit`. On systems that are not Unix it does nothing.
///
/// The environment variable `HAFT_REPORT` does the same without a change to the program, also where C uses haft as a shared library. It is read before the first
/// handle is created, and decides where both are given:
///
/// | `HAFT_REPORT` | |
/// |---|---|
/// | unset, empty, `0` | nothing |
/// | `1` | the report as text, on standard error |
/// | `json` | the report as a line of JSON ([`LeakReport::to_json`]), on standard error |
/// | a path, with a `/` or `.` in it | the report goes to that file, as JSON where the name ends in `.json`; `%p` stands for the number of the process |
///
/// A process that runs with more rights than the user who started it does not look at the variable.
///
/// ```
/// haft::report_at_exit();
/// ```
pub fn report_at_exit() {
    at_exit::first_use();
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
        path if path.contains(['/', '.']) => {
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
            let path = numbered(path);
            if let Err(error) = std::fs::write(&path, text) {
                complain(&format!("the report could not be written to {}: {error}", path.display()));
            }
        }
    }
}

/// The path with the number of this process put in: now and not earlier, since a fork changes it.
fn numbered(path: &Path) -> Cow<'_, Path> {
    match path.to_str() {
        Some(text) if text.contains("%p") => {
            Cow::Owned(text.replace("%p", &std::process::id().to_string()).into())
        }
        _ => Cow::Borrowed(path),
    }
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

    #[cfg(unix)]
    #[test]
    fn a_path_need_not_be_text() {
        use std::os::unix::ffi::OsStringExt;
        let path = OsString::from_vec(b"/tmp/\xff".to_vec());
        assert_eq!(parse(path.clone()), Ok(Some(Plan { json: false, path: Some(path.into()) })));
    }
}
