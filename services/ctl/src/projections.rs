//! `tollkeeper projections`: whether the tables are what the log says, and making them so.

use std::process::ExitCode;

use serde_json::json;
use sqlx::{ConnectOptions, PgConnection};
use tollkeeper_read_model::rebuild::{Difference, RebuildError, Report, rebuild, verify};
use tollkeeper_runtime::database;
use tollkeeper_runtime::settings::{Binary, DatabaseSettings, SettingsError, Source};

use crate::audit::hexadecimal;
use crate::out::{complain, say};
use crate::proof::{DIFFERENT, Output, UNKNOWN};

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Command,
    /// How the answer is written
    #[arg(long, global = true, value_enum, default_value_t = Output::Text)]
    output: Output,
}

#[derive(Debug, Clone, Copy, clap::Subcommand)]
enum Command {
    /// Make accounts and tokens anew from the log, beside the tables, and report every row that
    /// differs
    Verify,
    /// Verify, and put every row that differs right, in one transaction
    Rebuild,
}

#[derive(Debug, thiserror::Error)]
enum Error {
    #[error(transparent)]
    Settings(#[from] SettingsError),

    #[error("TOLLKEEPER_DATABASE_URL: {0}")]
    Database(#[from] sqlx::Error),

    #[error(transparent)]
    Rebuild(#[from] RebuildError),
}

/// What it answers with is the exit code, failures included: 1 says that rows differ, so they have
/// one of their own.
pub(crate) async fn run(arguments: &Arguments) -> ExitCode {
    let done = match arguments.command {
        Command::Verify => verified(arguments.output).await,
        Command::Rebuild => rebuilt(arguments.output).await,
    };
    done.unwrap_or_else(|error| {
        complain(&format!("tollkeeper: {error}"));
        ExitCode::from(UNKNOWN)
    })
}

async fn verified(output: Output) -> Result<ExitCode, Error> {
    let report = verify(&mut connect().await?).await?;
    tell(&report, output, "differ from the log", None);
    Ok(match report.differing() {
        0 => ExitCode::SUCCESS,
        _ => ExitCode::from(DIFFERENT),
    })
}

async fn rebuilt(output: Output) -> Result<ExitCode, Error> {
    let report = rebuild(&mut connect().await?).await?;
    let replaced = report.differing() > 0;
    tell(&report, output, "were put right", Some(replaced));
    Ok(ExitCode::SUCCESS)
}

/// A session of its own: what is made anew stands in temporary tables.
async fn connect() -> Result<PgConnection, Error> {
    let source = Source::from_process(Binary::Ctl)?;
    let settings = DatabaseSettings::read(&source)?;
    let options = database::connect_options(&settings, "tollkeeper projections")?;
    Ok(options.connect().await?)
}

fn tell(report: &Report, output: Output, outcome: &str, replaced: Option<bool>) {
    let head = &report.head;
    let differing = report.differing();
    if output == Output::Json {
        let mut answer = json!({
            "position": head.position,
            "hash": hexadecimal(head),
            "differing": differing,
            "tables": report.tables,
            "differences": report.differences,
        });
        if let Some(replaced) = replaced {
            answer["replaced"] = replaced.into();
        }
        say(&answer.to_string());
        return;
    }
    for it in &report.tables {
        say(&format!(
            "{}: {} rows, {} missing, {} extra, {} different",
            it.table, it.rows, it.missing, it.extra, it.different
        ));
    }
    for it in &report.differences {
        complain(&line(it));
    }
    let named = i64::try_from(report.differences.len()).unwrap_or(i64::MAX);
    if differing > named {
        complain(&format!("… and {} more", differing - named));
    }
    if differing == 0 {
        say(&format!(
            "the tables are what the log says up to {} {}",
            head.position,
            hexadecimal(head)
        ));
    } else {
        complain(&format!("{differing} rows {outcome}"));
    }
}

fn line(it: &Difference) -> String {
    let columns = match it.columns.as_slice() {
        [] => String::new(),
        columns => format!(" in {}", columns.join(", ")),
    };
    format!("{} {}: {}{columns}", it.table, it.id, it.kind)
}
