//! `accounts` and `account_profiles`: the owners of tokens, and their personal data.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use serde_json::json;
use sqlx::PgExecutor;
use sqlx::types::Json;
use tollkeeper_domain::account::{Account, Identity, Lifecycle, Role};
use tollkeeper_domain::ids::AccountId;
use tollkeeper_domain::quota::Quotas;
use tollkeeper_domain::rate_limit::RateLimits;
use tollkeeper_event_store::Rows;
use uuid::Uuid;

use crate::{Reach, unknown};

/// Personal data of an account. It lives beside the log, so that it can be erased.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Profile {
    /// Its name for people.
    pub name: Option<String>,
    /// Where to write to.
    pub email: Option<String>,
}

/// Adds the row of this account.
pub fn project(account: &Account, rows: &mut Rows) {
    rows.push(
        "accounts",
        json!({
            "id": account.id,
            "external_id": account.external_id,
            "identity_issuer": account.identity.as_ref().map(|it| &it.issuer),
            "identity_subject": account.identity.as_ref().map(|it| &it.subject),
            "role": account.role,
            "state": account.lifecycle,
            "created_at": account.created_at,
            "updated_at": account.updated_at,
            "version": account.version,
            "token_limit": account.token_limit,
            "rate_limits": account.rate_limits,
            "quotas": account.quotas,
            "quota_generation": account.quota_generation,
        }),
    );
}

/// Adds the personal data of an account, which no event carries.
pub fn keep_profile(id: AccountId, profile: &Profile, rows: &mut Rows) {
    rows.push(
        "account_profiles",
        json!({ "account_id": id, "name": profile.name, "email": profile.email }),
    );
}

/// An account with its personal data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountRow {
    /// The account.
    pub account: Account,
    /// Its personal data.
    pub profile: Profile,
}

/// Which accounts to list.
#[derive(Debug, Clone, Default)]
pub struct AccountFilter {
    /// Only the one with this external id.
    pub external_id: Option<String>,
    /// Only those after this one: ids go down from the newest.
    pub before: Option<AccountId>,
    /// At most this many.
    pub limit: i64,
}

struct Row {
    id: Uuid,
    external_id: Option<String>,
    identity_issuer: Option<String>,
    identity_subject: Option<String>,
    role: String,
    state: String,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
    version: i64,
    token_limit: Option<i32>,
    rate_limits: Json<RateLimits>,
    quotas: Json<Quotas>,
    quota_generation: i32,
    name: Option<String>,
    email: Option<String>,
}

impl Row {
    fn read(self) -> Result<AccountRow, sqlx::Error> {
        let identity = self.identity_issuer.zip(self.identity_subject);
        let account = Account {
            id: self.id.into(),
            external_id: self.external_id,
            identity: identity.map(|(issuer, subject)| Identity { issuer, subject }),
            role: match self.role.as_str() {
                "user" => Role::User,
                "system" => Role::System,
                _ => return Err(unknown("accounts.role")),
            },
            lifecycle: lifecycle(&self.state)?,
            token_limit: self.token_limit.map(i32::unsigned_abs),
            rate_limits: self.rate_limits.0,
            quotas: self.quotas.0,
            quota_generation: self.quota_generation.unsigned_abs(),
            created_at: self.created_at,
            updated_at: self.updated_at,
            version: self.version.unsigned_abs(),
        };
        let profile = Profile {
            name: self.name,
            email: self.email,
        };
        Ok(AccountRow { account, profile })
    }
}

/// The account, if it is within reach.
///
/// # Errors
/// If the database does not answer.
pub async fn find(
    db: impl PgExecutor<'_>,
    reach: Reach,
    id: AccountId,
) -> Result<Option<AccountRow>, sqlx::Error> {
    sqlx::query_as!(
        Row,
        "select a.id, a.external_id, a.identity_issuer, a.identity_subject, a.role, a.state,
            a.created_at, a.updated_at, a.version, a.token_limit,
            a.rate_limits as \"rate_limits: Json<RateLimits>\",
            a.quotas as \"quotas: Json<Quotas>\", a.quota_generation,
            p.name as \"name?\", p.email as \"email?\"
        from accounts as a left join account_profiles as p on p.account_id = a.id
        where a.id = $1 and ($2::uuid is null or a.id = $2)",
        id.0,
        reach.account(),
    )
    .fetch_optional(db)
    .await?
    .map(Row::read)
    .transpose()
}

/// The account that a JWT issuer knows by this identity, whatever became of it.
///
/// # Errors
/// If the database does not answer.
pub async fn find_by_identity(
    db: impl PgExecutor<'_>,
    identity: &Identity,
) -> Result<Option<AccountRow>, sqlx::Error> {
    sqlx::query_as!(
        Row,
        "select a.id, a.external_id, a.identity_issuer, a.identity_subject, a.role, a.state,
            a.created_at, a.updated_at, a.version, a.token_limit,
            a.rate_limits as \"rate_limits: Json<RateLimits>\",
            a.quotas as \"quotas: Json<Quotas>\", a.quota_generation,
            p.name as \"name?\", p.email as \"email?\"
        from accounts as a left join account_profiles as p on p.account_id = a.id
        where a.identity_issuer = $1 and a.identity_subject = $2",
        identity.issuer,
        identity.subject,
    )
    .fetch_optional(db)
    .await?
    .map(Row::read)
    .transpose()
}

/// Accounts from the newest to the oldest. Deleted ones are left out.
///
/// # Errors
/// If the database does not answer.
pub async fn list(
    db: impl PgExecutor<'_>,
    reach: Reach,
    filter: &AccountFilter,
) -> Result<Vec<AccountRow>, sqlx::Error> {
    let rows = sqlx::query_as!(
        Row,
        "select a.id, a.external_id, a.identity_issuer, a.identity_subject, a.role, a.state,
            a.created_at, a.updated_at, a.version, a.token_limit,
            a.rate_limits as \"rate_limits: Json<RateLimits>\",
            a.quotas as \"quotas: Json<Quotas>\", a.quota_generation,
            p.name as \"name?\", p.email as \"email?\"
        from accounts as a left join account_profiles as p on p.account_id = a.id
        where ($1::uuid is null or a.id = $1)
            and ($2::text is null or a.external_id = $2)
            and ($3::uuid is null or a.id < $3)
            and a.state <> 'deleted'
        order by a.id desc limit $4",
        reach.account(),
        filter.external_id,
        filter.before.map(|id| id.0),
        filter.limit,
    )
    .fetch_all(db)
    .await?;
    rows.into_iter().map(Row::read).collect()
}

/// The account that the operator knows by this name, if it is within reach, whatever became of it.
///
/// # Errors
/// If the database does not answer.
pub async fn find_by_external_id(
    db: impl PgExecutor<'_>,
    reach: Reach,
    external_id: &str,
) -> Result<Option<AccountRow>, sqlx::Error> {
    sqlx::query_as!(
        Row,
        "select a.id, a.external_id, a.identity_issuer, a.identity_subject, a.role, a.state,
            a.created_at, a.updated_at, a.version, a.token_limit,
            a.rate_limits as \"rate_limits: Json<RateLimits>\",
            a.quotas as \"quotas: Json<Quotas>\", a.quota_generation,
            p.name as \"name?\", p.email as \"email?\"
        from accounts as a left join account_profiles as p on p.account_id = a.id
        where a.external_id = $1 and ($2::uuid is null or a.id = $2)",
        external_id,
        reach.account(),
    )
    .fetch_optional(db)
    .await?
    .map(Row::read)
    .transpose()
}

/// How those of these accounts stand that are within reach.
///
/// # Errors
/// If the database does not answer.
pub async fn lifecycles(
    db: impl PgExecutor<'_>,
    reach: Reach,
    ids: &[AccountId],
) -> Result<HashMap<AccountId, Lifecycle>, sqlx::Error> {
    let ids: Vec<Uuid> = ids.iter().map(|id| id.0).collect();
    let rows = sqlx::query!(
        "select id, state from accounts where id = any ($1) and ($2::uuid is null or id = $2)",
        &ids,
        reach.account(),
    )
    .fetch_all(db)
    .await?;
    let read = rows.into_iter();
    read.map(|row| Ok((row.id.into(), lifecycle(&row.state)?)))
        .collect()
}

fn lifecycle(state: &str) -> Result<Lifecycle, sqlx::Error> {
    match state {
        "active" => Ok(Lifecycle::Active),
        "suspended" => Ok(Lifecycle::Suspended),
        "deleted" => Ok(Lifecycle::Deleted),
        _ => Err(unknown("accounts.state")),
    }
}

/// By which names the operator knows those of these accounts that are within reach and have one.
///
/// # Errors
/// If the database does not answer.
pub async fn external_ids(
    db: impl PgExecutor<'_>,
    reach: Reach,
    ids: &[AccountId],
) -> Result<HashMap<AccountId, String>, sqlx::Error> {
    let ids: Vec<Uuid> = ids.iter().map(|id| id.0).collect();
    let rows = sqlx::query!(
        r#"select id, external_id as "external_id!" from accounts
        where id = any ($1) and external_id is not null and ($2::uuid is null or id = $2)"#,
        &ids,
        reach.account(),
    )
    .fetch_all(db)
    .await?;
    let names = rows.into_iter();
    Ok(names.map(|row| (row.id.into(), row.external_id)).collect())
}
