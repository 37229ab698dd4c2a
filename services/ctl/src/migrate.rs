//! `tollkeeper migrate`

use std::process::ExitCode;

use sqlx::migrate::MigrateError;
use sqlx::{ConnectOptions, Connection};
use tollkeeper_runtime::database::{self, MIGRATOR};
use tollkeeper_runtime::settings::{Binary, DatabaseSettings, SettingsError, Source};

use crate::out::say;

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Go back to this version instead, undoing every later migration and losing its data
    #[arg(long, value_name = "VERSION")]
    down_to: Option<i64>,
}

#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error(transparent)]
    Settings(#[from] SettingsError),

    #[error("TOLLKEEPER_DATABASE_URL: {0}")]
    Url(#[source] sqlx::Error),

    #[error("the database does not answer: {0}")]
    Database(#[from] sqlx::Error),

    #[error("migrating failed: {0}")]
    Migrate(#[from] MigrateError),
}

pub(crate) async fn run(arguments: &Arguments) -> Result<ExitCode, Error> {
    let source = Source::from_process(Binary::Ctl)?;
    let settings = DatabaseSettings::read(&source)?;
    let version = migrate(&settings, arguments.down_to).await?;
    say(&format!("the schema is at {version}"));
    Ok(ExitCode::SUCCESS)
}

/// Migrates up, or down to a version, and returns the version that was reached. Where a newer release has
/// migrated before, there is nothing to do, and the way down is refused: only that release knows it.
pub(crate) async fn migrate(
    settings: &DatabaseSettings,
    down_to: Option<i64>,
) -> Result<i64, Error> {
    let options = database::connect_options(settings, "tollkeeper migrate");
    let mut connection = options.map_err(Error::Url)?.connect().await?;
    let version = match down_to {
        Some(version) => {
            MIGRATOR.undo(&mut connection, version).await?;
            version
        }
        None => database::migrate(&MIGRATOR, &mut connection).await?,
    };
    connection.close().await?;
    Ok(version)
}
