//! `account_erasures`: what is still to be done about deleted accounts, and the erasing itself.
//!
//! The row of an account comes with its deletion, see `project_accounts`. Everything here is the
//! installation's own work on whole accounts, so nothing takes a [`crate::Reach`]. It only ever
//! touches accounts that are deleted.

use chrono::{DateTime, Utc};
use sqlx::PgExecutor;
use tollkeeper_domain::ids::{AccountId, TokenId};
use uuid::Uuid;

/// A deleted account that something is still to be done about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Erasure {
    /// The account.
    pub account_id: AccountId,
    /// How many passes over its usage are over.
    pub passes: i16,
    /// The last token whose usage the present pass has erased.
    pub done_to: Option<TokenId>,
}

/// The deleted account that has waited longest for its next pass at `now`.
///
/// # Errors
/// If the database does not answer.
pub async fn next_due(
    db: impl PgExecutor<'_>,
    now: DateTime<Utc>,
) -> Result<Option<Erasure>, sqlx::Error> {
    let row = sqlx::query!(
        "select account_id, passes, done_to from account_erasures
        where finished_at is null and due_at <= $1 order by due_at limit 1",
        now,
    )
    .fetch_optional(db)
    .await?;
    Ok(row.map(|row| Erasure {
        account_id: row.account_id.into(),
        passes: row.passes,
        done_to: row.done_to.map(Into::into),
    }))
}

/// Erases the webhooks of the deleted account, their secrets and attempts with them. No other comes
/// into being: only an active account is given one.
///
/// # Errors
/// If the database does not answer.
pub async fn erase_webhooks(
    db: impl PgExecutor<'_>,
    account: AccountId,
) -> Result<u64, sqlx::Error> {
    let erased = sqlx::query!(
        "delete from webhooks as w using accounts as a
        where w.account_id = $1 and a.id = w.account_id and a.state = 'deleted'",
        account.0,
    )
    .execute(db)
    .await?;
    Ok(erased.rows_affected())
}

/// Erases the people who sign in to the console for the deleted account, with what there is of each.
///
/// # Errors
/// If the database does not answer.
pub async fn erase_people(db: impl PgExecutor<'_>, account: AccountId) -> Result<u64, sqlx::Error> {
    let erased = sqlx::query!(
        "delete from console_people as p using accounts as a
        where p.account_id = $1 and a.id = p.account_id and a.state = 'deleted'",
        account.0,
    )
    .execute(db)
    .await?;
    Ok(erased.rows_affected())
}

/// At most `limit` tokens of the deleted account that are not revoked yet.
///
/// # Errors
/// If the database does not answer.
pub async fn not_revoked(
    db: impl PgExecutor<'_>,
    account: AccountId,
    limit: i64,
) -> Result<Vec<TokenId>, sqlx::Error> {
    let ids = sqlx::query_scalar!(
        "select t.id from api_tokens as t join accounts as a on a.id = t.account_id
        where t.account_id = $1 and t.state <> 'revoked' and a.state = 'deleted' limit $2",
        account.0,
        limit,
    )
    .fetch_all(db)
    .await?;
    Ok(ids.into_iter().map(Into::into).collect())
}

/// The first token of the deleted account after `after` that was ever used.
///
/// # Errors
/// If the database does not answer.
pub async fn next_used(
    db: impl PgExecutor<'_>,
    account: AccountId,
    after: Option<TokenId>,
) -> Result<Option<TokenId>, sqlx::Error> {
    let after = after.map_or(Uuid::nil(), |id| id.0);
    let id = sqlx::query_scalar!(
        "select t.id from api_tokens as t
            join accounts as a on a.id = t.account_id
            join api_token_usage_totals as u on u.token_id = t.id
        where t.account_id = $1 and t.id > $2 and a.state = 'deleted' order by t.id limit 1",
        account.0,
        after,
    )
    .fetch_optional(db)
    .await?;
    Ok(id.map(Into::into))
}

/// Erases about `limit` rows of the token's raw usage, the oldest first: more only where several
/// stand at one microsecond. Tells how many.
///
/// # Errors
/// If the database does not answer.
pub async fn erase_usage(
    db: impl PgExecutor<'_>,
    token: TokenId,
    limit: i64,
) -> Result<u64, sqlx::Error> {
    let erased = sqlx::query!(
        r#"delete from api_token_usage
        where token_id = $1 and "timestamp" <= coalesce(
            (
                select u."timestamp" from api_token_usage as u where u.token_id = $1
                order by u."timestamp" offset $2::bigint - 1 limit 1
            ),
            'infinity'
        )"#,
        token.0,
        limit,
    )
    .execute(db)
    .await?;
    Ok(erased.rows_affected())
}

/// Erases at most `limit` of the calls of the deleted account that were reported and are not counted,
/// and of the ids they were reported by. Tells how many of both. Nothing more is reported of a deleted
/// account, but for what was under way.
///
/// # Errors
/// If the database does not answer.
pub async fn erase_reports(
    db: impl PgExecutor<'_>,
    account: AccountId,
    limit: i64,
) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar!(
        r#"with deleted as (
            select id from accounts where id = $1 and state = 'deleted'
        ), reports as (
            delete from usage_reports where id = any (array(
                select r.id from usage_reports as r join deleted as d on d.id = r.account_id limit $2
            )) returning 1
        ), ids as (
            delete from usage_report_ids as i using deleted as d
            where i.account_id = d.id and i.client_id = any (array(
                select k.client_id from usage_report_ids as k where k.account_id = $1 limit $2
            )) returning 1
        )
        select (select count(*) from reports) + (select count(*) from ids) as "erased!""#,
        account.0,
        limit,
    )
    .fetch_one(db)
    .await
}

/// Notes that the present pass is done with all tokens up to this one.
///
/// # Errors
/// If the database does not answer.
pub async fn done_with(
    db: impl PgExecutor<'_>,
    erasure: &Erasure,
    token: TokenId,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "update account_erasures set done_to = $3 where account_id = $1 and passes = $2",
        erasure.account_id.0,
        erasure.passes,
        token.0,
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Notes that the present pass is over: the next one is due at `again`, or this was the last.
///
/// # Errors
/// If the database does not answer.
pub async fn pass_over(
    db: impl PgExecutor<'_>,
    erasure: &Erasure,
    now: DateTime<Utc>,
    again: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "update account_erasures
        set passes = passes + 1, done_to = null, due_at = $4,
            finished_at = case when passes = 1 then $3::timestamptz end
        where account_id = $1 and passes = $2",
        erasure.account_id.0,
        erasure.passes,
        now,
        again,
    )
    .execute(db)
    .await?;
    Ok(())
}
