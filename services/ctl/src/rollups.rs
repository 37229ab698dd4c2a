//! `tollkeeper rollups`: whether the sums of usage are what its rows say, and making them so.

use std::process::ExitCode;

use chrono::NaiveDate;
use serde_json::json;
use sqlx::{ConnectOptions, PgConnection};
use tollkeeper_ambient::{Clock, SystemClock};
use tollkeeper_read_model::audit::{self, Act, Entry};
use tollkeeper_read_model::rollups::{self, Difference, Report, Sums, rebuild, verify};
use tollkeeper_runtime::database;
use tollkeeper_runtime::settings::{
    Binary, DatabaseSettings, SettingsError, Source, UsageSettings,
};

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
    /// Add the raw rows up and report every sum of a token or an account that says something else
    Verify(Period),
    /// Verify, and put right what differs, hour by hour and while usage is counted
    Rebuild(Period),
}

#[derive(Debug, Clone, Copy, clap::Args)]
struct Period {
    /// The first day, by UTC, such as 2026-03-01
    #[arg(long, value_name = "DATE")]
    from: NaiveDate,
    /// The last day, which is one of them
    #[arg(long, value_name = "DATE")]
    to: NaiveDate,
}

#[derive(Debug, thiserror::Error)]
enum Error {
    #[error(transparent)]
    Settings(#[from] SettingsError),

    #[error("TOLLKEEPER_DATABASE_URL: {0}")]
    Unreachable(#[source] sqlx::Error),

    #[error("--from {from} is after --to {to}")]
    Backwards { from: NaiveDate, to: NaiveDate },

    #[error("the sums could not be gone through: {0}")]
    Database(#[from] sqlx::Error),
}

/// What it answers with is the exit code, failures included: 1 says that sums differ, so they have
/// one of their own.
pub(crate) async fn run(arguments: &Arguments) -> ExitCode {
    let done = match arguments.command {
        Command::Verify(period) => verified(period, arguments.output).await,
        Command::Rebuild(period) => rebuilt(period, arguments.output).await,
    };
    done.unwrap_or_else(|error| {
        complain(&format!("tollkeeper: {error}"));
        ExitCode::from(UNKNOWN)
    })
}

async fn verified(period: Period, output: Output) -> Result<ExitCode, Error> {
    let (mut db, days) = prepare(period).await?;
    let report = verify(&mut db, days).await?;
    tell(&report, output, "are not what the rows say", None);
    Ok(match report.differing {
        0 => known(&report),
        _ => ExitCode::from(DIFFERENT),
    })
}

async fn rebuilt(period: Period, output: Output) -> Result<ExitCode, Error> {
    let (mut db, days) = prepare(period).await?;
    // Sums are put right hour by hour, so the audit log is told before the first.
    let entry = Entry::by_login(Act::RollupsRebuilt)
        .with("from", period.from.to_string())
        .with("to", period.to.to_string());
    audit::note(&mut db, &entry).await?;
    let report = rebuild(&mut db, days).await?;
    tell(
        &report,
        output,
        "were put right",
        Some(report.differing > 0),
    );
    Ok(known(&report))
}

fn known(report: &Report) -> ExitCode {
    if report.not_kept.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(UNKNOWN)
    }
}

async fn prepare(period: Period) -> Result<(PgConnection, rollups::Days), Error> {
    let Period { from, to } = period;
    if from > to {
        return Err(Error::Backwards { from, to });
    }
    let source = Source::from_process(Binary::Ctl)?;
    let settings = DatabaseSettings::read(&source)?;
    let usage = UsageSettings::read(&source)?;
    let options =
        database::connect_options(&settings, "tollkeeper rollups").map_err(Error::Unreachable)?;
    let days = rollups::Days {
        first: from,
        last: to,
        rollups_from: rollups::kept_from(SystemClock.now(), usage.rollup_retention_days),
    };
    Ok((options.connect().await.map_err(Error::Unreachable)?, days))
}

fn tell(report: &Report, output: Output, outcome: &str, replaced: Option<bool>) {
    if output == Output::Json {
        let mut answer = json!({
            "differing": report.differing,
            "differences": report.differences,
            "not_kept": report.not_kept,
        });
        if let Some(replaced) = replaced {
            answer["replaced"] = replaced.into();
        }
        say(&answer.to_string());
        return;
    }
    for it in &report.differences {
        complain(&line(it));
    }
    let named = report.differences.len() as u64;
    if report.differing > named {
        complain(&format!("… and {} more", report.differing - named));
    }
    for day in &report.not_kept {
        complain(&format!(
            "{day}: its rows are not kept any more, so its sums cannot be compared"
        ));
    }
    if report.differing == 0 {
        say("the sums are what the rows say");
    } else {
        complain(&format!("{} sums {outcome}", report.differing));
    }
}

fn line(it: &Difference) -> String {
    let Difference {
        sums,
        owner,
        stored,
        counted,
        ..
    } = it;
    let (what, of) = match sums {
        Sums::Hours => ("hour", "rows"),
        Sums::Days => ("day", "hours"),
        Sums::Totals => ("total", "days"),
        Sums::TokenDays => ("day of all endpoints", "days of each"),
        Sums::AccountHours => ("hour", "hours of its tokens"),
        Sums::AccountDays => ("day", "hours"),
    };
    let bucket = it
        .bucket
        .map(|bucket| format!(" {}", bucket.format("%Y-%m-%dT%H:%MZ")))
        .unwrap_or_default();
    let numbers = if stored == counted {
        format!("{stored} requests, but not the same ones")
    } else {
        format!("{stored} requests, {counted} by the {of}")
    };
    format!("{owner} {what}{bucket}: {numbers}")
}
