//! `cargo xtask up`

use std::os::unix::process::CommandExt;
use std::process::Command;

use crate::error::Error;
use crate::shell::{cargo, run};
use crate::workspace::{self, Workspace};

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Passed on to `tollkeeper up`
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    rest: Vec<String>,
}

/// Builds the release binaries and becomes `tollkeeper up`, so that signals go straight to it.
pub(crate) fn run_up(arguments: &Arguments) -> Result<(), Error> {
    let target = Workspace::load()?.target;
    run(&mut cargo(&[
        "build",
        "--release",
        "--bins",
        "--package=tollkeeper-ctl",
        "--package=tollkeeper-api",
        "--package=tollkeeper-ingestor",
    ]))?;
    let program = target.join("release/tollkeeper");
    let reason = Command::new(&program)
        .arg("up")
        .args(&arguments.rest)
        .current_dir(workspace::root())
        .exec();
    Err(Error::File {
        path: program,
        reason,
    })
}
