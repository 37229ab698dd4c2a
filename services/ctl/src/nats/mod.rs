//! `tollkeeper nats apply|diff`: the streams and consumers of the `nats` folder, which is compiled
//! in, against those of the server.

mod compare;
mod definitions;
mod remote;
mod replicas;

use std::process::ExitCode;

use async_nats::jetstream::Context;
use tollkeeper_runtime::nats::{self, NatsError};
use tollkeeper_runtime::settings::{Binary, BrokerSettings, SettingsError, Source, StreamSettings};

use crate::out::say;
use definitions::Definition;
use remote::RemoteError;
use replicas::ReplicasError;

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

    #[error(transparent)]
    Replicas(#[from] ReplicasError),

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
    let broker = BrokerSettings::read(&source)?;
    let streams = StreamSettings::read(&source)?;
    match command {
        Command::Apply => {
            apply(&broker, streams, &say).await?;
            Ok(ExitCode::SUCCESS)
        }
        Command::Diff => diff(&broker, streams).await,
    }
}

/// Creates what is missing and changes what differs, saying what it did.
pub(crate) async fn apply(
    broker: &BrokerSettings,
    streams: StreamSettings,
    say: &dyn Fn(&str),
) -> Result<(), Error> {
    let (jetstream, definitions) = connect(broker, streams).await?;
    for definition in definitions {
        let differences = differences(&jetstream, &definition).await?;
        let name = definition.name();
        if differences.is_empty() {
            say(&format!("{name}: as it should be"));
            continue;
        }
        let wrap = |reason| Error::Remote {
            name: name.clone(),
            reason,
        };
        remote::put(&jetstream, &definition).await.map_err(wrap)?;
        let behind = replicas::behind(&jetstream, &definition)
            .await
            .map_err(wrap)?;
        if behind == 0 {
            say(&format!("{name}: applied"));
        } else {
            say(&format!(
                "{name}: applied; {behind} of its copies are not complete yet"
            ));
        }
    }
    Ok(())
}

async fn diff(broker: &BrokerSettings, streams: StreamSettings) -> Result<ExitCode, Error> {
    let (jetstream, definitions) = connect(broker, streams).await?;
    let mut code = ExitCode::SUCCESS;
    for definition in definitions {
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

/// The broker, and what should be on it.
async fn connect(
    broker: &BrokerSettings,
    streams: StreamSettings,
) -> Result<(Context, Vec<Definition>), Error> {
    let client = nats::connect_once(broker, "tollkeeper").await?;
    let cluster = client.server_info().cluster;
    let replicas = replicas::number(streams.replicas, cluster.as_deref())?;
    Ok((nats::jetstream(&client), definitions::all(replicas)?))
}
