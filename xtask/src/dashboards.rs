//! `cargo xtask dashboards`

use std::process::Command;

use crate::error::Error;
use crate::shell::{cargo, run};
use crate::test::tools;
use crate::workspace::{self, Workspace};

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Passed on: `--folder <path>`, `--seconds <n>`
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    rest: Vec<String>,
}

/// Builds everything, and has pictures of the dashboards made while it runs.
pub(crate) fn run_dashboards(arguments: &Arguments) -> Result<(), Error> {
    let workspace = Workspace::load()?;
    tools::ensure(&workspace)?;
    run(&mut cargo(&["build", "--workspace", "--bins"]))?;
    run(
        Command::new(workspace.target.join("debug/tollkeeper-dashboards"))
            .args(&arguments.rest)
            .current_dir(workspace::root()),
    )
}
