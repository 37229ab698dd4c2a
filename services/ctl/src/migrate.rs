//! `tollkeeper migrate`

use std::process::ExitCode;

use sqlx::migrate::MigrateError;
use tollkeeper_runtime::database::{self, MIGRATOR, PoolShape};
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

/// Migrates up, or down to a version, and returns the version that was reached.
pub(crate) async fn migrate(
    settings: &DatabaseSettings,
    down_to: Option<i64>,
) -> Result<i64, Error> {
    let shape = PoolShape::new("tollkeeper migrate", 1);
    let pool = database::pool(settings, &shape).map_err(Error::Url)?;
    let done = match down_to {
        Some(version) => MIGRATOR.undo(&pool, version).await,
        None => MIGRATOR.run(&pool).await,
    };
    pool.close().await;
    done?;
    let newest = MIGRATOR.iter().map(|migration| migration.version).max();
    Ok(down_to.or(newest).unwrap_or(0))
}
