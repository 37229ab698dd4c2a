//! Reads one history from its beginning.

use sqlx::PgExecutor;
use tollkeeper_domain::event::Stream;

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
