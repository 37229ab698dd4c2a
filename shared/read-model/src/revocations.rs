//! `revocation_jobs` and `revocation_job_tokens`: revocations of many tokens, planned or under way.
//!
//! The tokens of a job are fixed within the reach of whoever asked; from then on the job is worked
//! off by the installation itself.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use sqlx::{PgConnection, PgExecutor};
use tollkeeper_domain::ids::{AccountId, TokenId};
use tollkeeper_domain::token::RevocationReason;
use tollkeeper_event_store::Rows;
use uuid::Uuid;

use crate::Reach;
use crate::tokens::{self, TokenFilter, TokenRow, Window};

/// The most tokens of one plan.
pub const MOST_TOKENS: usize = 100_000;

/// The most plans that whoever makes them keeps; the oldest make room.
const MOST_PLANS: i64 = 20;

const PAGE: usize = 1000;

/// A revocation of the tokens that a filter matches.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// Its id.
    pub id: Uuid,
    /// What was asked, to be compared with what is run.
    pub filter: Value,
    /// Why.
    pub reason: RevocationReason,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// Until when it may be run.
    pub expires_at: DateTime<Utc>,
}

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

/// Writes a plan of somebody who reaches `reach`, and fixes its tokens: those that the list shows
/// for the filter, without the ones that are revoked. Gives the newest of them, or none
/// if there are more than [`MOST_TOKENS`]: then the transaction that this is called in is to be
/// given up.
///
/// # Errors
/// If the database does not answer.
pub async fn plan(
    db: &mut PgConnection,
    reach: Reach,
    plan: &Plan,
    filter: &TokenFilter,
    sample: usize,
) -> Result<Option<Vec<TokenRow>>, sqlx::Error> {
    sqlx::query!(
        "insert into revocation_jobs (id, account_id, filter, reason, state, created_at, expires_at)
        values ($1, $2, $3, $4, 'planned', $5, $6)",
        plan.id,
        reach.account(),
        plan.filter,
        plan.reason.as_str(),
        plan.created_at,
        plan.expires_at,
    )
    .execute(&mut *db)
    .await?;
    sqlx::query!(
        "delete from revocation_jobs where id in (
            select id from revocation_jobs
            where state = 'planned' and account_id is not distinct from $1
            order by created_at desc, id desc offset $2
        ) and state = 'planned'",
        reach.account(),
        MOST_PLANS,
    )
    .execute(&mut *db)
    .await?;
    let (mut count, mut newest) = (0, Vec::new());
    let mut window = Window {
        before: None,
        limit: PAGE,
    };
    loop {
        let page = tokens::list(&mut *db, reach, filter, window, plan.created_at).await?;
        let live = page.rows.into_iter().filter(|row| row.state != "revoked");
        let rows: Vec<TokenRow> = live.collect();
        let ids: Vec<Uuid> = rows.iter().map(|row| row.id).collect();
        count += ids.len();
        if count > MOST_TOKENS {
            return Ok(None);
        }
        let room = sample.saturating_sub(newest.len());
        newest.extend(rows.into_iter().take(room));
        sqlx::query!(
            "insert into revocation_job_tokens (job_id, token_id) select $1, unnest($2::uuid[])",
            plan.id,
            &ids,
        )
        .execute(&mut *db)
        .await?;
        if page.next.is_none() {
            return Ok(Some(newest));
        }
        window.before = page.next;
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

/// Adds the row of a cascade that has begun at `now`, leased by whoever adds it.
pub fn begin_cascade(job: &Running, now: DateTime<Utc>, rows: &mut Rows) {
    rows.push(
        "revocation_jobs",
        json!({
            "id": job.id,
            "account_id": job.reach.account(),
            "root_id": job.root,
            "reason": job.reason,
            "state": "running",
            "actor": job.actor,
            "request_id": job.request_id,
            "created_at": now,
            "started_at": now,
        }),
    );
}

/// Writes the same row, for a root that was revoked before.
///
/// # Errors
/// If the database does not answer.
pub async fn begin_cascade_now(
    db: impl PgExecutor<'_>,
    job: &Running,
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    let mut rows = Rows::default();
    begin_cascade(job, now, &mut rows);
    sqlx::query!(
        r#"select project_revocation_jobs($1::jsonb -> 'revocation_jobs') as "done: ()""#,
        rows.into_json(),
    )
    .fetch_one(db)
    .await?;
    Ok(())
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

/// Adds the tokens within reach that descend from the root of a cascade and are not revoked: those
/// that were issued with it and those whose current secret it was given, directly or through others.
/// Tells how many are new.
///
/// # Errors
/// If the database does not answer.
pub async fn add_descendants(
    db: impl PgExecutor<'_>,
    job: Uuid,
    root: TokenId,
    reach: Reach,
) -> Result<u64, sqlx::Error> {
    // `union` drops what was seen before, so not even a circle would go round for ever.
    let added = sqlx::query!(
        "with recursive descendants as (
            select $2::uuid as id
            union
            select next.id from descendants as d cross join lateral (
                select id from api_tokens where issued_by = d.id
                union all
                select r.stream_id from events as r
                where r.type = 'TokenRotated' and r.actor like 'token:%'
                    and r.actor = 'token:' || d.id
                    and not exists (
                        select from events as later
                        where later.stream_id = r.stream_id
                            and later.stream_version > r.stream_version
                            and later.type = 'TokenRotated'
                    )
            ) as next
        )
        insert into revocation_job_tokens (job_id, token_id)
        select $1, t.id from api_tokens as t join descendants as d on d.id = t.id
        where t.state <> 'revoked' and t.id <> $2 and ($3::uuid is null or t.account_id = $3)
        on conflict do nothing",
        job,
        root.0,
        reach.account(),
    )
    .execute(db)
    .await?;
    Ok(added.rows_affected())
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

/// Removes one job that is done since before `done`, or one plan that could last be run before
/// `planned`. Tells whether there was one.
///
/// # Errors
/// If the database does not answer.
pub async fn forget_one(
    db: impl PgExecutor<'_>,
    done: DateTime<Utc>,
    planned: DateTime<Utc>,
) -> Result<bool, sqlx::Error> {
    let gone = sqlx::query!(
        "delete from revocation_jobs where id = (
            select id from revocation_jobs
            where state = 'done' and coalesce(finished_at, expires_at) < $1
                or state = 'planned' and coalesce(finished_at, expires_at) < $2
            limit 1 for update skip locked
        )",
        done,
        planned,
    )
    .execute(db)
    .await?;
    Ok(gone.rows_affected() == 1)
}
