//! A webhook as clients see it.

use axum::http::StatusCode;
use chrono::{DateTime, Utc};
use serde::Serialize;
use tollkeeper_domain::ids::{AccountId, TokenId};
use utoipa::ToSchema;
use uuid::Uuid;

use super::secret::SigningSecret;
use super::store::endpoints::{Reason, State, Webhook};
use crate::idempotency::{Answer, Withheld};
use crate::public_event::EventType;

/// A webhook.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Webhook, example = json!({
    "id": "019aa5d0-77aa-7b3c-8d4e-1f2a3b4c5d6e",
    "account_id": "019aa5d0-1f2e-7a10-9c3b-5d6e7f809101",
    "url": "https://shop.example/hooks/tokens",
    "types": ["TokenRevoked", "TokenExpiring"],
    "description": "",
    "state": "enabled",
    "disabled_reason": null,
    "position": 4711,
    "failing_since": null,
    "failures": 0,
    "next_attempt_at": null,
    "created_by": null,
    "created_at": "2026-11-01T09:40:00.123456Z",
    "updated_at": "2026-11-01T09:40:00.123456Z",
    "version": 1,
}))]
pub(super) struct WebhookView {
    id: Uuid,
    /// Null for the events of all accounts.
    #[schema(required)]
    account_id: Option<AccountId>,
    #[schema(pattern = "^https?://")]
    url: String,
    /// None for all types.
    #[schema(value_type = Vec<EventType>)]
    types: Vec<String>,
    description: String,
    state: State,
    #[schema(required)]
    disabled_reason: Option<Reason>,
    /// Events up to this position of the log are done.
    position: i64,
    /// Since when, and how often in a row, the endpoint has not taken what it was sent.
    #[schema(required)]
    failing_since: Option<DateTime<Utc>>,
    failures: i32,
    #[schema(required)]
    next_attempt_at: Option<DateTime<Utc>>,
    /// The token by which it was set up, if one was used. It stays when that token ends.
    #[schema(required)]
    created_by: Option<TokenId>,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
    version: u64,
}

impl WebhookView {
    pub(super) const fn version(&self) -> u64 {
        self.version
    }
}

impl From<Webhook> for WebhookView {
    fn from(webhook: Webhook) -> Self {
        Self {
            id: webhook.id,
            account_id: webhook.account_id,
            url: webhook.url,
            types: webhook.types,
            description: webhook.description,
            state: match webhook.disabled {
                None => State::Enabled,
                Some(_) => State::Disabled,
            },
            disabled_reason: webhook.disabled,
            position: webhook.position,
            failing_since: webhook.failing_since,
            failures: webhook.failures,
            next_attempt_at: webhook.retry_at,
            created_by: webhook.created_by,
            created_at: webhook.created_at,
            updated_at: webhook.updated_at,
            version: webhook.version,
        }
    }
}

/// A webhook with its signing secret, which is shown this once.
#[derive(Serialize, ToSchema)]
#[schema(as = WebhookWithSecret, example = json!({
    "secret": "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD",
    "id": "019aa5d0-77aa-7b3c-8d4e-1f2a3b4c5d6e",
    "account_id": "019aa5d0-1f2e-7a10-9c3b-5d6e7f809101",
    "url": "https://shop.example/hooks/tokens",
    "types": ["TokenRevoked", "TokenExpiring"],
    "description": "",
    "state": "enabled",
    "disabled_reason": null,
    "position": 4711,
    "failing_since": null,
    "failures": 0,
    "next_attempt_at": null,
    "created_by": null,
    "created_at": "2026-11-01T09:40:00.123456Z",
    "updated_at": "2026-11-01T09:40:00.123456Z",
    "version": 1,
}))]
pub(super) struct SecretView<'a> {
    /// The signing secret.
    #[schema(required, value_type = Option<String>)]
    secret: &'a str,
    /// Why there is none, in an answer that is given again.
    #[serde(skip_serializing_if = "Option::is_none")]
    withheld: Option<Withheld>,
    #[serde(flatten)]
    view: WebhookView,
}

/// The answer that shows the signing secret.
pub(super) fn shown(
    status: StatusCode,
    webhook: Webhook,
    secret: &SigningSecret,
) -> serde_json::Result<Answer> {
    let secret = secret.shown();
    let view = SecretView {
        secret: &secret,
        withheld: None,
        view: webhook.into(),
    };
    let version = view.view.version();
    let answer = Answer::with_secret(status, &view, ("secret", view.secret))?;
    Ok(answer.tagged(version))
}
