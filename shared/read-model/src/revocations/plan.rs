//! A plan: the tokens that a filter matched, fixed until it is run.

use chrono::{DateTime, Utc};
use serde_json::Value;
use sqlx::{PgConnection, PgExecutor};
use tollkeeper_domain::token::RevocationReason;
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
