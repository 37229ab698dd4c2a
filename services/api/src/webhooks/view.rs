//! A webhook as clients see it.

use chrono::{DateTime, Utc};
use serde::Serialize;
use tollkeeper_domain::ids::AccountId;
use uuid::Uuid;
use zeroize::Zeroizing;

use super::store::endpoints::{Reason, State, Webhook};

#[derive(Debug, Serialize)]
pub(super) struct WebhookView {
    id: Uuid,
    /// Null for the events of all accounts.
    account_id: Option<AccountId>,
    url: String,
    /// None for all types.
    types: Vec<String>,
    description: String,
    state: State,
    disabled_reason: Option<Reason>,
    /// Events up to this position of the log are done.
    position: i64,
    /// Since when, and how often in a row, the endpoint has not taken what it was sent.
    failing_since: Option<DateTime<Utc>>,
    failures: i32,
    next_attempt_at: Option<DateTime<Utc>>,
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
            created_at: webhook.created_at,
            updated_at: webhook.updated_at,
            version: webhook.version,
        }
    }
}

/// A webhook with its signing secret, which is shown this once.
#[derive(Serialize)]
pub(super) struct SecretView {
    pub(super) secret: Zeroizing<String>,
    #[serde(flatten)]
    pub(super) view: WebhookView,
}
