//! A token as services see it.

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::Value;
use tollkeeper_domain::ids::TokenId;

use crate::tokens::TokenView;

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ServiceTokenView {
    id: TokenId,
    /// The service's own name for the user; none for accounts that have no such name.
    user_id: Option<String>,
    name: String,
    environment: String,
    token_prefix: String,
    scopes: Vec<String>,
    metadata: Value,
    state: String,
    is_active: bool,
    revocation_reason: Option<String>,
    expires_at: Option<DateTime<Utc>>,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
    last_used_at: Option<DateTime<Utc>>,
    usage_count: Option<i64>,
}

/// A token together with its secret, which is shown this once.
#[derive(Debug, Serialize)]
pub(super) struct ServiceSecretView<'a> {
    /// The whole token.
    pub(super) token: &'a str,
    #[serde(flatten)]
    pub(super) view: ServiceTokenView,
}

impl ServiceTokenView {
    pub(super) fn new(view: TokenView, user_id: Option<String>) -> Self {
        Self {
            id: view.id,
            user_id,
            name: view.name,
            environment: view.environment,
            token_prefix: view.token_prefix,
            scopes: view.scopes,
            metadata: view.metadata,
            state: view.state,
            is_active: view.is_active,
            revocation_reason: view.revocation_reason,
            expires_at: view.expires_at,
            created_at: view.created_at,
            updated_at: view.updated_at,
            last_used_at: view.last_used_at,
            usage_count: view.usage_count,
        }
    }
}
