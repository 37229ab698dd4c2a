//! The definitions in the `nats` folder: `streams/<STREAM>.json` and
//! `consumers/<STREAM>.<consumer>.json`, in the client's own JSON form.

use async_nats::jetstream::{consumer, stream};
use include_dir::{Dir, File, include_dir};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::Error;

// The folders by themselves: what lies beside them may be a deployment's passwords.
static STREAMS: Dir<'static> = include_dir!("$CARGO_MANIFEST_DIR/../../nats/streams");
static CONSUMERS: Dir<'static> = include_dir!("$CARGO_MANIFEST_DIR/../../nats/consumers");

/// The shipped configuration of the server.
pub(crate) const SERVER_CONFIG: &str = include_str!("../../../../nats/nats-server.conf");

/// The field of a stream's configuration.
const REPLICAS: &str = "num_replicas";

/// What should exist on the server.
#[derive(Debug)]
pub(super) enum Definition {
    Stream {
        config: Box<stream::Config>,
        wanted: Map<String, Value>,
    },
    Consumer {
        stream: String,
        config: Box<consumer::pull::Config>,
        wanted: Map<String, Value>,
    },
}

impl Definition {
    /// For messages.
    pub(super) fn name(&self) -> String {
        match self {
            Self::Stream { config, .. } => format!("stream {}", config.name),
            Self::Consumer { stream, config, .. } => {
                let name = config.durable_name.as_deref().unwrap_or("(unnamed)");
                format!("consumer {stream}.{name}")
            }
        }
    }

    /// The fields that the file states, in the client's form.
    pub(super) fn wanted(&self) -> &Map<String, Value> {
        match self {
            Self::Stream { wanted, .. } | Self::Consumer { wanted, .. } => wanted,
        }
    }
}

/// All definitions, streams before the consumers that need them. The files are written for one server;
/// on a cluster each stream is kept on `replicas` of them, and its consumers follow it.
pub(super) fn all(replicas: usize) -> Result<Vec<Definition>, Error> {
    let mut definitions = Vec::new();
    for file in files(&STREAMS) {
        let (mut config, mut wanted): (Box<stream::Config>, _) = read(file)?;
        config.num_replicas = replicas;
        wanted.insert(REPLICAS.to_owned(), replicas.into());
        definitions.push(Definition::Stream { config, wanted });
    }
    for file in files(&CONSUMERS) {
        let (config, wanted) = read(file)?;
        let stem = file.path().file_stem().unwrap_or_default();
        let stem = stem.to_string_lossy();
        let stream = stem.split('.').next().unwrap_or_default().to_owned();
        definitions.push(Definition::Consumer {
            stream,
            config,
            wanted,
        });
    }
    Ok(definitions)
}

fn files(folder: &'static Dir<'static>) -> Vec<&'static File<'static>> {
    let mut files: Vec<_> = folder
        .files()
        .filter(|file| file.path().extension().is_some_and(|kind| kind == "json"))
        .collect();
    files.sort_by_key(|file| file.path());
    files
}

/// Parses a file, and keeps of the parsed form only what the file states: everything else is the
/// server's to choose.
fn read<T>(file: &File<'_>) -> Result<(Box<T>, Map<String, Value>), Error>
where
    T: DeserializeOwned + Serialize,
{
    let invalid = |reason| Error::Definition {
        name: file.path().display().to_string(),
        reason,
    };
    let stated: Map<String, Value> = serde_json::from_slice(file.contents()).map_err(invalid)?;
    let config: T = serde_json::from_slice(file.contents()).map_err(invalid)?;
    let mut wanted = fields(&config).map_err(invalid)?;
    wanted.retain(|name, _| stated.contains_key(name));
    Ok((Box::new(config), wanted))
}

/// A configuration as its fields.
pub(super) fn fields(config: &impl Serialize) -> Result<Map<String, Value>, serde_json::Error> {
    serde_json::from_value(serde_json::to_value(config)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_definition_parses_and_states_only_known_fields() {
        let definitions = all(1).unwrap();
        assert!(definitions.len() >= 2);
        for (folder, kinds) in [(&STREAMS, "Stream"), (&CONSUMERS, "Consumer")] {
            for file in files(folder) {
                let stated: Map<String, Value> = serde_json::from_slice(file.contents()).unwrap();
                let parsed = definitions.iter().find(|definition| {
                    format!("{definition:?}").starts_with(kinds)
                        && definition.wanted().get("name") == stated.get("name")
                });
                let wanted = parsed.unwrap().wanted();
                for field in stated.keys() {
                    assert!(wanted.contains_key(field), "{field} in {:?}", file.path());
                }
            }
        }
    }

    #[test]
    fn every_stream_is_kept_as_often_as_is_said() {
        for definition in all(3).unwrap() {
            if let Definition::Stream { config, wanted } = definition {
                assert_eq!(config.num_replicas, 3);
                assert_eq!(wanted[REPLICAS], 3);
            }
        }
    }
}
