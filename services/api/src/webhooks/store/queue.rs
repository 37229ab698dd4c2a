//! The table `webhooks`, as those who deliver lease it and move its cursor.

use std::time::Duration;

use chrono::{DateTime, Utc};
use sqlx::PgExecutor;
use tollkeeper_domain::ids::AccountId;
use uuid::Uuid;

use super::endpoints::Reason;

/// How far behind the log a cursor may stay while there is nothing to send: it bounds what a look
/// for work has to read.
const SLACK: i64 = 1_000;

/// The right to deliver to one webhook for a while.
#[derive(Debug, Clone)]
pub(in crate::webhooks) struct Leased {
    pub(in crate::webhooks) id: Uuid,
    pub(in crate::webhooks) account_id: Option<AccountId>,
    pub(in crate::webhooks) url: String,
    pub(in crate::webhooks) types: Vec<String>,
    /// Events up to here are done.
    pub(in crate::webhooks) position: i64,
    /// The end of the log when the lease was taken.
    pub(in crate::webhooks) head: i64,
    pub(in crate::webhooks) failing_since: Option<DateTime<Utc>>,
    pub(in crate::webhooks) failures: u32,
    fence: i64,
}

/// The lease is somebody else's by now, or the webhook was changed.
#[derive(Debug, thiserror::Error)]
pub(in crate::webhooks) enum QueueError {
    #[error(transparent)]
    Database(#[from] sqlx::Error),
    #[error("the lease on this webhook was lost")]
    Lost,
}

/// Leases at most `limit` webhooks that have something to send at `now`, those served longest ago
/// first: those whose signing secret is sealed under one of the keys that the sealed bytes of `keys`
/// begin with, for the others are not for this process. What belongs to a deleted account has
/// nothing to send.
pub(in crate::webhooks) async fn lease(
    db: impl PgExecutor<'_>,
    now: DateTime<Utc>,
    length: Duration,
    limit: i64,
    keys: &[Vec<u8>],
) -> Result<Vec<Leased>, sqlx::Error> {
    let rows = sqlx::query!(
        r#"with due as materialized (
            select w.id, h.position as head
            from webhooks as w
            cross join event_log_head as h
            where w.state = 'enabled' and w.leased_until < clock_timestamp()
                and (w.retry_at is null or w.retry_at <= $1)
                and w.position < h.position
                and not exists (
                    select from accounts as a where a.id = w.account_id and a.state = 'deleted'
                )
                and exists (
                    select from webhook_secrets as s, unnest($5::bytea[]) as k (name)
                    where s.webhook_id = w.id and s.valid_until is null
                        and substring(s.sealed from 1 for length(k.name)) = k.name
                )
                and (
                    w.position < h.position - $4
                    or w.account_id is null and exists (
                        select from events as e
                        where e.position > w.position
                            and (w.types = '{}' or e.type = any (w.types))
                    )
                    or w.account_id is not null and exists (
                        select from events as e
                        where e.account_id = w.account_id and e.position > w.position
                            and (w.types = '{}' or e.type = any (w.types))
                    )
                )
            order by w.leased_until
            limit $3
            for update of w skip locked
        )
        update webhooks as w
        set fence = w.fence + 1, leased_until = clock_timestamp() + make_interval(secs => $2)
        from due
        where w.id = due.id
        returning w.id, w.account_id, w.url, w.types, w.position, due.head as "head!",
            w.failing_since, w.failures, w.fence"#,
        now,
        length.as_secs_f64(),
        limit,
        SLACK,
        keys,
    )
    .fetch_all(db)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| Leased {
            id: row.id,
            account_id: row.account_id.map(AccountId),
            url: row.url,
            types: row.types,
            position: row.position,
            head: row.head,
            failing_since: row.failing_since,
            failures: row.failures.unsigned_abs(),
            fence: row.fence,
        })
        .collect())
}

fn held(done: &sqlx::postgres::PgQueryResult) -> Result<(), QueueError> {
    if done.rows_affected() == 1 {
        Ok(())
    } else {
        Err(QueueError::Lost)
    }
}

/// Moves the cursor forward to `position`, because everything up to there was taken, and holds the
/// lease for another `length`.
pub(in crate::webhooks) async fn advance(
    db: impl PgExecutor<'_>,
    leased: &mut Leased,
    position: i64,
    length: Duration,
) -> Result<(), QueueError> {
    let done = sqlx::query!(
        "update webhooks
        set position = $4, leased_until = clock_timestamp() + make_interval(secs => $5),
            failing_since = null, failures = 0, retry_at = null
        where id = $1 and fence = $2 and position = $3 and $4 > position",
        leased.id,
        leased.fence,
        leased.position,
        position,
        length.as_secs_f64(),
    )
    .execute(db)
    .await?;
    held(&done)?;
    leased.position = position;
    leased.failures = 0;
    leased.failing_since = None;
    Ok(())
}

/// Gives the lease back. It counts as served now.
pub(in crate::webhooks) async fn give_back(
    db: impl PgExecutor<'_>,
    leased: &Leased,
) -> Result<(), QueueError> {
    let done = sqlx::query!(
        "update webhooks set leased_until = clock_timestamp() where id = $1 and fence = $2",
        leased.id,
        leased.fence,
    )
    .execute(db)
    .await?;
    held(&done)
}

/// Gives the lease back after a failure: the next attempt is due at `retry_at`.
pub(in crate::webhooks) async fn postpone(
    db: impl PgExecutor<'_>,
    leased: &Leased,
    failing_since: Option<DateTime<Utc>>,
    failures: u32,
    retry_at: DateTime<Utc>,
) -> Result<(), QueueError> {
    let done = sqlx::query!(
        "update webhooks
        set leased_until = clock_timestamp(), failing_since = $3, failures = $4, retry_at = $5
        where id = $1 and fence = $2",
        leased.id,
        leased.fence,
        failing_since,
        i32::try_from(failures).unwrap_or(i32::MAX),
        retry_at,
    )
    .execute(db)
    .await?;
    held(&done)
}

/// Disables the webhook. It stays where it is in the log.
pub(in crate::webhooks) async fn disable(
    db: impl PgExecutor<'_>,
    leased: &Leased,
    reason: Reason,
    failing_since: DateTime<Utc>,
    failures: u32,
    now: DateTime<Utc>,
) -> Result<(), QueueError> {
    let done = sqlx::query!(
        "update webhooks
        set state = 'disabled', disabled_reason = $3, leased_until = 'epoch', retry_at = null,
            failing_since = $4, failures = $5, version = version + 1, updated_at = $6
        where id = $1 and fence = $2",
        leased.id,
        leased.fence,
        reason.as_str(),
        failing_since,
        i32::try_from(failures).unwrap_or(i32::MAX),
        now,
    )
    .execute(db)
    .await?;
    held(&done)
}
