//! `cargo xtask bench`

use std::process::Command;

use crate::error::Error;
use crate::shell::{cargo, run};
use crate::test::tools;
use crate::workspace::{self, Workspace};

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Passed on: `--only <name>`, `--pairs <n>`, `--seconds <n>`, `--tokens <n>`, `--plots <folder>`, `--long`
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    rest: Vec<String>,
}

/// Builds the release binaries and measures with them.
pub(crate) fn run_bench(arguments: &Arguments) -> Result<(), Error> {
    tools::ensure_load_generators()?;
    let target = Workspace::load()?.target;
    run(&mut cargo(&[
        "build",
        "--release",
        "--bins",
        "--package=tollkeeper-api",
        "--package=tollkeeper-ingestor",
        "--package=tollkeeper-ctl",
        "--package=tollkeeper-bench",
    ]))?;
    run(Command::new(target.join("release/tollkeeper-bench"))
        .args(&arguments.rest)
        .current_dir(workspace::root()))
}
