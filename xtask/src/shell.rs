//! Running programs, and saying which.

use std::process::Command;

use crate::error::Error;
use crate::workspace;

#[allow(clippy::print_stderr)]
pub(crate) fn say(line: &str) {
    eprintln!("\n==> {line}");
}

#[allow(clippy::print_stderr)]
pub(crate) fn complain(line: &str) {
    eprintln!("\n{line}");
}

/// A cargo that builds from the checked-in query data: neither a database named in the environment
/// nor one named in a developer's `.env` takes part.
pub(crate) fn cargo(arguments: &[&str]) -> Command {
    let program = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(program);
    command
        .args(arguments)
        .current_dir(workspace::root())
        .env("SQLX_OFFLINE", "true")
        .env_remove("DATABASE_URL");
    command
}

/// Runs a command to its end; its output is the terminal's.
pub(crate) fn run(command: &mut Command) -> Result<(), Error> {
    let text = describe(command);
    say(&text);
    match command.status() {
        Ok(status) if status.success() => Ok(()),
        Ok(_) => Err(Error::Failed { command: text }),
        Err(reason) => Err(Error::Run {
            command: text,
            reason,
        }),
    }
}

/// Runs a command and returns what it prints.
pub(crate) fn output(command: &mut Command) -> Result<Vec<u8>, Error> {
    let text = describe(command);
    match command.output() {
        Ok(output) if output.status.success() => Ok(output.stdout),
        Ok(_) => Err(Error::Failed { command: text }),
        Err(reason) => Err(Error::Run {
            command: text,
            reason,
        }),
    }
}

/// Without the environment, which may hold a password.
fn describe(command: &Command) -> String {
    let program = command.get_program().to_string_lossy();
    let program = program.rsplit('/').next().unwrap_or_default().to_owned();
    command
        .get_args()
        .fold(program, |text, part| text + " " + &part.to_string_lossy())
}
