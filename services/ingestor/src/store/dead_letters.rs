//! `usage_dead_letters`: what could not be counted, raw.

use bytes::Bytes;
use chrono::{DateTime, Utc};
use sqlx::PgConnection;
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
