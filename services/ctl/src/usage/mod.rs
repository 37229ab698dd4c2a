//! `tollkeeper usage`: what tokens were used for, from a shell, over the HTTP API.

mod completeness;
mod dry_run;
mod exposure;
mod report;
mod requests;
mod show;
mod top;

use std::process::ExitCode;

use clap::Subcommand;

use crate::client::{Failure, Options, exit_code};

const EXIT_CODES: &str = "Exit codes: 0 done, 1 refused or failed, 2 wrong usage or settings, \
    3 not found, 5 the server cannot be reached or cannot answer now";

#[derive(Debug, clap::Args)]
#[command(after_help = EXIT_CODES)]
pub(crate) struct Arguments {
    #[command(flatten)]
    options: Options,
    #[command(subcommand)]
    command: Command,
}

/// The credential comes from TOLLKEEPER_API_KEY, or from the file that TOLLKEEPER_API_KEY_FILE
/// names: an operator key, an API token or a JWT.
#[derive(Debug, Subcommand)]
enum Command {
    /// Show usage over time, or what it is made of
    Show(show::Arguments),
    /// List the tokens that were used most
    Top(top::Arguments),
    /// List the single requests of a token, the newest first
    Requests(requests::Arguments),
    /// Report what a leaked token did
    Exposure(exposure::Arguments),
    /// Tell which past requests a change would have refused, without making it
    DryRun(dry_run::Arguments),
    /// Report calls that happened elsewhere
    Report(report::Arguments),
    /// Tell whether all usage has arrived, and what is missing
    Completeness(completeness::Arguments),
}

/// What `run` answers with is the exit code, failures included: they have codes of their own.
pub(crate) async fn run(arguments: &Arguments) -> ExitCode {
    exit_code(carry_out(arguments).await)
}

async fn carry_out(arguments: &Arguments) -> Result<ExitCode, Failure> {
    let (api, output) = arguments.options.connect()?;
    match &arguments.command {
        Command::Show(it) => show::run(&api, output, it).await,
        Command::Top(it) => top::run(&api, output, it).await,
        Command::Requests(it) => requests::run(&api, output, it).await,
        Command::Exposure(it) => exposure::run(&api, output, it).await,
        Command::DryRun(it) => dry_run::run(&api, output, it).await,
        Command::Report(it) => report::run(&api, output, it).await,
        Command::Completeness(it) => completeness::run(&api, output, it).await,
    }
}

/// A time that is asked about.
#[derive(Debug, clap::Args)]
struct Range {
    /// From when on (RFC 3339)
    #[arg(long, value_name = "TIME")]
    from: Option<String>,
    /// Until when (RFC 3339)
    #[arg(long, value_name = "TIME")]
    to: Option<String>,
}

/// The parameters that are given.
fn given<const N: usize>(
    parameters: [(&'static str, Option<String>); N],
) -> Vec<(&'static str, String)> {
    let given = parameters.into_iter();
    given
        .filter_map(|(name, value)| Some((name, value?)))
        .collect()
}
