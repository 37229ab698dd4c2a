//! `tollkeeper audit`: whether the log is whole.

use std::process::ExitCode;

use sqlx::PgPool;
use tollkeeper_event_store::{AuditError, Head, ReadError, head, verify_chain};
use tollkeeper_runtime::database::{self, PoolShape};
use tollkeeper_runtime::settings::{Binary, DatabaseSettings, SettingsError, Source};

use crate::out::say;

#[derive(Debug, clap::Subcommand)]
pub(crate) enum Audit {
    /// Walk the chain of hashes and name the first place where it is broken
    Verify,
    /// Print position and hash of the last event, to be kept elsewhere: a chain alone does not show
    /// that its tail was cut off
    Head,
}

#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error(transparent)]
    Settings(#[from] SettingsError),

    #[error("TOLLKEEPER_DATABASE_URL: {0}")]
    Database(#[from] sqlx::Error),

    #[error(transparent)]
    Read(#[from] ReadError),

    #[error(transparent)]
    Audit(#[from] AuditError),
}

pub(crate) async fn audit(command: &Audit) -> Result<ExitCode, Error> {
    let pool = connect()?;
    let head = match command {
        Audit::Head => head(&pool).await?,
        Audit::Verify => verify_chain(&pool).await?.head,
    };
    let prefix = match command {
        Audit::Head => "",
        Audit::Verify => "the chain is whole up to ",
    };
    say(&format!("{prefix}{} {}", head.position, hexadecimal(&head)));
    Ok(ExitCode::SUCCESS)
}

fn connect() -> Result<PgPool, Error> {
    let source = Source::from_process(Binary::Ctl)?;
    let settings = DatabaseSettings::read(&source)?;
    Ok(database::pool(
        &settings,
        &PoolShape::new("tollkeeper audit", 2),
    )?)
}

pub(crate) fn hexadecimal(head: &Head) -> String {
    head.hash.iter().map(|byte| format!("{byte:02x}")).collect()
}
