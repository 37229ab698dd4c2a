//! `tollkeeper restore`: what a database that was restored from a backup has forgotten, and doing again
//! what it must not have: revocations, suspensions and deletions.
//!
//! The log's own events tell: the relay has told them to the stream `LIFECYCLE`, which keeps them for a day,
//! and others keep what they were told. Nothing is ever written into the log from there: what is done again
//! is done over the HTTP API, as any operator does it.

mod findings;
mod lost;
mod redo;
mod tell;
mod told;

use std::path::PathBuf;
use std::process::ExitCode;

use sqlx::PgPool;
use tollkeeper_ambient::{Clock, SystemClock};
use tollkeeper_event_store::ReadError;
use tollkeeper_runtime::database::{self, PoolShape};
use tollkeeper_runtime::nats::NatsError;
use tollkeeper_runtime::settings::{Binary, DatabaseSettings, SettingsError, Source};

use crate::out::complain;
use crate::proof::{DIFFERENT, Output, UNKNOWN};
use findings::{Finding, findings};
use lost::Lost;

const EXIT_CODES: &str = "Exit codes: 0 nothing is left to be done again, 1 something is, 2 it is not \
    known";

#[derive(Debug, clap::Args)]
#[command(after_help = EXIT_CODES)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Command,
    /// Read events from this file instead of the stream LIFECYCLE: JSON, one after the other, as the
    /// stream, the feed (also whole pages of it) or webhooks tell them; `-` is standard input
    #[arg(long, global = true, value_name = "FILE")]
    events: Option<PathBuf>,
    /// How the answer is written
    #[arg(long, global = true, value_enum, default_value_t = Output::Text)]
    output: Output,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Tell which events the restored log lacks, and what follows from that
    Check,
    /// Revoke, suspend and delete again, over the HTTP API, what was revoked, suspended and deleted
    Redo(redo::Arguments),
}

#[derive(Debug, thiserror::Error)]
enum Error {
    #[error(transparent)]
    Settings(#[from] SettingsError),

    #[error("TOLLKEEPER_DATABASE_URL: {0}")]
    Database(#[from] sqlx::Error),

    #[error(transparent)]
    Log(#[from] ReadError),

    #[error(transparent)]
    Connect(#[from] NatsError),

    #[error("the stream LIFECYCLE cannot be read: {0}")]
    Stream(#[source] Box<dyn std::error::Error + Send + Sync>),

    #[error("{path} cannot be read: {reason}")]
    File {
        path: PathBuf,
        #[source]
        reason: std::io::Error,
    },

    #[error("what stands in the file is not JSON: {0}")]
    Json(#[source] serde_json::Error),

    #[error(transparent)]
    Api(#[from] crate::client::Failure),
}

/// What it answers with is the exit code, failures included: 1 says that something is to be done, so they
/// have one of their own.
pub(crate) async fn run(arguments: &Arguments) -> ExitCode {
    carry_out(arguments).await.unwrap_or_else(|error| {
        complain(&format!("tollkeeper: {error}"));
        ExitCode::from(UNKNOWN)
    })
}

async fn carry_out(arguments: &Arguments) -> Result<ExitCode, Error> {
    let source = Source::from_process(Binary::Ctl)?;
    let settings = DatabaseSettings::read(&source)?;
    let pool: PgPool = database::pool(&settings, &PoolShape::new("tollkeeper restore", 2))?;
    let lost = match &arguments.events {
        None => Lost::read(&pool, told::by_the_stream(&source).await?).await?,
        Some(path) => Lost::read(&pool, told::by_a_file(path)?).await?,
    };
    let found = findings(&pool, &lost.events, SystemClock.now()).await?;
    match &arguments.command {
        Command::Check => tell::found(&lost, &found, arguments.output),
        Command::Redo(how) => redo::run(&source, how, &found, arguments.output).await,
    }
}

/// 1 where anything is left.
fn code(is_left: bool) -> ExitCode {
    if is_left {
        ExitCode::from(DIFFERENT)
    } else {
        ExitCode::SUCCESS
    }
}

/// Those that are to be done again.
fn to_redo(found: &[Finding]) -> impl Iterator<Item = &Finding> {
    found.iter().filter(|it| it.what.is_to_be_redone())
}
