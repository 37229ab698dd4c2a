//! Events as the log has told them to others, by the stream or by what somebody has kept of them.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::Path;
use std::sync::Arc;

use async_nats::jetstream::stream::RawMessageErrorKind;
use chrono::{DateTime, Utc};
use futures::stream::{self, BoxStream};
use futures::{StreamExt, TryStreamExt};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tollkeeper_runtime::nats;
use tollkeeper_runtime::settings::{BrokerSettings, Source};
use uuid::Uuid;

use super::Error;

const STREAM: &str = "LIFECYCLE";

/// How many messages are asked for at once.
const AT_ONCE: usize = 64;

/// Whose event it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Kind {
    Token,
    Account,
}

impl Kind {
    /// `token` or `account`.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Token => "token",
            Self::Account => "account",
        }
    }
}

/// An event, as far as it matters here.
#[derive(Debug, Clone, Deserialize, Serialize)]
pub(super) struct Told {
    /// Where it stood in the log.
    pub(super) position: i64,
    pub(super) event_id: Uuid,
    pub(super) stream_type: Kind,
    pub(super) stream_id: Uuid,
    pub(super) account_id: Uuid,
    #[serde(rename = "type")]
    pub(super) name: String,
    pub(super) payload: Value,
    pub(super) actor: String,
    pub(super) recorded_at: DateTime<Utc>,
}

/// Events in any order, some of them perhaps twice; `None` is something that cannot be read as one.
pub(super) type Telling = BoxStream<'static, Result<Option<Told>, Error>>;

/// Those that the stream holds now.
pub(super) async fn by_the_stream(source: &Source) -> Result<Telling, Error> {
    let client = nats::connect_once(&BrokerSettings::read(source)?, "tollkeeper").await?;
    let stream = nats::jetstream(&client).get_stream(STREAM).await;
    let stream = Arc::new(stream.map_err(|error| Error::Stream(error.into()))?);
    let state = &stream.cached_info().state;
    let sequences = state.first_sequence.max(1)..=state.last_sequence;
    // Each by its number: a consumer would have to be made, which is more than to read.
    let messages = stream::iter(sequences).map(move |sequence| {
        let stream = Arc::clone(&stream);
        async move { stream.get_raw_message(sequence).await }
    });
    let told = messages
        .buffered(AT_ONCE)
        .filter_map(async |message| match message {
            Ok(message) => Some(Ok(serde_json::from_slice(&message.payload).ok())),
            // Its day is over since the stream was looked at.
            Err(error) if error.kind() == RawMessageErrorKind::NoMessageFound => None,
            Err(error) => Some(Err(Error::Stream(error.into()))),
        });
    Ok(told.boxed())
}

/// Those in a file.
pub(super) fn by_a_file(path: &Path) -> Result<Telling, Error> {
    let input: Box<dyn Read + Send> = if path == Path::new("-") {
        Box::new(io::stdin())
    } else {
        let opened = File::open(path).map_err(|reason| Error::File {
            path: path.to_owned(),
            reason,
        })?;
        Box::new(opened)
    };
    let values = serde_json::Deserializer::from_reader(BufReader::new(input)).into_iter::<Value>();
    let told = stream::iter(values)
        .map_err(Error::Json)
        .map_ok(|value| stream::iter(events(value).into_iter().map(Ok::<_, Error>)))
        .try_flatten();
    Ok(told.boxed())
}

/// The events of one piece of JSON: an event, several, a page of the feed, or what a webhook was sent.
fn events(mut value: Value) -> Vec<Option<Told>> {
    for member in ["items", "data"] {
        if let Some(within) = value.get_mut(member) {
            value = within.take();
            break;
        }
    }
    let values = match value {
        Value::Array(values) => values,
        value => vec![value],
    };
    let read = values.into_iter().map(|it| serde_json::from_value(it).ok());
    read.collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn events_are_found_in_whatever_form_they_were_kept() {
        let event = json!({
            "position": 7, "event_id": Uuid::from_u128(1), "stream_type": "token",
            "stream_id": Uuid::from_u128(2), "account_id": Uuid::from_u128(3), "stream_version": 2,
            "type": "TokenRevoked", "schema_version": 1, "payload": { "reason": "leaked" },
            "actor": "operator:test", "request_id": "r", "occurred_at": "2026-11-02T14:10:00Z",
            "recorded_at": "2026-11-02T14:10:00Z",
        });
        for (kept, expected) in [
            (event.clone(), vec![Some(7)]),
            (json!([event, event]), vec![Some(7), Some(7)]),
            (
                json!({ "items": [event], "next_after": 7, "has_more": false }),
                vec![Some(7)],
            ),
            (
                json!({ "type": "TokenRevoked", "timestamp": "…", "data": event }),
                vec![Some(7)],
            ),
            (json!({ "items": [] }), vec![]),
            (json!("something else"), vec![None]),
        ] {
            let found = events(kept).into_iter();
            let found: Vec<_> = found.map(|it| it.map(|it| it.position)).collect();
            assert_eq!(found, expected);
        }
    }
}
