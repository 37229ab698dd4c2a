//! The table `webhook_attempts`: the last attempts to deliver, for people to look at.

use chrono::{DateTime, Utc};
use serde::Serialize;
use sqlx::PgExecutor;
use utoipa::ToSchema;
use uuid::Uuid;

/// How many attempts of a webhook are kept.
pub(in crate::webhooks) const KEPT: i64 = 100;

/// One attempt to deliver one event.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = Delivery, example = json!({
    "id": "019aa5d0-88aa-7b3c-8d4e-1f2a3b4c5d6e",
    "position": 4711,
    "event_id": "019aa5d0-87f0-7b3c-8d4e-1f2a3b4c5d6e",
    "type": "TokenRevoked",
    "attempted_at": "2026-11-01T09:41:00.123456Z",
    "micros": 48211,
    "outcome": "delivered",
    "status": 204,
    "detail": "",
}))]
pub(in crate::webhooks) struct Attempt {
    pub(in crate::webhooks) id: Uuid,
    pub(in crate::webhooks) position: i64,
    pub(in crate::webhooks) event_id: Uuid,
    pub(in crate::webhooks) r#type: String,
    pub(in crate::webhooks) attempted_at: DateTime<Utc>,
    /// How long it took, in microseconds.
    pub(in crate::webhooks) micros: i64,
    pub(in crate::webhooks) outcome: String,
    /// What the endpoint answered, if it did.
    #[schema(required)]
    pub(in crate::webhooks) status: Option<i32>,
    /// The beginning of its answer, or what went wrong.
    pub(in crate::webhooks) detail: String,
}

/// Keeps an attempt, and forgets those beyond the last [`KEPT`].
pub(in crate::webhooks) async fn insert(
    db: impl PgExecutor<'_>,
    webhook: Uuid,
    attempt: &Attempt,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "with forgotten as (
            delete from webhook_attempts
            where webhook_id = $1 and id in (
                select id from webhook_attempts
                where webhook_id = $1 order by id desc offset $10
            )
        )
        insert into webhook_attempts (
            webhook_id, id, position, event_id, type, attempted_at, micros, outcome, status, detail
        )
        select w.id, $2, $3, $4, $5, $6, $7, $8, $9, $11 from webhooks as w where w.id = $1",
        webhook,
        attempt.id,
        attempt.position,
        attempt.event_id,
        attempt.r#type,
        attempt.attempted_at,
        attempt.micros,
        attempt.outcome,
        attempt.status,
        KEPT - 1,
        attempt.detail,
    )
    .execute(db)
    .await?;
    Ok(())
}

/// The last attempts of a webhook, the newest first.
pub(in crate::webhooks) async fn last(
    db: impl PgExecutor<'_>,
    webhook: Uuid,
) -> Result<Vec<Attempt>, sqlx::Error> {
    sqlx::query_as!(
        Attempt,
        "select id, position, event_id, type, attempted_at, micros, outcome, status, detail
        from webhook_attempts where webhook_id = $1
        order by attempted_at desc, id desc limit $2",
        webhook,
        KEPT,
    )
    .fetch_all(db)
    .await
}
