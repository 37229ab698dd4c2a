//! An event as it stands in the log.

use chrono::{DateTime, Utc};
use serde_json::Value;
use tollkeeper_domain::event::{Event, Stream, Unreadable};
use tollkeeper_domain::ids::AccountId;
use uuid::Uuid;

/// One event of the log with everything that is known of it.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredEvent {
    /// Its place in the one order of all events, from 1 on without gaps.
    pub position: i64,
    /// Its own id.
    pub event_id: Uuid,
    /// Whose history it belongs to.
    pub stream: Stream,
    /// The account that the stream belongs to.
    pub account_id: AccountId,
    /// Its place in that history, from 1 on without gaps.
    pub stream_version: u64,
    /// What happened.
    pub event: Event,
    /// Who caused it: `operator:<name>`, `token:<id>`, `account:<id>` or `system:<task>`.
    pub actor: String,
    /// The request that caused it.
    pub request_id: String,
    /// When it was decided.
    pub occurred_at: DateTime<Utc>,
    /// When it was committed to the log; never goes back.
    pub recorded_at: DateTime<Utc>,
    /// Binds it to all events before it.
    pub hash: [u8; 32],
}

/// Why events cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The database did not answer.
    #[error("the event log cannot be read: {0}")]
    Database(#[from] sqlx::Error),
    /// An event is not what it should be.
    #[error("event {position} cannot be read: {source}")]
    Unreadable {
        /// Where it stands.
        position: i64,
        /// What is wrong.
        source: Unreadable,
    },
    /// A column holds what no writer writes.
    #[error("event {position} is damaged: {what}")]
    Damaged {
        /// Where it stands.
        position: i64,
        /// What is wrong.
        what: &'static str,
    },
}

/// A row of the table, as the queries of this crate read it.
pub(crate) struct EventRow {
    pub(crate) position: i64,
    pub(crate) event_id: Uuid,
    pub(crate) stream_type: String,
    pub(crate) stream_id: Uuid,
    pub(crate) stream_version: i64,
    pub(crate) r#type: String,
    pub(crate) schema_version: i32,
    pub(crate) payload: Vec<u8>,
    pub(crate) actor: String,
    pub(crate) request_id: String,
    pub(crate) occurred_at: DateTime<Utc>,
    pub(crate) recorded_at: DateTime<Utc>,
    pub(crate) hash: Vec<u8>,
    pub(crate) account_id: Uuid,
}

impl EventRow {
    /// Reads the payload as JSON.
    pub(crate) fn payload(&self) -> Result<Value, ReadError> {
        serde_json::from_slice(&self.payload).map_err(|_| self.damaged("the payload is not JSON"))
    }

    pub(crate) fn damaged(&self, what: &'static str) -> ReadError {
        ReadError::Damaged {
            position: self.position,
            what,
        }
    }

    /// The schema's version as the domain counts it.
    pub(crate) fn schema_version(&self) -> Result<u32, ReadError> {
        u32::try_from(self.schema_version).map_err(|_| self.damaged("negative schema version"))
    }

    /// The version within the stream as the domain counts it.
    pub(crate) fn stream_version(&self) -> Result<u64, ReadError> {
        u64::try_from(self.stream_version).map_err(|_| self.damaged("negative stream version"))
    }

    pub(crate) fn hash(&self) -> Result<[u8; 32], ReadError> {
        let hash = self.hash.as_slice();
        hash.try_into()
            .map_err(|_| self.damaged("the hash is not 32 bytes"))
    }

    /// Reads the whole event.
    pub(crate) fn read(self) -> Result<StoredEvent, ReadError> {
        let position = self.position;
        let stream = Stream::of(&self.stream_type, self.stream_id)
            .ok_or_else(|| self.damaged("unknown stream type"))?;
        let event = Event::read(&self.r#type, self.schema_version()?, self.payload()?)
            .map_err(|source| ReadError::Unreadable { position, source })?;
        Ok(StoredEvent {
            position,
            event_id: self.event_id,
            stream,
            account_id: self.account_id.into(),
            stream_version: self.stream_version()?,
            event,
            hash: self.hash()?,
            actor: self.actor,
            request_id: self.request_id,
            occurred_at: self.occurred_at,
            recorded_at: self.recorded_at,
        })
    }
}
