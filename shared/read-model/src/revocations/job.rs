//! A job under way: who works at it, and what became of its tokens.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use sqlx::PgExecutor;
use tollkeeper_domain::ids::{AccountId, TokenId};
use tollkeeper_event_store::Rows;
use uuid::Uuid;

use crate::Reach;

/// A job as whoever asked for it may see it.
#[derive(Debug, Clone, PartialEq)]
#[allow(
    missing_docs,
    reason = "the fields are the public ones, by their names"
)]
pub struct JobRow {
    pub id: Uuid,
    pub filter: Option<Value>,
    pub root_id: Option<Uuid>,
    pub reason: String,
    /// `planned`, `running` or `done`.
    pub state: String,
    pub created_at: DateTime<Utc>,
    pub expires_at: Option<DateTime<Utc>>,
    pub started_at: Option<DateTime<Utc>>,
    pub finished_at: Option<DateTime<Utc>>,
    pub count: i64,
    pub pending: i64,
    pub revoked: i64,
    pub already_revoked: i64,
}

/// A job that somebody has begun.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Running {
    /// Its id.
    pub id: Uuid,
    /// Whose tokens it may reach.
    pub reach: Reach,
    /// The token whose descendants are to be revoked, in a cascade.
    pub root: Option<TokenId>,
    /// Why, as it is stored.
    pub reason: String,
    /// Who began it.
    pub actor: String,
    /// In which request.
    pub request_id: String,
}

struct RunningRow {
    id: Uuid,
    account_id: Option<Uuid>,
    root_id: Option<Uuid>,
    reason: String,
    actor: String,
    request_id: String,
}

impl From<RunningRow> for Running {
    fn from(row: RunningRow) -> Self {
        let account = row.account_id.map(AccountId);
        Self {
            id: row.id,
            reach: account.map_or(Reach::All, Reach::Account),
            root: row.root_id.map(Into::into),
            reason: row.reason,
            actor: row.actor,
            request_id: row.request_id,
        }
    }
}

/// A job with how far it has come, if it is within reach.
///
/// # Errors
/// If the database does not answer.
pub async fn find(
    db: impl PgExecutor<'_>,
    reach: Reach,
    id: Uuid,
) -> Result<Option<JobRow>, sqlx::Error> {
    sqlx::query_as!(
        JobRow,
        r#"select j.id, j.filter, j.root_id, j.reason, j.state, j.created_at, j.expires_at,
            j.started_at, j.finished_at, t.count as "count!", t.pending as "pending!",
            t.revoked as "revoked!", t.already_revoked as "already_revoked!"
        from revocation_jobs as j cross join lateral (
            select count(*) as count,
                count(*) filter (where outcome is null) as pending,
                count(*) filter (where outcome = 'revoked') as revoked,
                count(*) filter (where outcome = 'already_revoked') as already_revoked
            from revocation_job_tokens where job_id = j.id
        ) as t
        where j.id = $1 and ($2::uuid is null or j.account_id = $2)"#,
        id,
        reach.account(),
    )
    .fetch_optional(db)
    .await
}

/// Begins a plan that has not begun and may still be run at `now`, and leases it; none if somebody
/// else has begun it, or it is too late.
///
/// # Errors
/// If the database does not answer.
pub async fn start(
    db: impl PgExecutor<'_>,
    (id, reach): (Uuid, Reach),
    (actor, request_id): (&str, &str),
    now: DateTime<Utc>,
) -> Result<Option<Running>, sqlx::Error> {
    let row = sqlx::query_as!(
        RunningRow,
        r#"update revocation_jobs
        set state = 'running', actor = $3, request_id = $4, started_at = $5,
            leased_until = clock_timestamp() + interval '15 seconds'
        where id = $1 and ($2::uuid is null or account_id = $2)
            and state = 'planned' and expires_at > $5
        returning id, account_id, root_id, reason, actor as "actor!", request_id as "request_id!""#,
        id,
        reach.account(),
        actor,
        request_id,
        now,
    )
    .fetch_optional(db)
    .await?;
    Ok(row.map(Into::into))
}

/// Leases the job that has waited longest for somebody to work on it, if there is one.
///
/// # Errors
/// If the database does not answer.
pub async fn lease(db: impl PgExecutor<'_>) -> Result<Option<Running>, sqlx::Error> {
    let row = sqlx::query_as!(
        RunningRow,
        r#"update revocation_jobs
        set leased_until = clock_timestamp() + interval '15 seconds'
        where id = (
            select id from revocation_jobs
            where state = 'running' and leased_until < clock_timestamp()
            order by started_at limit 1 for update skip locked
        )
        returning id, account_id, root_id, reason, actor as "actor!", request_id as "request_id!""#,
    )
    .fetch_optional(db)
    .await?;
    Ok(row.map(Into::into))
}

/// Holds the lease on for as long again, or gives it back.
///
/// # Errors
/// If the database does not answer.
pub async fn hold(db: impl PgExecutor<'_>, job: Uuid, on: bool) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "update revocation_jobs
        set leased_until = case when $2 then clock_timestamp() + interval '15 seconds'
            else 'epoch' end
        where id = $1 and state = 'running'",
        job,
        on,
    )
    .execute(db)
    .await?;
    Ok(())
}

/// At most `limit` tokens of the job that are still to be revoked.
///
/// # Errors
/// If the database does not answer.
pub async fn pending(
    db: impl PgExecutor<'_>,
    job: Uuid,
    limit: i64,
) -> Result<Vec<TokenId>, sqlx::Error> {
    let ids = sqlx::query_scalar!(
        "select token_id from revocation_job_tokens
        where job_id = $1 and outcome is null order by token_id limit $2",
        job,
        limit,
    )
    .fetch_all(db)
    .await?;
    Ok(ids.into_iter().map(Into::into).collect())
}

/// Adds what came of a token: the job revoked it.
pub fn note_revoked(job: Uuid, token: TokenId, rows: &mut Rows) {
    rows.push(
        "revocation_job_tokens",
        json!({ "job_id": job, "token_id": token, "outcome": "revoked" }),
    );
}

/// Notes the tokens that somebody else had revoked, unless it is known what came of them.
///
/// # Errors
/// If the database does not answer.
pub async fn note_already_revoked(
    db: impl PgExecutor<'_>,
    job: Uuid,
    tokens: &[TokenId],
) -> Result<(), sqlx::Error> {
    let ids: Vec<Uuid> = tokens.iter().map(|id| id.0).collect();
    sqlx::query!(
        "update revocation_job_tokens set outcome = 'already_revoked'
        where job_id = $1 and token_id = any($2) and outcome is null",
        job,
        &ids,
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Notes that nothing is left to be done, unless somebody else has added something meanwhile. Tells
/// whether nothing is.
///
/// # Errors
/// If the database does not answer.
pub async fn finish(
    db: impl PgExecutor<'_>,
    job: Uuid,
    now: DateTime<Utc>,
) -> Result<bool, sqlx::Error> {
    let finished = sqlx::query_scalar!(
        r#"with done as (
            select not exists (
                select from revocation_job_tokens where job_id = $1 and outcome is null
            ) as done
        ), noted as (
            update revocation_jobs set state = 'done', finished_at = $2
            where id = $1 and state = 'running' and (select done from done)
        )
        select done as "done!" from done"#,
        job,
        now,
    )
    .fetch_one(db)
    .await?;
    Ok(finished)
}
