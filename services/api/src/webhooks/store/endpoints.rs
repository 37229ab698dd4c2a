//! The table `webhooks`, as its owners see and change it.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use sqlx::{PgConnection, PgExecutor};
use tollkeeper_domain::ids::{AccountId, TokenId};
use tollkeeper_read_model::Reach;
use utoipa::ToSchema;
use uuid::Uuid;

use super::unknown;

/// Whether events are sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = WebhookState)]
pub(in crate::webhooks) enum State {
    Enabled,
    Disabled,
}

/// Why no events are sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = WebhookDisabledReason)]
pub(in crate::webhooks) enum Reason {
    /// Its owner said so.
    ByRequest,
    /// It answered 410.
    Gone,
    /// It took nothing for too long.
    Failing,
}

impl Reason {
    pub(in crate::webhooks) const fn as_str(self) -> &'static str {
        match self {
            Self::ByRequest => "by_request",
            Self::Gone => "gone",
            Self::Failing => "failing",
        }
    }
}

/// A webhook.
#[derive(Debug, Clone)]
pub(in crate::webhooks) struct Webhook {
    pub(in crate::webhooks) id: Uuid,
    /// Whose events are sent; none for everybody's.
    pub(in crate::webhooks) account_id: Option<AccountId>,
    pub(in crate::webhooks) url: String,
    /// The types of events that are sent; none for all.
    pub(in crate::webhooks) types: Vec<String>,
    pub(in crate::webhooks) description: String,
    /// None while it is enabled.
    pub(in crate::webhooks) disabled: Option<Reason>,
    pub(in crate::webhooks) version: u64,
    /// The token by which it was set up.
    pub(in crate::webhooks) created_by: Option<TokenId>,
    pub(in crate::webhooks) created_at: DateTime<Utc>,
    pub(in crate::webhooks) updated_at: DateTime<Utc>,
    /// Events up to here are done.
    pub(in crate::webhooks) position: i64,
    pub(in crate::webhooks) failing_since: Option<DateTime<Utc>>,
    pub(in crate::webhooks) failures: i32,
    pub(in crate::webhooks) retry_at: Option<DateTime<Utc>>,
}

impl Webhook {
    /// Forgets failures, so that the next attempt is made at once.
    pub(in crate::webhooks) fn forgive(&mut self) {
        self.failing_since = None;
        self.failures = 0;
        self.retry_at = None;
    }

    /// What its owner has set up otherwise than in the other, by name.
    pub(in crate::webhooks) fn differs_from(&self, other: &Self) -> Vec<&'static str> {
        let fields = [
            ("url", self.url != other.url),
            ("types", self.types != other.types),
            ("description", self.description != other.description),
            ("state", self.disabled != other.disabled),
        ];
        let different = fields.into_iter().filter(|(_, differs)| *differs);
        different.map(|(name, _)| name).collect()
    }
}

pub(super) struct Row {
    pub(super) id: Uuid,
    pub(super) account_id: Option<Uuid>,
    pub(super) url: String,
    pub(super) types: Vec<String>,
    pub(super) description: String,
    pub(super) disabled_reason: Option<String>,
    pub(super) version: i64,
    pub(super) created_by: Option<Uuid>,
    pub(super) created_at: DateTime<Utc>,
    pub(super) updated_at: DateTime<Utc>,
    pub(super) position: i64,
    pub(super) failing_since: Option<DateTime<Utc>>,
    pub(super) failures: i32,
    pub(super) retry_at: Option<DateTime<Utc>>,
}

impl Row {
    pub(super) fn read(self) -> Result<Webhook, sqlx::Error> {
        let disabled = match self.disabled_reason.as_deref() {
            None => None,
            Some("by_request") => Some(Reason::ByRequest),
            Some("gone") => Some(Reason::Gone),
            Some("failing") => Some(Reason::Failing),
            Some(_) => return Err(unknown("disabled_reason")),
        };
        Ok(Webhook {
            id: self.id,
            account_id: self.account_id.map(AccountId),
            url: self.url,
            types: self.types,
            description: self.description,
            disabled,
            version: u64::try_from(self.version).map_err(|_| unknown("version"))?,
            created_by: self.created_by.map(TokenId),
            created_at: self.created_at,
            updated_at: self.updated_at,
            position: self.position,
            failing_since: self.failing_since,
            failures: self.failures,
            retry_at: self.retry_at,
        })
    }
}

/// Adds a webhook that begins at the end of the log.
pub(in crate::webhooks) async fn insert(
    db: impl PgExecutor<'_>,
    webhook: &Webhook,
) -> Result<i64, sqlx::Error> {
    let row = sqlx::query!(
        "insert into webhooks (
            id, account_id, url, types, description, state, version, created_by, created_at,
            updated_at, position
        )
        select $1, $2, $3, $4, $5, 'enabled', 1, $6, $7, $7, position from event_log_head
        returning position",
        webhook.id,
        webhook.account_id.map(|id| id.0),
        webhook.url,
        &webhook.types,
        webhook.description,
        webhook.created_by.map(|id| id.0),
        webhook.created_at,
    )
    .fetch_one(db)
    .await?;
    Ok(row.position)
}

/// Locks the account against other webhooks coming into being, and tells its state and how many
/// webhooks it has. None if there is no such account.
pub(in crate::webhooks) async fn lock_account(
    db: &mut PgConnection,
    account: AccountId,
) -> Result<Option<(String, i64)>, sqlx::Error> {
    let locked = sqlx::query!(
        "select state from accounts where id = $1 for no key update",
        account.0
    )
    .fetch_optional(&mut *db)
    .await?;
    let Some(locked) = locked else {
        return Ok(None);
    };
    // A statement of its own, and so a snapshot from after the lock.
    let count = sqlx::query_scalar!(
        r#"select count(*) as "count!" from webhooks where account_id = $1"#,
        account.0
    )
    .fetch_one(db)
    .await?;
    Ok(Some((locked.state, count)))
}

/// The webhook, if it is within reach.
pub(in crate::webhooks) async fn find(
    db: impl PgExecutor<'_>,
    reach: Reach,
    id: Uuid,
) -> Result<Option<Webhook>, sqlx::Error> {
    let row = sqlx::query_as!(
        Row,
        "select id, account_id, url, types, description, disabled_reason, version, created_by,
            created_at, updated_at, position, failing_since, failures, retry_at
        from webhooks
        where id = $1 and ($2::uuid is null or account_id = $2)",
        id,
        reach.account(),
    )
    .fetch_optional(db)
    .await?;
    row.map(Row::read).transpose()
}

/// As [`find`], locked until the end of the transaction.
pub(in crate::webhooks) async fn lock(
    db: impl PgExecutor<'_>,
    reach: Reach,
    id: Uuid,
) -> Result<Option<Webhook>, sqlx::Error> {
    let row = sqlx::query_as!(
        Row,
        "select id, account_id, url, types, description, disabled_reason, version, created_by,
            created_at, updated_at, position, failing_since, failures, retry_at
        from webhooks
        where id = $1 and ($2::uuid is null or account_id = $2)
        for update",
        id,
        reach.account(),
    )
    .fetch_optional(db)
    .await?;
    row.map(Row::read).transpose()
}

/// At most `limit` webhooks within reach, the newest first, older than `before`.
pub(in crate::webhooks) async fn list(
    db: impl PgExecutor<'_>,
    reach: Reach,
    before: Option<Uuid>,
    limit: i64,
) -> Result<Vec<Webhook>, sqlx::Error> {
    let rows = sqlx::query_as!(
        Row,
        "select id, account_id, url, types, description, disabled_reason, version, created_by,
            created_at, updated_at, position, failing_since, failures, retry_at
        from webhooks
        where ($1::uuid is null or account_id = $1) and ($2::uuid is null or id < $2)
        order by id desc
        limit $3",
        reach.account(),
        before,
        limit,
    )
    .fetch_all(db)
    .await?;
    rows.into_iter().map(Row::read).collect()
}

/// Writes what its owner has changed on a locked webhook, and takes the lease from whoever is
/// delivering: what is under way was meant for the webhook as it was.
pub(in crate::webhooks) async fn update(
    db: impl PgExecutor<'_>,
    webhook: &Webhook,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "update webhooks set
            url = $2, types = $3, description = $4, disabled_reason = $5,
            state = case when $5::text is null then 'enabled' else 'disabled' end,
            version = version + 1, updated_at = $6, position = $7, failing_since = $8,
            failures = $9, retry_at = $10, fence = fence + 1, leased_until = 'epoch'
        where id = $1",
        webhook.id,
        webhook.url,
        &webhook.types,
        webhook.description,
        webhook.disabled.map(Reason::as_str),
        webhook.updated_at,
        webhook.position,
        webhook.failing_since,
        webhook.failures,
        webhook.retry_at,
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Removes a locked webhook, its secrets and attempts with it.
pub(in crate::webhooks) async fn delete(
    db: impl PgExecutor<'_>,
    id: Uuid,
) -> Result<(), sqlx::Error> {
    sqlx::query!("delete from webhooks where id = $1", id)
        .execute(db)
        .await?;
    Ok(())
}
