//! `tollkeeper dead-letters`: usage that could not be counted, and having it tried again.

mod list;
mod replay;

use std::process::ExitCode;

use sqlx::PgPool;
use tollkeeper_read_model::usage::dead_letters::Letters;
use tollkeeper_runtime::database::{self, PoolShape};
use tollkeeper_runtime::settings::{Binary, DatabaseSettings, SettingsError, Source};
use uuid::Uuid;

#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// List what could not be counted, the newest first
    List(list::Arguments),
    /// Have an ingestor try letters again, once their reason is mended
    Replay(replay::Arguments),
}

#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error(transparent)]
    Settings(#[from] SettingsError),

    #[error("TOLLKEEPER_DATABASE_URL: {0}")]
    Database(#[from] sqlx::Error),
}

/// Which letters are meant.
#[derive(Debug, clap::Args)]
struct Filter {
    /// Only those with this reason
    #[arg(long, value_parser = ["undecodable", "refused", "overlap"])]
    reason: Option<String>,
    /// Only those of this source
    #[arg(long, value_name = "ID")]
    source: Option<Uuid>,
}

impl Filter {
    fn letters(&self, ids: Option<Vec<i64>>) -> Letters {
        Letters {
            ids,
            reason: self.reason.clone(),
            source: self.source,
            before: None,
        }
    }
}

pub(crate) async fn run(command: &Command) -> Result<ExitCode, Error> {
    let source = Source::from_process(Binary::Ctl)?;
    let settings = DatabaseSettings::read(&source)?;
    let shape = PoolShape::new("tollkeeper dead-letters", 2);
    let pool: PgPool = database::pool(&settings, &shape)?;
    match command {
        Command::List(arguments) => list::run(&pool, arguments).await,
        Command::Replay(arguments) => replay::run(&pool, arguments).await,
    }
}
