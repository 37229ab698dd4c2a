//! A dead letter as clients see it.

use chrono::{DateTime, Utc};
use serde::Serialize;
use tollkeeper_read_model::usage::dead_letters::LetterRow;
use utoipa::ToSchema;
use uuid::Uuid;

use super::Reason;

/// Usage that could not be counted, without what it holds.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = DeadLetter, example = json!({
    "id": 17,
    "received_at": "2026-11-21T10:20:30.004512Z",
    "reason": "refused",
    "detail": "new row for relation \"api_token_usage\" violates check constraint \"no_tea\"",
    "kind": "record",
    "source": "019aa5d0-4b1c-7f3e-a1d2-6c7b8a9d0e20",
    "first": 12_001,
    "last": 12_001,
    "bytes": 214,
    "replay_asked_at": null,
    "replay_failure": null,
}))]
pub(crate) struct LetterView {
    /// Its number; they rise.
    #[schema(minimum = 1)]
    id: i64,
    /// When it was put aside.
    received_at: DateTime<Utc>,
    #[schema(value_type = Reason)]
    reason: String,
    /// What was wrong, for people. It may be in the words of whoever sent it.
    detail: String,
    /// `message`, or one `record` of a message.
    #[schema(pattern = "^(message|record)$")]
    kind: String,
    /// Whose it is, as `GET /v1/usage/completeness` names sources; null where it did not say so.
    #[schema(required)]
    source: Option<Uuid>,
    /// The first number that it stands for.
    #[schema(required)]
    first: Option<i64>,
    /// The last.
    #[schema(required)]
    last: Option<i64>,
    /// How many bytes it holds.
    #[schema(minimum = 0)]
    bytes: i32,
    /// Since when it is to be tried again; null where nobody has asked for it, or it was tried.
    #[schema(required)]
    replay_asked_at: Option<DateTime<Utc>>,
    /// Why the last try failed.
    #[schema(required)]
    replay_failure: Option<String>,
}

impl From<LetterRow> for LetterView {
    fn from(row: LetterRow) -> Self {
        Self {
            id: row.id,
            received_at: row.received_at,
            reason: row.reason,
            detail: row.detail,
            kind: row.kind,
            source: row.source,
            first: row.first,
            last: row.last,
            bytes: row.bytes,
            replay_asked_at: row.replay_asked_at,
            replay_failure: row.replay_failure,
        }
    }
}
