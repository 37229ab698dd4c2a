//! The table `idempotency_keys`, but for the answers, which are written by the transaction that
//! they belong to. Time is the database's, so that no process is early.

use serde_json::Value;
use sqlx::PgExecutor;
use uuid::Uuid;

/// Whose key it is, for what, and how it is called.
#[derive(Debug, Clone)]
pub(super) struct Id {
    pub(super) caller: String,
    pub(super) route: String,
    pub(super) key: String,
}

/// The row of a key as it is.
pub(super) struct Row {
    pub(super) fingerprint: Vec<u8>,
    pub(super) holder: Uuid,
    /// The answer, once there is one.
    pub(super) answer: Option<Kept>,
    /// Neither answer nor reservation holds any more.
    pub(super) is_over: bool,
}

/// An answer that was kept.
pub(super) struct Kept {
    pub(super) status: i16,
    pub(super) headers: Value,
    pub(super) body: String,
    /// How its secret is called, if it has one.
    pub(super) secret_member: Option<String>,
    /// The secret, while it may be shown again.
    pub(super) sealed: Option<Vec<u8>>,
    /// The time for that is over.
    pub(super) is_late: bool,
}

/// What Postgres raises where a lock was not to be had in time.
const LOCK_NOT_AVAILABLE: &str = "55P03";

/// Reserves a key that is free. Tells whether it was.
///
/// An insert waits for whoever is writing the same row, even if it is to do nothing then. So it is
/// left out where there is a row, and does not wait for long where one comes in that very moment.
pub(super) async fn reserve(
    db: impl PgExecutor<'_>,
    id: &Id,
    fingerprint: &[u8],
    holder: Uuid,
) -> Result<bool, sqlx::Error> {
    let done = sqlx::query!(
        "with patience as (select set_config('lock_timeout', '100ms', true))
        insert into idempotency_keys
            (caller, route, key, fingerprint, holder, reserved_until, created_at)
        select $1, $2, $3, $4, $5, clock_timestamp() + interval '15 seconds', clock_timestamp()
        from patience
        where not exists (
            select from idempotency_keys where caller = $1 and route = $2 and key = $3
        )
        on conflict do nothing",
        id.caller,
        id.route,
        id.key,
        fingerprint,
        holder,
    )
    .execute(db)
    .await;
    match done {
        Ok(done) => Ok(done.rows_affected() == 1),
        Err(sqlx::Error::Database(error))
            if error.code().as_deref() == Some(LOCK_NOT_AVAILABLE) =>
        {
            Ok(false)
        }
        Err(error) => Err(error),
    }
}

/// The row of a key. Waits for nobody.
pub(super) async fn find(db: impl PgExecutor<'_>, id: &Id) -> Result<Option<Row>, sqlx::Error> {
    let row = sqlx::query!(
        r#"select fingerprint, holder, status, headers, body, secret_member, sealed,
            coalesce(sealed_until, created_at + interval '10 minutes') <= clock_timestamp()
                as "is_late!",
            case when status is null then reserved_until <= clock_timestamp()
                else created_at <= clock_timestamp() - interval '24 hours' end as "is_over!"
        from idempotency_keys where caller = $1 and route = $2 and key = $3"#,
        id.caller,
        id.route,
        id.key,
    )
    .fetch_optional(db)
    .await?;
    Ok(row.map(|row| {
        let answer = row.status.zip(row.headers).zip(row.body);
        Row {
            fingerprint: row.fingerprint,
            holder: row.holder,
            answer: answer.map(|((status, headers), body)| Kept {
                status,
                headers,
                body,
                secret_member: row.secret_member,
                sealed: row.sealed,
                is_late: row.is_late,
            }),
            is_over: row.is_over,
        }
    }))
}

/// Takes over a key from `before`, whose time is over. Whoever is just writing an answer is not
/// waited for. Tells whether it was done.
pub(super) async fn take_over(
    db: impl PgExecutor<'_>,
    id: &Id,
    fingerprint: &[u8],
    (before, holder): (Uuid, Uuid),
) -> Result<bool, sqlx::Error> {
    let done = sqlx::query!(
        "with over as (
            select caller, route, key from idempotency_keys
            where caller = $1 and route = $2 and key = $3 and holder = $4
                and case when status is null then reserved_until <= clock_timestamp()
                    else created_at <= clock_timestamp() - interval '24 hours' end
            for update skip locked
        )
        update idempotency_keys as k
        set fingerprint = $5, holder = $6, created_at = clock_timestamp(),
            reserved_until = clock_timestamp() + interval '15 seconds', status = null,
            headers = null, body = null, sealed = null, sealed_until = null, secret_member = null,
            profile_of = null
        from over
        where (k.caller, k.route, k.key) = (over.caller, over.route, over.key)",
        id.caller,
        id.route,
        id.key,
        before,
        fingerprint,
        holder,
    )
    .execute(db)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Gives up a reservation, so that whatever its holder has still under way comes to nothing. Leaves
/// an answer alone.
pub(super) async fn release(
    db: impl PgExecutor<'_>,
    id: &Id,
    holder: Uuid,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "delete from idempotency_keys
        where caller = $1 and route = $2 and key = $3 and holder = $4 and status is null",
        id.caller,
        id.route,
        id.key,
        holder,
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Writes an answer outside an append, in the transaction of what it tells of.
pub(super) async fn write(db: impl PgExecutor<'_>, rows: Value) -> Result<(), sqlx::Error> {
    sqlx::query!("select project_idempotency_keys($1)", rows)
        .fetch_one(db)
        .await?;
    Ok(())
}

/// Removes at most `limit` sealed secrets that may be shown no more.
pub(super) async fn forget_secrets(
    db: impl PgExecutor<'_>,
    limit: i64,
) -> Result<u64, sqlx::Error> {
    let done = sqlx::query!(
        "with late as (
            select caller, route, key from idempotency_keys
            where sealed is not null and sealed_until <= clock_timestamp()
            order by sealed_until limit $1 for update skip locked
        )
        update idempotency_keys as k set sealed = null, sealed_until = null
        from late where (k.caller, k.route, k.key) = (late.caller, late.route, late.key)",
        limit,
    )
    .execute(db)
    .await?;
    Ok(done.rows_affected())
}

/// Removes at most `limit` keys whose time is over.
pub(super) async fn remove_old(db: impl PgExecutor<'_>, limit: i64) -> Result<u64, sqlx::Error> {
    let done = sqlx::query!(
        "with old as (
            select caller, route, key from idempotency_keys
            where created_at <= clock_timestamp() - interval '24 hours'
            order by created_at limit $1 for update skip locked
        )
        delete from idempotency_keys as k using old
        where (k.caller, k.route, k.key) = (old.caller, old.route, old.key)",
        limit,
    )
    .execute(db)
    .await?;
    Ok(done.rows_affected())
}
