//! `tollkeeper token`: tokens from a shell, over the HTTP API.
//!
//! No secret is ever an argument, because every user of the machine can list those: the credential
//! comes from the settings, and a token to be checked from standard input or a file.

mod history;
mod issue;
mod list;
mod quotas;
mod refill;
mod revoke;
mod rotate;
mod show;
mod suspend;
mod verify;

use std::process::ExitCode;

use clap::Subcommand;

pub(crate) use self::issue::fields;
pub(crate) use self::list::Extent;
use crate::client::{Failure, Options, exit_code};

const EXIT_CODES: &str = "Exit codes: 0 done, 1 refused or failed, 2 wrong usage or settings, \
    3 not found, 4 the token is not valid (verify), 5 the server cannot be reached or cannot answer \
    now";

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
    /// Issue a token and print it, this once
    Issue(Box<issue::Arguments>),
    /// List tokens, the newest first
    List(list::Arguments),
    /// Show a token
    Show(show::Arguments),
    /// Give a token a new secret and print it, this once
    Rotate(rotate::Arguments),
    /// Let a token rest
    Suspend(suspend::Arguments),
    /// Let a token that rests work again
    Resume(suspend::Arguments),
    /// Show what is left of a token's quotas
    Quotas(quotas::Arguments),
    /// Let a quota of a token be full again
    Refill(refill::Arguments),
    /// End a token for good
    Revoke(revoke::Arguments),
    /// Ask whether a token may pass; it is read from standard input or a file
    Verify(verify::Arguments),
    /// Show what has happened to a token, the oldest first
    History(history::Arguments),
}

/// What `run` answers with is the exit code, failures included: they have codes of their own.
pub(crate) async fn run(arguments: &Arguments) -> ExitCode {
    exit_code(carry_out(arguments).await)
}

async fn carry_out(arguments: &Arguments) -> Result<ExitCode, Failure> {
    let (api, output) = arguments.options.connect()?;
    match &arguments.command {
        Command::Issue(it) => issue::run(&api, output, it).await,
        Command::List(it) => list::run(&api, output, it).await,
        Command::Show(it) => show::run(&api, output, it).await,
        Command::Rotate(it) => rotate::run(&api, output, it).await,
        Command::Suspend(it) => suspend::run(&api, output, it, "suspend").await,
        Command::Resume(it) => suspend::run(&api, output, it, "resume").await,
        Command::Quotas(it) => quotas::run(&api, output, it).await,
        Command::Refill(it) => refill::run(&api, output, it).await,
        Command::Revoke(it) => revoke::run(&api, output, it).await,
        Command::Verify(it) => verify::run(&api, output, it).await,
        Command::History(it) => history::run(&api, output, it).await,
    }
}
