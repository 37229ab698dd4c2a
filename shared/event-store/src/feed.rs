//! Parts of the log for those who want no more than a part: the events of one account or of some
//! types, in the one order of all.

use chrono::{DateTime, Utc};
use futures::StreamExt;
use sqlx::PgPool;
use tollkeeper_domain::event::Stream;
use tollkeeper_domain::ids::AccountId;
use uuid::Uuid;

use crate::follow::{head, read_matching};
use crate::stored::{EventRow, ReadError, StoredEvent};

/// How many events one call looks at at most, so that a rare type never has the whole log read.
const EXAMINED: i64 = 10_000;

/// Which events.
#[derive(Debug, Clone, Default)]
pub struct FeedFilter {
    /// Only those of this account and its tokens.
    pub account: Option<AccountId>,
    /// Only those of these types; all if there is none.
    pub types: Vec<String>,
    /// Only those after this position.
    pub after: i64,
    /// At most this many.
    pub limit: i64,
}

/// Some events, and how far the log was looked through for them.
#[derive(Debug, Clone, PartialEq)]
pub struct FeedPage {
    /// The events, in order.
    pub events: Vec<StoredEvent>,
    /// Where to go on: there is nothing else that was asked for up to here.
    pub examined: i64,
    /// The end of the log when it was asked.
    pub head: i64,
}

/// The next events that were asked for.
///
/// # Errors
/// [`ReadError`] if the database does not answer or an event cannot be read.
pub async fn feed(pool: &PgPool, filter: &FeedFilter) -> Result<FeedPage, ReadError> {
    // What was committed up to here stands; what comes after is left for the next call.
    let head = head(pool).await?.position;
    let until = match filter.account {
        None => head.min(filter.after.saturating_add(EXAMINED)),
        Some(account) => {
            let until = far_enough(pool, account, filter.after).await?;
            until.map_or(head, |until| until.min(head))
        }
    };
    let range = (filter.after, until);
    let events = read_matching(pool, range, filter.account, &filter.types, filter.limit).await?;
    let full = i64::try_from(events.len()).is_ok_and(|count| count >= filter.limit);
    let last = events.last().filter(|_| full).map(|event| event.position);
    let examined = last.unwrap_or(until).max(filter.after);
    Ok(FeedPage {
        events,
        examined,
        head,
    })
}

/// The position up to which as many events of the account stand as one call looks at; none if
/// there are fewer.
async fn far_enough(
    pool: &PgPool,
    account: AccountId,
    after: i64,
) -> Result<Option<i64>, sqlx::Error> {
    sqlx::query_scalar!(
        "select position from events where account_id = $1 and position > $2
        order by position offset $3 limit 1",
        account.0,
        after,
        EXAMINED - 1,
    )
    .fetch_optional(pool)
    .await
}

/// At most `limit` events of one stream after `version`, in their order.
///
/// # Errors
/// [`ReadError`] if the database does not answer or an event cannot be read.
pub async fn history(
    pool: &PgPool,
    stream: Stream,
    version: i64,
    limit: i64,
) -> Result<Vec<StoredEvent>, ReadError> {
    let rows = sqlx::query_as!(
        EventRow,
        "select position, event_id, stream_type, stream_id, stream_version, type, schema_version,
            payload, actor, request_id, occurred_at, recorded_at, hash, account_id
        from events where stream_id = $1 and stream_type = $2 and stream_version > $3
        order by stream_version limit $4",
        stream.id(),
        stream.kind(),
        version,
        limit,
    )
    .fetch_all(pool)
    .await?;
    rows.into_iter().map(EventRow::read).collect()
}

/// All events of these token streams that were recorded by `until`, as they come from the database:
/// each stream's in its order. Histories have no bounds, so they are not to be collected.
pub fn tokens_until<'a>(
    pool: &'a PgPool,
    ids: &'a [Uuid],
    until: DateTime<Utc>,
) -> impl futures::Stream<Item = Result<StoredEvent, ReadError>> + Send + 'a {
    sqlx::query_as!(
        EventRow,
        "select position, event_id, stream_type, stream_id, stream_version, type, schema_version,
            payload, actor, request_id, occurred_at, recorded_at, hash, account_id
        from events
        where stream_id = any ($1) and stream_type = 'token' and recorded_at <= $2
        order by stream_id, stream_version",
        ids,
        until,
    )
    .fetch(pool)
    .map(|row| row?.read())
}
