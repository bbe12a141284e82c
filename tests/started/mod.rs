//! This program once more, as a process of its own.

use std::process::Command;

/// A command that starts this program; where one is needed, by the emulator that `HAFT_RUNNER`
/// names.
pub(crate) fn this_program() -> Command {
    let program = std::env::current_exe().unwrap();
    let runner = std::env::var("HAFT_RUNNER").unwrap_or_default();
    let mut words = runner.split_whitespace();
    let Some(first) = words.next() else {
        return Command::new(program);
    };
    let mut command = Command::new(first);
    command.args(words).arg(program);
    command
}
