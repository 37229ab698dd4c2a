//! `tollkeeper nats apply|diff`: the streams and consumers of the `nats` folder, which is compiled
//! in, against those of the server.

mod compare;
mod definitions;
mod remote;

use std::process::ExitCode;

use async_nats::jetstream::Context;
use tollkeeper_runtime::nats::{self, NatsError};
use tollkeeper_runtime::settings::{Binary, BrokerSettings, SettingsError, Source};

use crate::out::say;
use definitions::Definition;
use remote::RemoteError;

pub(crate) use definitions::SERVER_CONFIG;

#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Create what is missing and change what differs
    Apply,
    /// Show what `apply` would do; fails if there is anything
    Diff,
}

#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error(transparent)]
    Settings(#[from] SettingsError),

    #[error(transparent)]
    Connect(#[from] NatsError),

    #[error("the definition {name} is not valid: {reason}")]
    Definition {
        name: String,
        #[source]
        reason: serde_json::Error,
    },

    #[error("{name}: {reason}")]
    Remote {
        name: String,
        #[source]
        reason: RemoteError,
    },
}

pub(crate) async fn run(command: &Command) -> Result<ExitCode, Error> {
    let source = Source::from_process(Binary::Ctl)?;
    let settings = BrokerSettings::read(&source)?;
    match command {
        Command::Apply => {
            apply(&settings, &say).await?;
            Ok(ExitCode::SUCCESS)
        }
        Command::Diff => diff(&settings).await,
    }
}

/// Creates what is missing and changes what differs, saying what it did.
pub(crate) async fn apply(settings: &BrokerSettings, say: &dyn Fn(&str)) -> Result<(), Error> {
    let jetstream = connect(settings).await?;
    for definition in definitions::all()? {
        let differences = differences(&jetstream, &definition).await?;
        let name = definition.name();
        if differences.is_empty() {
            say(&format!("{name}: as it should be"));
            continue;
        }
        remote::put(&jetstream, &definition)
            .await
            .map_err(|reason| Error::Remote {
                name: name.clone(),
                reason,
            })?;
        say(&format!("{name}: applied"));
    }
    Ok(())
}

async fn diff(settings: &BrokerSettings) -> Result<ExitCode, Error> {
    let jetstream = connect(settings).await?;
    let mut code = ExitCode::SUCCESS;
    for definition in definitions::all()? {
        for difference in differences(&jetstream, &definition).await? {
            say(&format!("{}: {difference}", definition.name()));
            code = ExitCode::FAILURE;
        }
    }
    Ok(code)
}

async fn differences(jetstream: &Context, definition: &Definition) -> Result<Vec<String>, Error> {
    let wrap = |reason| Error::Remote {
        name: definition.name(),
        reason,
    };
    let found = remote::get(jetstream, definition).await.map_err(wrap)?;
    Ok(match found {
        None => vec!["missing".to_owned()],
        Some(found) => compare::differences(definition.wanted(), &found),
    })
}

async fn connect(settings: &BrokerSettings) -> Result<Context, Error> {
    let client = nats::connect_once(settings, "tollkeeper").await?;
    Ok(nats::jetstream(&client))
}
