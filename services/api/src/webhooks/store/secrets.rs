//! The table `webhook_secrets`: what deliveries are signed with, sealed.

use chrono::{DateTime, Utc};
use sqlx::{PgConnection, PgExecutor};
use uuid::Uuid;

/// The most secrets that sign at once, however often somebody rotates.
const MAX_SECRETS: i64 = 5;

/// A sealed secret.
#[derive(Debug)]
pub(in crate::webhooks) struct Sealed {
    pub(in crate::webhooks) id: Uuid,
    pub(in crate::webhooks) sealed: Vec<u8>,
    /// Whether it is the one that signs without end.
    pub(in crate::webhooks) current: bool,
}

/// Adds the secret that signs from now on.
pub(in crate::webhooks) async fn insert(
    db: impl PgExecutor<'_>,
    webhook: Uuid,
    id: Uuid,
    sealed: &[u8],
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "insert into webhook_secrets (webhook_id, id, sealed) values ($1, $2, $3)",
        webhook,
        id,
        sealed,
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Lets the current secret of a locked webhook end at `until`, and forgets those that have ended.
pub(in crate::webhooks) async fn retire(
    db: &mut PgConnection,
    webhook: Uuid,
    now: DateTime<Utc>,
    until: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "update webhook_secrets set valid_until = $2 where webhook_id = $1 and valid_until is null",
        webhook,
        until,
    )
    .execute(&mut *db)
    .await?;
    sqlx::query!(
        "delete from webhook_secrets as s
        where s.webhook_id = $1 and (s.valid_until <= $2 or s.id not in (
            select k.id from webhook_secrets as k
            where k.webhook_id = $1 order by k.id desc limit $3
        ))",
        webhook,
        now,
        MAX_SECRETS - 1,
    )
    .execute(db)
    .await?;
    Ok(())
}

/// The secrets that sign at `now`, the newest first.
pub(in crate::webhooks) async fn active(
    db: impl PgExecutor<'_>,
    webhook: Uuid,
    now: DateTime<Utc>,
) -> Result<Vec<Sealed>, sqlx::Error> {
    sqlx::query_as!(
        Sealed,
        r#"select id, sealed, valid_until is null as "current!" from webhook_secrets
        where webhook_id = $1 and (valid_until is null or valid_until > $2)
        order by id desc"#,
        webhook,
        now,
    )
    .fetch_all(db)
    .await
}
