//! Reads the one order of all events, a page at a time.

use chrono::{DateTime, Utc};
use sqlx::PgExecutor;
use tollkeeper_domain::ids::AccountId;

use crate::stored::{EventRow, ReadError, StoredEvent};

/// The last event of the log: its position, and the hash that binds all events to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    /// Its position; 0 while the log is empty.
    pub position: i64,
    /// Its hash; zeros while the log is empty.
    pub hash: [u8; 32],
}

/// Why the log cannot be followed.
#[derive(Debug, thiserror::Error)]
pub enum FollowError {
    /// An event cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// A position is missing, which no writer can have caused.
    #[error("the log has a gap: event {expected} is missing before event {found}")]
    Gap {
        /// The position that should have come.
        expected: i64,
        /// The position that came.
        found: i64,
    },
}

/// The head of the log.
///
/// # Errors
/// [`ReadError`] if the database does not answer.
pub async fn head(db: impl PgExecutor<'_>) -> Result<Head, ReadError> {
    let row = sqlx::query!("select position, hash from event_log_head")
        .fetch_one(db)
        .await?;
    let position = row.position;
    let hash = row.hash.as_slice().try_into();
    let hash = hash.map_err(|_| ReadError::Damaged {
        position,
        what: "hash of the head",
    })?;
    Ok(Head { position, hash })
}

/// The time by the clock that events are recorded by: the database's, which never goes back behind
/// the last event.
///
/// # Errors
/// [`ReadError`] if the database does not answer.
pub async fn now(db: impl PgExecutor<'_>) -> Result<DateTime<Utc>, ReadError> {
    let now = sqlx::query_scalar!(
        r#"select greatest(recorded_at, clock_timestamp()) as "now!" from event_log_head"#
    )
    .fetch_one(db)
    .await?;
    Ok(now)
}

/// At most `limit` events after `position`, in order. Fewer than `limit` means that this is the
/// end for now.
///
/// # Errors
/// [`FollowError::Gap`] if a position is missing, [`FollowError::Read`] otherwise.
pub async fn read_after(
    db: impl PgExecutor<'_>,
    position: i64,
    limit: i64,
) -> Result<Vec<StoredEvent>, FollowError> {
    let rows = page(db, position, limit).await?;
    let events = rows
        .into_iter()
        .map(EventRow::read)
        .collect::<Result<Vec<_>, _>>()?;
    for (expected, event) in (position + 1..).zip(&events) {
        if event.position != expected {
            return Err(FollowError::Gap {
                expected,
                found: event.position,
            });
        }
    }
    Ok(events)
}

/// At most `limit` events after `position` and up to `head`, in order: those of this account, where
/// one is given, and of these types, where any are. `head` is an end of the log that was read
/// before; fewer events than `limit` mean that there are no more up to it.
///
/// # Errors
/// [`ReadError`] if the database does not answer or an event cannot be read.
pub async fn read_matching(
    db: impl PgExecutor<'_>,
    (position, head): (i64, i64),
    account: Option<AccountId>,
    types: &[String],
    limit: i64,
) -> Result<Vec<StoredEvent>, ReadError> {
    let rows = match account {
        Some(account) => {
            sqlx::query_as!(
                EventRow,
                "select position, event_id, stream_type, stream_id, stream_version, type,
                    schema_version, payload, actor, request_id, occurred_at, recorded_at, hash,
                    account_id
                from events
                where account_id = $1 and position > $2 and position <= $3
                    and ($4::text[] = '{}' or type = any ($4))
                order by position limit $5",
                account.0,
                position,
                head,
                types,
                limit,
            )
            .fetch_all(db)
            .await?
        }
        None => {
            sqlx::query_as!(
                EventRow,
                "select position, event_id, stream_type, stream_id, stream_version, type,
                    schema_version, payload, actor, request_id, occurred_at, recorded_at, hash,
                    account_id
                from events
                where position > $1 and position <= $2
                    and ($3::text[] = '{}' or type = any ($3))
                order by position limit $4",
                position,
                head,
                types,
                limit,
            )
            .fetch_all(db)
            .await?
        }
    };
    rows.into_iter().map(EventRow::read).collect()
}

/// The rows of one page as they stand in the table.
pub(crate) async fn page(
    db: impl PgExecutor<'_>,
    position: i64,
    limit: i64,
) -> Result<Vec<EventRow>, ReadError> {
    let rows = sqlx::query_as!(
        EventRow,
        "select position, event_id, stream_type, stream_id, stream_version, type, schema_version,
            payload, actor, request_id, occurred_at, recorded_at, hash, account_id
        from events where position > $1 order by position limit $2",
        position,
        limit,
    )
    .fetch_all(db)
    .await?;
    Ok(rows)
}
