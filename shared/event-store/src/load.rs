//! Reads histories from their beginning.

use std::collections::BTreeMap;

use sqlx::PgExecutor;
use tollkeeper_domain::event::Stream;
use tollkeeper_domain::ids::TokenId;
use uuid::Uuid;

use crate::stored::{EventRow, ReadError, StoredEvent};

/// All events of one stream in their order; none if there is no such stream.
///
/// # Errors
/// [`ReadError`] if the database does not answer or an event cannot be read.
pub async fn load(db: impl PgExecutor<'_>, stream: Stream) -> Result<Vec<StoredEvent>, ReadError> {
    let rows = sqlx::query_as!(
        EventRow,
        "select position, event_id, stream_type, stream_id, stream_version, type, schema_version,
            payload, actor, request_id, occurred_at, recorded_at, hash, account_id
        from events where stream_id = $1 and stream_type = $2 order by stream_version",
        stream.id(),
        stream.kind(),
    )
    .fetch_all(db)
    .await?;
    rows.into_iter().map(EventRow::read).collect()
}

/// All events of each of these tokens in their order; a token that is not there is left out.
///
/// # Errors
/// [`ReadError`] if the database does not answer or an event cannot be read.
pub async fn load_tokens(
    db: impl PgExecutor<'_>,
    tokens: &[TokenId],
) -> Result<BTreeMap<TokenId, Vec<StoredEvent>>, ReadError> {
    let ids: Vec<Uuid> = tokens.iter().map(|id| id.0).collect();
    let rows = sqlx::query_as!(
        EventRow,
        "select position, event_id, stream_type, stream_id, stream_version, type, schema_version,
            payload, actor, request_id, occurred_at, recorded_at, hash, account_id
        from events where stream_id = any($1) and stream_type = 'token'
        order by stream_id, stream_version",
        &ids,
    )
    .fetch_all(db)
    .await?;
    let mut histories: BTreeMap<TokenId, Vec<StoredEvent>> = BTreeMap::new();
    for row in rows {
        let id = TokenId(row.stream_id);
        histories.entry(id).or_default().push(row.read()?);
    }
    Ok(histories)
}
