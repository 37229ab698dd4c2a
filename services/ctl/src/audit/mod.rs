//! `tollkeeper audit`: whether the log is whole, and who did what.

mod export;

use std::process::ExitCode;

use tollkeeper_event_store::{AuditError, Head, ReadError, head, verify_chain};
use tollkeeper_runtime::database::{self, PoolShape};
use tollkeeper_runtime::settings::{
    AuditSettings, Binary, DatabaseSettings, SettingsError, Source,
};

use crate::out::say;

#[derive(Debug, clap::Subcommand)]
pub(crate) enum Audit {
    /// Walk the chain of hashes and name the first place where it is broken
    Verify,
    /// Print position and hash of the last event, to be kept elsewhere: a chain alone does not show
    /// that its tail was cut off
    Head,
    /// Write the audit log to standard output, the newest first: who did what, and who was refused what
    Export(export::Arguments),
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

    #[error("--since is not before --until")]
    Backwards,

    #[error("the audit log cannot be written out: {0}")]
    Output(#[from] std::io::Error),
}

pub(crate) async fn audit(command: &Audit) -> Result<ExitCode, Error> {
    let source = Source::from_process(Binary::Ctl)?;
    let settings = DatabaseSettings::read(&source)?;
    let pool = database::pool(&settings, &PoolShape::new("tollkeeper audit", 2))?;
    match command {
        Audit::Head => tell("", &head(&pool).await?),
        Audit::Verify => tell(
            "the chain is whole up to ",
            &verify_chain(&pool).await?.head,
        ),
        Audit::Export(arguments) => {
            let settings = AuditSettings::read(&source)?;
            export::run(&pool, settings, arguments).await?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn tell(prefix: &str, head: &Head) {
    say(&format!("{prefix}{} {}", head.position, hexadecimal(head)));
}

pub(crate) fn hexadecimal(head: &Head) -> String {
    head.hash.iter().map(|byte| format!("{byte:02x}")).collect()
}
