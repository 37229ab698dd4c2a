//! The table `webhooks`, as those who deliver lease it and move its cursor.

use std::time::Duration;

use chrono::{DateTime, Utc};
use sqlx::PgExecutor;
use tollkeeper_domain::ids::AccountId;
use uuid::Uuid;

use super::endpoints::Reason;

/// How far behind the log a cursor may stay while there is nothing to send: it bounds what a look
/// for work has to read, and what is written for a webhook that has nothing to do.
const SLACK: i64 = 500;

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

/// The secrets that a process can sign with.
#[derive(Debug)]
pub(in crate::webhooks) struct Keyring<'a> {
    /// What sealed bytes begin with that one of its keys has sealed.
    pub(in crate::webhooks) headers: &'a [Vec<u8>],
    /// Secrets that could not be opened all the same.
    pub(in crate::webhooks) closed: &'a [Uuid],
}

/// Leases at most `limit` webhooks that have something to send at `now`, those served longest ago
/// first. Those whose secret this process cannot open are not for it, and what belongs to a deleted
/// account has nothing to send.
pub(in crate::webhooks) async fn lease(
    db: impl PgExecutor<'_>,
    now: DateTime<Utc>,
    length: Duration,
    limit: i64,
    keyring: Keyring<'_>,
) -> Result<Vec<Leased>, sqlx::Error> {
    // What was found was found in the webhook as it was: the fence tells whether it still is so.
    let rows = sqlx::query!(
        r#"with due as materialized (
            select p.id, p.fence, p.head, p.leased_until
            from webhook_prospects as p
            where p.leased_until < clock_timestamp()
                and (p.retry_at is null or p.retry_at <= $1)
                and p.next_event is not null
                and not exists (
                    select from accounts as a where a.id = p.account_id and a.state = 'deleted'
                )
        ),
        taken as materialized (
            select w.id, due.head
            from webhooks as w
            join due on due.id = w.id and due.fence = w.fence
            where exists (
                select from webhook_secrets as s, unnest($4::bytea[]) as k (header)
                where s.webhook_id = w.id and s.valid_until is null
                    and s.id <> all ($5::uuid[])
                    and substring(s.sealed from 1 for length(k.header)) = k.header
            )
            order by due.leased_until
            limit $3
            for update of w skip locked
        )
        update webhooks as w
        set fence = w.fence + 1, leased_until = clock_timestamp() + make_interval(secs => $2)
        from taken
        where w.id = taken.id
        returning w.id, w.account_id, w.url, w.types, w.position, taken.head as "head!",
            w.failing_since, w.failures, w.fence"#,
        now,
        length.as_secs_f64(),
        limit,
        keyring.headers,
        keyring.closed,
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

/// Moves on the cursors of all webhooks that are far behind and have nothing to send in what a look
/// sees, whoever can sign for them. Tells whether some are far behind still.
pub(in crate::webhooks) async fn pass_over(
    db: impl PgExecutor<'_>,
    now: DateTime<Utc>,
) -> Result<bool, sqlx::Error> {
    // The fence, as above: a replay that comes between must not be passed over.
    sqlx::query_scalar!(
        r#"with idle as materialized (
            select p.id, p.fence, p.seen_to, p.head
            from webhook_prospects as p
            where p.leased_until < clock_timestamp()
                and (p.retry_at is null or p.retry_at <= $1)
                and p.position < p.head - $2
                and p.next_event is null
        ),
        taken as materialized (
            select w.id, idle.seen_to, idle.head
            from webhooks as w
            join idle on idle.id = w.id and idle.fence = w.fence
            for update of w skip locked
        ),
        moved as (
            update webhooks as w
            set position = taken.seen_to, failing_since = null, failures = 0, retry_at = null
            from taken
            where w.id = taken.id and w.position < taken.seen_to
            returning taken.seen_to < taken.head - $2 as behind
        )
        select coalesce(bool_or(behind), false) as "behind!" from moved"#,
        now,
        SLACK,
    )
    .fetch_one(db)
    .await
}

/// Webhooks for which an event has been waiting since before `since` although nobody has served them
/// and no failure is waited out, and whose secret this process cannot sign with: each with the
/// secret.
pub(in crate::webhooks) async fn stranded(
    db: impl PgExecutor<'_>,
    since: DateTime<Utc>,
    keyring: Keyring<'_>,
) -> Result<Vec<(Uuid, Uuid)>, sqlx::Error> {
    let rows = sqlx::query!(
        r#"select p.id as "webhook!", s.id as "secret!"
        from webhook_prospects as p
        join webhook_secrets as s on s.webhook_id = p.id and s.valid_until is null
        join events as e on e.position = p.next_event
        where e.recorded_at < $1 and p.leased_until < $1
            and (p.retry_at is null or p.retry_at < $1)
            and s.id <> all ($3::uuid[])
            and not exists (
                select from unnest($2::bytea[]) as k (header)
                where substring(s.sealed from 1 for length(k.header)) = k.header
            )
            and not exists (
                select from accounts as a where a.id = p.account_id and a.state = 'deleted'
            )"#,
        since,
        keyring.headers,
        keyring.closed,
    )
    .fetch_all(db)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| (row.webhook, row.secret))
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
