//! Reports of calls that happened elsewhere: `usage_reports` and `usage_report_ids`. The API takes them
//! in, and the ingestor counts them.

use chrono::{DateTime, Utc};
use sqlx::PgExecutor;
use tollkeeper_domain::ids::{AccountId, TokenId};
use uuid::Uuid;

use crate::Reach;

/// The longest id that a client may give a call, in bytes. A constraint checks the same number.
pub const MAX_CLIENT_ID_BYTES: usize = 64;

/// A token that calls can be reported of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names say it")]
pub struct Reportable {
    pub token_id: TokenId,
    pub account_id: AccountId,
    pub version: i64,
}

/// One call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// The token's account.
    pub account_id: AccountId,
    /// What the client calls it: visible ASCII.
    pub client_id: String,
    /// The event, in the wire format of usage.
    pub record: Vec<u8>,
}

/// Those of the tokens that are within reach and whose account is not deleted.
///
/// # Errors
/// If the database does not answer.
pub async fn reportable(
    db: impl PgExecutor<'_>,
    reach: Reach,
    tokens: &[TokenId],
) -> Result<Vec<Reportable>, sqlx::Error> {
    let tokens: Vec<Uuid> = tokens.iter().map(|id| id.0).collect();
    let rows = sqlx::query!(
        "select t.id, t.account_id, t.version from api_tokens as t
            join accounts as a on a.id = t.account_id
        where t.id = any($1) and ($2::uuid is null or t.account_id = $2) and a.state <> 'deleted'",
        &tokens,
        reach.account(),
    )
    .fetch_all(db)
    .await?;
    let found = rows.into_iter().map(|row| Reportable {
        token_id: row.id.into(),
        account_id: row.account_id.into(),
        version: row.version,
    });
    Ok(found.collect())
}

/// Takes in those of the reports whose ids are not known of their account yet, in one statement: what it
/// returns is durable and will be counted once. No two of the reports may have one id of one account.
///
/// # Errors
/// If the database does not answer: then it is not known whether they were taken in, and to report them
/// again tells.
pub async fn take_in(
    db: impl PgExecutor<'_>,
    reports: &[Report],
    now: DateTime<Utc>,
) -> Result<Vec<(AccountId, String)>, sqlx::Error> {
    let accounts: Vec<Uuid> = reports.iter().map(|it| it.account_id.0).collect();
    let ids: Vec<&str> = reports.iter().map(|it| &*it.client_id).collect();
    let records: Vec<&[u8]> = reports.iter().map(|it| &*it.record).collect();
    // Sorted, so that calls that report the same ids at once wait for one another in one order.
    let taken = sqlx::query!(
        r#"with reported as (
            select account_id, client_id collate "C" as client_id, record
            from unnest($1::uuid[], $2::text[], $3::bytea[])
                as reported (account_id, client_id, record)
        ), unknown as (
            insert into usage_report_ids (account_id, client_id, received_at)
            select account_id, client_id, $4::timestamptz from reported
            order by account_id, client_id
            on conflict do nothing
            returning account_id, client_id
        ), stored as (
            insert into usage_reports (account_id, received_at, record)
            select account_id, $4, record from reported join unknown using (account_id, client_id)
        )
        select account_id, client_id from unknown"#,
        &accounts,
        &ids as _,
        &records as _,
        now,
    )
    .fetch_all(db)
    .await?;
    let taken = taken.into_iter();
    Ok(taken
        .map(|row| (row.account_id.into(), row.client_id))
        .collect())
}

/// Since when the report waits that has waited longest; none if all are counted.
///
/// # Errors
/// If the database does not answer.
pub async fn waiting_since(db: impl PgExecutor<'_>) -> Result<Option<DateTime<Utc>>, sqlx::Error> {
    sqlx::query_scalar!("select received_at from usage_reports order by id limit 1")
        .fetch_optional(db)
        .await
}
