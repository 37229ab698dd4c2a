//! `api_tokens` and `api_token_secrets`: the tokens, and the hashes they are presented by.

use std::collections::HashMap;

mod conditions;
mod filter;
mod index;
mod lane;
mod list;
mod plans;
mod sort;
mod sorted;

use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use sqlx::PgExecutor;
use sqlx::types::Json;
use tollkeeper_domain::ids::TokenId;
use tollkeeper_domain::quota::Quotas;
use tollkeeper_domain::rate_limit::RateLimits;
use tollkeeper_domain::secret::SecretHash;
use tollkeeper_domain::token::{Secret, Token};
use tollkeeper_event_store::Rows;
use uuid::Uuid;

pub use self::filter::{Period, TokenFilter};
pub use self::list::{TokenPage, Window, ids, list};
pub use self::plans::{Plan, plans, sorted_plans};
pub use self::sort::{Key, Place, Sort, SortBy, Sorted};
pub use self::sorted::{SortedPage, sorted};
use crate::{Reach, unknown};

/// Adds all rows of this token.
pub fn project(token: &Token, rows: &mut Rows) {
    project_token(token, rows);
    for secret in &token.secrets {
        project_secret(token, secret, rows);
    }
}

/// Adds the rows that its last change can have touched. A secret that had ended before is not among
/// them, so what a change costs does not grow with every rotation that ever was.
pub fn project_change(token: &Token, rows: &mut Rows) {
    project_token(token, rows);
    for secret in &token.secrets {
        if secret.valid_until.is_none_or(|it| it >= token.updated_at) {
            project_secret(token, secret, rows);
        }
    }
}

fn project_token(token: &Token, rows: &mut Rows) {
    rows.push(
        "api_tokens",
        json!({
            "id": token.id,
            "account_id": token.account_id,
            "name": token.name,
            "environment": token.environment,
            "token_prefix": token.token_prefix,
            "scopes": token.scopes,
            "metadata": token.metadata,
            "not_before": token.validity.not_before,
            "expires_at": token.validity.expires_at,
            "state": token.lifecycle,
            "revocation_reason": token.revocation_reason,
            "revoked_at": token.revoked_at,
            "issued_by": token.issued_by,
            "created_at": token.created_at,
            "updated_at": token.updated_at,
            "version": token.version,
            "expiry_notice": token.expiry_notice,
            "allowed_cidrs": token.restrictions.allowed_cidrs,
            "rate_limits": token.restrictions.rate_limits,
            "quotas": token.restrictions.quotas,
        }),
    );
}

fn project_secret(token: &Token, secret: &Secret, rows: &mut Rows) {
    let hash: String = secret
        .hash
        .0
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    rows.push(
        "api_token_secrets",
        json!({
            "secret_hash": format!("\\x{hash}"),
            "token_id": token.id,
            "valid_until": secret.valid_until,
        }),
    );
}

/// A token as people see it, with what the usage side knows of it.
#[derive(Debug, Clone, PartialEq, sqlx::FromRow)]
#[allow(
    missing_docs,
    reason = "the fields are the public ones of the design, by their names"
)]
pub struct TokenRow {
    pub id: Uuid,
    pub account_id: Uuid,
    pub name: String,
    pub environment: String,
    pub token_prefix: String,
    pub scopes: Vec<String>,
    pub metadata: Value,
    pub allowed_cidrs: Vec<String>,
    pub rate_limits: Json<RateLimits>,
    pub quotas: Json<Quotas>,
    pub not_before: Option<DateTime<Utc>>,
    pub expires_at: Option<DateTime<Utc>>,
    /// `active`, `suspended`, `revoked` or `expired`, the last by the clock of the question.
    pub state: String,
    pub revocation_reason: Option<String>,
    pub revoked_at: Option<DateTime<Utc>>,
    pub issued_by: Option<Uuid>,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
    pub version: i64,
    pub usage_count: i64,
    pub last_used_at: Option<DateTime<Utc>>,
}

/// The token as it is at `now`, if it is within reach.
///
/// # Errors
/// If the database does not answer.
pub async fn find(
    db: impl PgExecutor<'_>,
    reach: Reach,
    id: TokenId,
    now: DateTime<Utc>,
) -> Result<Option<TokenRow>, sqlx::Error> {
    sqlx::query_as!(
        TokenRow,
        r#"select t.id, t.account_id, t.name, t.environment, t.token_prefix, t.scopes, t.metadata,
            t.allowed_cidrs, t.rate_limits as "rate_limits: Json<RateLimits>",
            t.quotas as "quotas: Json<Quotas>", t.not_before, t.expires_at,
            case when t.state <> 'revoked' and t.expires_at <= $3 then 'expired' else t.state end
                as "state!",
            t.revocation_reason, t.revoked_at, t.issued_by, t.created_at, t.updated_at, t.version,
            coalesce(u.usage_count, 0) as "usage_count!", u.last_used_at as "last_used_at?"
        from api_tokens as t left join api_token_usage_totals as u on u.token_id = t.id
        where t.id = $1 and ($2::uuid is null or t.account_id = $2)"#,
        id.0,
        reach.account(),
        now,
    )
    .fetch_optional(db)
    .await
}

/// What the usage side knows of a token.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Usage {
    /// Requests that presented it, refused ones included.
    pub count: i64,
    /// When it was last let through.
    pub last_used_at: Option<DateTime<Utc>>,
}

/// The usage of a token within reach; none at all of one that is not.
///
/// # Errors
/// If the database does not answer.
pub async fn usage(
    db: impl PgExecutor<'_>,
    reach: Reach,
    id: TokenId,
) -> Result<Usage, sqlx::Error> {
    let found = sqlx::query_as!(
        Usage,
        "select u.usage_count as count, u.last_used_at
        from api_token_usage_totals as u join api_tokens as t on t.id = u.token_id
        where t.id = $1 and ($2::uuid is null or t.account_id = $2)",
        id.0,
        reach.account(),
    )
    .fetch_optional(db)
    .await?;
    Ok(found.unwrap_or_default())
}

/// The tokens within reach that can be, or could once be, presented by these secrets.
///
/// # Errors
/// If the database does not answer.
pub async fn holding(
    db: impl PgExecutor<'_>,
    reach: Reach,
    secrets: &[SecretHash],
) -> Result<HashMap<SecretHash, TokenId>, sqlx::Error> {
    let hashes: Vec<Vec<u8>> = secrets.iter().map(|hash| hash.0.to_vec()).collect();
    let rows = sqlx::query!(
        "select s.secret_hash, s.token_id
        from api_token_secrets as s join api_tokens as t on t.id = s.token_id
        where s.secret_hash = any ($1) and ($2::uuid is null or t.account_id = $2)",
        &hashes,
        reach.account(),
    )
    .fetch_all(db)
    .await?;
    let read = rows.into_iter().map(|row| {
        let hash = row.secret_hash.try_into();
        let hash = hash.map_err(|_| unknown("api_token_secrets.secret_hash"))?;
        Ok((SecretHash(hash), row.token_id.into()))
    });
    read.collect()
}
