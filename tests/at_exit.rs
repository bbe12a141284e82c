//! The report at the end of a process, by call and by environment variable. The processes are this program itself, in some role.

#![cfg_attr(not(any(unix, windows)), allow(unused_imports, dead_code))]

mod started;

use haft::{Handle, report_at_exit};
use serde_json::Value;
use std::process::{Command, ExitCode, Output};
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::{env, fs, thread};

struct Forgotten;

/// What a child does; it ends as this says.
fn play(role: &str) -> ExitCode {
    match role {
        "call" => {
            report_at_exit();
            leak(2);
            report_at_exit();
        }
        "silent" => leak(2),
        "clean" => Handle::new(Forgotten).delete(),
        "unused" => {}
        "exit" => {
            leak(3);
            for _ in 0..2 {
                thread::spawn(|| {
                    loop {
                        Handle::new(1_u64).delete();
                    }
                });
            }
            thread::spawn(|| std::process::exit(7)).join().expect("the process ends");
        }
        "panic" => {
            leak(1);
            panic!("as it should");
        }
        "thread-locals" => {
            struct Late(Handle<Forgotten>);
            impl Drop for Late {
                fn drop(&mut self) {
                    // New ones for the report, and an old one that is not for it any more.
                    leak(2);
                    self.0.delete();
                }
            }
            thread_local!(static LATE: Late = Late(Handle::new(Forgotten)));
            LATE.with(|_| leak(1));
        }
        #[cfg(any(unix, windows))]
        "cleaned" => {
            static KEPT: AtomicU64 = AtomicU64::new(0);
            extern "C" fn clean() {
                Handle::<Forgotten>::from_bits(KEPT.load(SeqCst)).expect("not zero").delete();
            }
            KEPT.store(Handle::new(Forgotten).to_bits(), SeqCst);
            // SAFETY: it stays, and does not unwind: the handle is live.
            assert_eq!(unsafe { libc::atexit(clean) }, 0);
        }
        #[cfg(unix)]
        "fork" => {
            leak(1);
            // SAFETY: the child does nothing that another thread could keep from it; there is none.
            match unsafe { libc::fork() } {
                0 => leak(1),
                child => {
                    let mut status = 0;
                    // SAFETY: a place for the status of our own child.
                    assert_eq!(unsafe { libc::waitpid(child, &mut status, 0) }, child);
                }
            }
        }
        _ => panic!("there is no role {role:?}"),
    }
    ExitCode::SUCCESS
}

fn leak(count: usize) {
    (0..count).for_each(|_| {
        let _ = Handle::new(Forgotten);
    });
}

/// This program in some role, with or without the variable.
fn command(role: &str, variable: Option<&str>) -> Command {
    let mut command = started::this_program();
    command.env("HAFT_TEST_ROLE", role).env_remove("HAFT_REPORT").env_remove("NO_COLOR");
    if let Some(value) = variable {
        command.env("HAFT_REPORT", value);
    }
    command
}

/// Its exit code, and what it says on standard error.
fn run(role: &str, variable: Option<&str>) -> (Option<i32>, String) {
    let Output { status, stdout, stderr } = command(role, variable).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&stdout), "", "nothing goes to standard output");
    (status.code(), String::from_utf8(stderr).unwrap())
}

fn check(found: (Option<i32>, String), code: i32, pieces: &[&str]) {
    let (found, text) = found;
    assert_eq!(found, Some(code), "{text}");
    for piece in pieces {
        assert!(text.contains(piece), "{piece:?} is not in: {text}");
    }
    if pieces.is_empty() {
        assert_eq!(text, "");
    } else {
        assert_eq!(text.matches("at the end of process").count(), 1, "once: {text}");
    }
}

fn a_call_prints_the_report_once() {
    check(run("call", None), 0, &["2 live handles", "Forgotten", concat!(file!(), ":")]);
    check(run("call", Some("0")), 0, &["2 live handles"]);
    check(run("call", Some("1")), 0, &["2 live handles"]);
}

fn the_variable_prints_the_report_without_a_call() {
    check(run("silent", None), 0, &[]);
    check(run("silent", Some("")), 0, &[]);
    check(run("silent", Some("0")), 0, &[]);
    check(run("silent", Some("1")), 0, &["2 live handles", "Forgotten", concat!(file!(), ":")]);
    check(run("clean", Some("1")), 0, &["no live handles"]);
    // It is read where the first handle is created, and there is none.
    check(run("unused", Some("1")), 0, &[]);
}

fn however_a_process_ends_by_exit_it_is_with_a_report() {
    // On Windows, Rust's `exit` does not ask the C runtime.
    #[cfg(unix)]
    check(run("exit", Some("1")), 7, &["live handles", "Forgotten"]);
    check(run("panic", Some("1")), 101, &["as it should", "1 live handle;"]);
}

fn the_report_comes_after_thread_locals_and_what_was_registered_later() {
    // On Windows, those of the main thread are destroyed after all that, and with musl never.
    let live = if cfg!(any(windows, target_env = "musl")) { "2 live handles" } else { "3 live handles" };
    check(run("thread-locals", Some("1")), 0, &[live]);
    check(run("cleaned", Some("1")), 0, &["no live handles"]);
}

fn json_is_one_line_and_the_variable_decides() {
    for role in ["silent", "call"] {
        let (code, text) = run(role, Some("json"));
        assert_eq!((code, text.lines().count()), (Some(0), 1), "{text}");
        let json: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(json["live"], 2);
        assert_eq!(json["groups"][0]["created_at"]["file"], file!());
    }
}

fn a_path_gets_the_report_and_errors_are_told() {
    let folder = env::temp_dir().join(format!("haft-at-exit-{}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    let path = |name: &str| folder.join(name).to_str().unwrap().to_owned();

    assert_eq!(run("silent", Some(&path("plain"))), (Some(0), String::new()));
    assert!(fs::read_to_string(path("plain")).unwrap().contains("2 live handles"));
    assert_eq!(run("silent", Some(&path("a.json"))), (Some(0), String::new()));
    let json: Value = serde_json::from_str(&fs::read_to_string(path("a.json")).unwrap()).unwrap();
    assert_eq!(json["live"], 2);

    // The child of a fork has a number, so a file, of its own.
    #[cfg(unix)]
    {
        fs::create_dir_all(path("forked")).unwrap();
        assert_eq!(run("fork", Some(&path("forked/%p"))), (Some(0), String::new()));
        let mut reports: Vec<_> = fs::read_dir(path("forked"))
            .unwrap()
            .map(|entry| fs::read_to_string(entry.unwrap().path()).unwrap())
            .map(|text| text.split(": ").nth(2).unwrap().split(';').next().unwrap().to_owned())
            .collect();
        reports.sort();
        assert_eq!(reports, ["1 live handle", "2 live handles"]);
    }

    let (code, text) = run("silent", Some(&path("missing/file")));
    assert!(
        code == Some(0) && text.contains("could not be written") && text.contains("missing/file"),
        "{text}"
    );
    let (code, text) = run("silent", Some("yes"));
    assert!(code == Some(0) && text.contains("HAFT_REPORT=\"yes\" is not known: use 1"), "{text}");
    fs::remove_dir_all(folder).unwrap();
}

/// On Windows, a program has no rights by its file.
#[cfg(unix)]
fn a_process_with_more_rights_than_its_user_does_not_look_at_the_variable() {
    use std::os::unix::fs::{PermissionsExt, chown};
    // SAFETY: they take nothing and cannot fail.
    if unsafe { libc::geteuid() } != 0 {
        return println!("   (only the superuser can set this up)");
    }
    if env::var_os("HAFT_RUNNER").is_some() {
        return println!("   (an emulator does not start programs with other rights)");
    }
    let copy = env::temp_dir().join(format!("haft-privileged-{}", std::process::id()));
    fs::copy(env::current_exe().unwrap(), &copy).unwrap();
    chown(&copy, Some(65_534), None).unwrap();
    fs::set_permissions(&copy, fs::Permissions::from_mode(0o4755)).unwrap();
    let output =
        Command::new(&copy).env("HAFT_TEST_ROLE", "silent").env("HAFT_REPORT", "1").output().unwrap();
    fs::remove_file(&copy).unwrap();
    assert!(output.status.success());
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
}

/// What a child writes to a terminal that is so wide, as its standard error. On Windows, making a
/// terminal is another matter, and is not tried.
#[cfg(unix)]
fn in_a_terminal(width: u16, mut command: Command) -> String {
    use std::io::Read;
    use std::os::fd::{FromRawFd, OwnedFd};
    use std::process::Stdio;
    let (mut outer, mut inner) = (0, 0);
    let size = libc::winsize { ws_row: 50, ws_col: width, ws_xpixel: 0, ws_ypixel: 0 };
    // SAFETY: places for two descriptors, and a size; names and settings are left out.
    let result = unsafe {
        let (name, settings) = (std::ptr::null_mut(), std::ptr::null_mut());
        libc::openpty(&mut outer, &mut inner, name, settings, (&raw const size).cast_mut())
    };
    assert_eq!(result, 0);
    // SAFETY: just opened, and nobody else's.
    let (outer, inner) = unsafe { (OwnedFd::from_raw_fd(outer), OwnedFd::from_raw_fd(inner)) };
    // A session of its own, with this terminal, so that `/dev/tty` is this one for the child.
    // SAFETY: both are calls that a child may make before it becomes another program.
    unsafe {
        use std::os::unix::process::CommandExt;
        command.pre_exec(|| match libc::setsid() >= 0 && libc::ioctl(2, libc::TIOCSCTTY as _, 0) == 0 {
            true => Ok(()),
            false => Err(std::io::Error::last_os_error()),
        });
    }
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(inner).spawn().unwrap();
    // The command keeps the other end open as long as it is there.
    drop(command);
    let mut text = Vec::new();
    // A terminal that is closed is an error at its end.
    let _ = std::fs::File::from(outer).read_to_end(&mut text);
    assert!(child.wait().unwrap().success());
    String::from_utf8(text).unwrap()
}

/// The text without what only colours it.
#[cfg(all(unix, feature = "table"))]
fn uncoloured(text: &str) -> String {
    let mut pieces = text.split("\x1b[");
    let first = pieces.next().unwrap().to_owned();
    pieces.fold(first, |all, piece| all + piece.split_once('m').expect("only colours").1)
}

/// The lines below the title, without the handle, which is another one in each process.
#[cfg(all(unix, feature = "table"))]
fn lines(text: &str) -> Vec<String> {
    let without_handle = |line: &str| match line.split_once("0x") {
        None => line.to_owned(),
        Some((before, after)) => {
            before.to_owned() + after.trim_start_matches(|digit: char| digit.is_ascii_hexdigit())
        }
    };
    text.lines().skip(1).map(without_handle).collect()
}

#[cfg(all(unix, feature = "table"))]
fn a_terminal_gets_a_table_that_fits_in_colours_unless_they_are_not_wanted() {
    for width in [80, 120] {
        let coloured = in_a_terminal(width, command("silent", Some("1")));
        let mut plain = command("silent", Some("1"));
        let plain = in_a_terminal(width, {
            plain.env("NO_COLOR", "1");
            plain
        });
        assert!(coloured.contains("\x1b[") && !plain.contains('\x1b'), "{coloured}{plain}");
        assert_eq!(lines(&uncoloured(&coloured)), lines(&plain), "colours change nothing else");
        let widest = plain.lines().map(|line| line.trim_end().chars().count()).max().unwrap();
        assert!(widest <= width.into(), "{widest} of {width}:\n{plain}");
        let empty = in_a_terminal(width, command("clean", Some("1")));
        assert!(empty.contains("no live handles") && empty.lines().count() == 1, "{empty}");
    }
    let (_, piped) = run("silent", Some("1"));
    assert!(!piped.contains('\x1b') && !piped.contains('│'), "{piped}");
}

#[cfg(all(unix, not(feature = "table")))]
fn a_terminal_gets_text() {
    let text = in_a_terminal(80, command("silent", Some("1")));
    assert!(text.contains("2 live handles") && !text.contains('\x1b'), "{text}");
}

fn main() -> ExitCode {
    if let Ok(role) = env::var("HAFT_TEST_ROLE") {
        return play(&role);
    }
    #[cfg(any(unix, windows))]
    {
        let checks: &[(&str, fn())] = &[
            ("a_call_prints_the_report_once", a_call_prints_the_report_once),
            ("the_variable_prints_the_report_without_a_call", the_variable_prints_the_report_without_a_call),
            (
                "however_a_process_ends_by_exit_it_is_with_a_report",
                however_a_process_ends_by_exit_it_is_with_a_report,
            ),
            (
                "the_report_comes_after_thread_locals_and_what_was_registered_later",
                the_report_comes_after_thread_locals_and_what_was_registered_later,
            ),
            ("json_is_one_line_and_the_variable_decides", json_is_one_line_and_the_variable_decides),
            ("a_path_gets_the_report_and_errors_are_told", a_path_gets_the_report_and_errors_are_told),
            #[cfg(unix)]
            (
                "a_process_with_more_rights_than_its_user_does_not_look_at_the_variable",
                a_process_with_more_rights_than_its_user_does_not_look_at_the_variable,
            ),
            #[cfg(all(unix, feature = "table"))]
            (
                "a_terminal_gets_a_table_that_fits_in_colours_unless_they_are_not_wanted",
                a_terminal_gets_a_table_that_fits_in_colours_unless_they_are_not_wanted,
            ),
            #[cfg(all(unix, not(feature = "table")))]
            ("a_terminal_gets_text", a_terminal_gets_text),
        ];
        for (name, check) in checks {
            check();
            println!("test {name} ... ok");
        }
    }
    ExitCode::SUCCESS
}
