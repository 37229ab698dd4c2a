//! `usage_dead_letters`: what could not be counted, raw.

use bytes::Bytes;
use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use tollkeeper_usage::message::Origin;
use uuid::Uuid;

/// Why something is a dead letter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reason {
    Undecodable,
    Refused,
    Overlap,
}

impl Reason {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Undecodable => "undecodable",
            Self::Refused => "refused",
            Self::Overlap => "overlap",
        }
    }
}

/// A row of the table.
#[derive(Debug, Clone)]
pub(crate) struct DeadLetter {
    pub(crate) range: Option<(Uuid, u64, u64)>,
    pub(crate) reason: Reason,
    pub(crate) detail: String,
    /// Whether the payload is one record and not a whole message.
    pub(crate) is_record: bool,
    pub(crate) subject: String,
    pub(crate) payload: Bytes,
    /// For the log: where it comes from, and the id of the request if it is a record that can be read.
    pub(crate) origin: Origin,
    pub(crate) request_id: String,
}

/// Inserts dead letters. They are few, so each is a statement of its own.
pub(crate) async fn insert(
    connection: &mut PgConnection,
    letters: &[DeadLetter],
    received_at: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    for letter in letters {
        let kind = if letter.is_record {
            "record"
        } else {
            "message"
        };
        // Postgres takes no NUL in a text; what the peer sent stays whole in the payload.
        let detail = letter.detail.replace('\0', "\u{fffd}");
        sqlx::query!(
            "insert into usage_dead_letters
               (received_at, source, first, last, reason, detail, kind, subject, payload)
             values ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
            received_at,
            letter.range.map(|range| range.0),
            letter.range.map(|range| range.1 as i64),
            letter.range.map(|range| range.2 as i64),
            letter.reason.as_str(),
            detail,
            kind,
            letter.subject,
            &letter.payload[..],
        )
        .execute(&mut *connection)
        .await?;
    }
    Ok(())
}

/// A letter that somebody has asked to try again.
#[derive(Debug)]
pub(crate) struct AskedFor {
    pub(crate) id: i64,
    pub(crate) source: Option<Uuid>,
    pub(crate) first: Option<i64>,
    /// Whether the payload is one record and not a whole message.
    pub(crate) is_record: bool,
    pub(crate) subject: String,
    pub(crate) payload: Vec<u8>,
}

/// The next letter that somebody has asked to try again.
pub(crate) async fn next_asked_for(
    connection: &mut PgConnection,
) -> Result<Option<AskedFor>, sqlx::Error> {
    sqlx::query_as!(
        AskedFor,
        r#"select id, source, first, kind = 'record' as "is_record!", subject, payload
        from usage_dead_letters where replay_asked_at is not null order by id limit 1"#,
    )
    .fetch_optional(connection)
    .await
}

/// Takes a letter that somebody has asked to try again out of the table; whether it was there.
pub(crate) async fn take(connection: &mut PgConnection, id: i64) -> Result<bool, sqlx::Error> {
    let done = sqlx::query!(
        "delete from usage_dead_letters where id = $1 and replay_asked_at is not null",
        id
    )
    .execute(connection)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Notes why a letter could not be counted.
pub(crate) async fn replay_failed(
    connection: &mut PgConnection,
    id: i64,
    reason: &str,
) -> Result<(), sqlx::Error> {
    let reason = reason.replace('\0', "\u{fffd}");
    sqlx::query!(
        "update usage_dead_letters set replay_asked_at = null, replay_failure = $2 where id = $1",
        id,
        reason,
    )
    .execute(connection)
    .await?;
    Ok(())
}
