//! A token as services see it.

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::Value;
use tollkeeper_domain::ids::TokenId;
use tollkeeper_domain::network::Network;
use tollkeeper_domain::quota::{Quota, Quotas};
use tollkeeper_domain::scope::Scope;
use tollkeeper_domain::secret::Environment;
use tollkeeper_domain::token::{RevocationReason, Status};
use utoipa::ToSchema;

use super::rate_limit::UserRateLimit;
use crate::idempotency::Withheld;
use crate::tokens::TokenView;

/// A token of a user.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = UserToken, example = json!({
    "id": "019aa5d0-4b1c-7f3e-a1d2-6c7b8a9d0e1f",
    "userId": "user123",
    "name": "API token",
    "environment": "live",
    "tokenPrefix": "tk_live_Xk2p",
    "scopes": ["read", "write"],
    "metadata": {},
    "allowedCidrs": [],
    "rateLimits": [],
    "quotas": [],
    "state": "active",
    "isActive": true,
    "revocationReason": null,
    "expiresAt": "2026-11-01T10:30:00Z",
    "createdAt": "2026-11-01T09:30:00.123456Z",
    "updatedAt": "2026-11-01T09:30:00.123456Z",
    "lastUsedAt": null,
    "usageCount": 0,
}))]
pub(super) struct ServiceTokenView {
    id: TokenId,
    /// The service's own name for the user; none for accounts that have no such name.
    #[schema(required)]
    user_id: Option<String>,
    /// Its name for people.
    name: String,
    #[schema(value_type = Environment)]
    environment: String,
    /// The beginning of its secret, to recognise it by.
    token_prefix: String,
    /// What it may be used for, sorted.
    #[schema(value_type = Vec<Scope>)]
    scopes: Vec<String>,
    /// What the account keeps with it.
    #[schema(value_type = Object)]
    metadata: Value,
    /// The networks from which it may be used, sorted; from anywhere if there is none.
    #[schema(value_type = Vec<Network>)]
    allowed_cidrs: Vec<String>,
    /// How much it may do in how much time, sorted by name; as much as it will if there is none.
    rate_limits: Vec<UserRateLimit>,
    /// How many uses it has, sorted by name; as many as it will if there is none.
    #[schema(value_type = Vec<Quota>)]
    quotas: Quotas,
    #[schema(value_type = Status)]
    state: String,
    /// Whether `state` is `active`.
    is_active: bool,
    #[schema(required, value_type = Option<RevocationReason>)]
    revocation_reason: Option<String>,
    /// First moment at which it works no more.
    #[schema(required)]
    expires_at: Option<DateTime<Utc>>,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
    /// When it was last let through.
    #[schema(required)]
    last_used_at: Option<DateTime<Utc>>,
    /// Requests that presented it, refused ones included.
    #[schema(required, minimum = 0)]
    usage_count: Option<i64>,
}

/// A token together with its secret, which is shown this once.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = UserTokenWithSecret, example = json!({
    "token": "tk_live_Xk2pV9aQ0bR7cS4dT1eU8fW5gY3hZ6iN2jM0q1aB2c",
    "id": "019aa5d0-4b1c-7f3e-a1d2-6c7b8a9d0e1f",
    "userId": "user123",
    "name": "API token",
    "environment": "live",
    "tokenPrefix": "tk_live_Xk2p",
    "scopes": ["read", "write"],
    "metadata": {},
    "allowedCidrs": [],
    "rateLimits": [],
    "quotas": [],
    "state": "active",
    "isActive": true,
    "revocationReason": null,
    "expiresAt": "2026-11-01T10:30:00Z",
    "createdAt": "2026-11-01T09:30:00.123456Z",
    "updatedAt": "2026-11-01T09:30:00.123456Z",
    "lastUsedAt": null,
    "usageCount": 0,
}))]
pub(super) struct ServiceSecretView<'a> {
    /// The whole token. It is shown this once.
    #[schema(required, value_type = Option<String>)]
    pub(super) token: &'a str,
    /// Why there is none, in an answer that is given again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) withheld: Option<Withheld>,
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
            allowed_cidrs: view.allowed_cidrs,
            rate_limits: UserRateLimit::all(&view.rate_limits),
            quotas: view.quotas,
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
