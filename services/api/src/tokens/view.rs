//! A token as clients see it.

use axum::Json;
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::Value;
use tollkeeper_domain::ids::{AccountId, TokenId};
use tollkeeper_domain::network::Network;
use tollkeeper_domain::quota::{Quota, Quotas};
use tollkeeper_domain::rate_limit::{RateLimit, RateLimits};
use tollkeeper_domain::scope::Scope;
use tollkeeper_domain::secret::Environment;
use tollkeeper_domain::token::RevocationReason;
use tollkeeper_domain::token::{Status, Token};
use tollkeeper_read_model::tokens::{TokenRow, Usage};
use utoipa::ToSchema;

use crate::http::version::etag;
use crate::idempotency::Withheld;
use crate::nodes::Receipt;

/// A token.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Token, example = json!({
    "id": "019aa5d0-4b1c-7f3e-a1d2-6c7b8a9d0e1f",
    "account_id": "019aa5d0-1f2e-7a10-9c3b-5d6e7f809101",
    "name": "deployments",
    "environment": "live",
    "token_prefix": "tk_live_Xk2p",
    "scopes": ["orders:read", "orders:write"],
    "metadata": { "team": "checkout" },
    "allowed_cidrs": ["203.0.113.0/24", "2001:db8::/32"],
    "rate_limits": [
        { "name": "requests", "limit": 600, "window_seconds": 60, "burst": 100, "cost": 1 },
    ],
    "quotas": [
        { "name": "month", "limit": 100_000, "refill": "monthly", "generation": 1 },
    ],
    "not_before": null,
    "expires_at": "2026-12-01T09:30:00Z",
    "state": "active",
    "is_active": true,
    "revocation_reason": null,
    "revoked_at": null,
    "issued_by": null,
    "created_at": "2026-11-01T09:30:00.123456Z",
    "updated_at": "2026-11-01T09:30:00.123456Z",
    "version": 1,
    "usage_count": 1204,
    "last_used_at": "2026-11-02T14:07:31.004512Z",
    "last_accessed": "2026-11-02T14:07:31.004512Z",
}))]
pub(crate) struct TokenView {
    pub(super) id: TokenId,
    /// The owner.
    pub(super) account_id: AccountId,
    /// Its name for people.
    #[schema(min_length = 1, max_length = 100)]
    pub(super) name: String,
    #[schema(value_type = Environment)]
    pub(super) environment: String,
    /// The beginning of its secret, to recognise it by.
    pub(super) token_prefix: String,
    /// What it may be used for, sorted.
    #[schema(value_type = Vec<Scope>)]
    pub(super) scopes: Vec<String>,
    /// What the account keeps with it.
    #[schema(value_type = Object)]
    pub(super) metadata: Value,
    /// The networks from which it may be used, sorted; from anywhere if there is none.
    #[schema(value_type = Vec<Network>)]
    pub(super) allowed_cidrs: Vec<String>,
    /// How much it may do in how much time, sorted by name; as much as it will if there is none.
    #[schema(value_type = Vec<RateLimit>)]
    pub(super) rate_limits: RateLimits,
    /// How many uses it has, sorted by name; as many as it will if there is none. What is left of them
    /// tells `GET /v1/tokens/{id}/quotas`.
    #[schema(value_type = Vec<Quota>)]
    pub(super) quotas: Quotas,
    /// First moment at which it works.
    #[schema(required)]
    pub(super) not_before: Option<DateTime<Utc>>,
    /// First moment at which it works no more.
    #[schema(required)]
    pub(super) expires_at: Option<DateTime<Utc>>,
    #[schema(value_type = Status)]
    pub(super) state: String,
    /// Whether `state` is `active`.
    pub(super) is_active: bool,
    #[schema(required, value_type = Option<RevocationReason>)]
    pub(super) revocation_reason: Option<String>,
    #[schema(required)]
    pub(super) revoked_at: Option<DateTime<Utc>>,
    /// The token by which it was issued, if one was used.
    #[schema(required)]
    pub(super) issued_by: Option<TokenId>,
    pub(super) created_at: DateTime<Utc>,
    pub(super) updated_at: DateTime<Utc>,
    /// Counts its changes; the same as in `ETag`.
    #[schema(minimum = 1)]
    pub(super) version: u64,
    /// Requests that presented it, refused ones included. Null of a token as it was: the log does
    /// not count.
    #[schema(required, minimum = 0)]
    pub(super) usage_count: Option<i64>,
    /// When it was last let through.
    #[schema(required)]
    pub(super) last_used_at: Option<DateTime<Utc>>,
    /// The same as `last_used_at`.
    #[schema(required)]
    pub(super) last_accessed: Option<DateTime<Utc>>,
}

/// A token together with its secret, which is shown this once.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = TokenWithSecret, example = json!({
    "token": "tk_live_Xk2pV9aQ0bR7cS4dT1eU8fW5gY3hZ6iN2jM0q1aB2c",
    "id": "019aa5d0-4b1c-7f3e-a1d2-6c7b8a9d0e1f",
    "account_id": "019aa5d0-1f2e-7a10-9c3b-5d6e7f809101",
    "name": "deployments",
    "environment": "live",
    "token_prefix": "tk_live_Xk2p",
    "scopes": ["orders:read", "orders:write"],
    "metadata": { "team": "checkout" },
    "allowed_cidrs": ["203.0.113.0/24", "2001:db8::/32"],
    "rate_limits": [
        { "name": "requests", "limit": 600, "window_seconds": 60, "burst": 100, "cost": 1 },
    ],
    "quotas": [
        { "name": "month", "limit": 100_000, "refill": "monthly", "generation": 1 },
    ],
    "not_before": null,
    "expires_at": "2026-12-01T09:30:00Z",
    "state": "active",
    "is_active": true,
    "revocation_reason": null,
    "revoked_at": null,
    "issued_by": null,
    "created_at": "2026-11-01T09:30:00.123456Z",
    "updated_at": "2026-11-01T09:30:00.123456Z",
    "version": 1,
    "usage_count": 1204,
    "last_used_at": "2026-11-02T14:07:31.004512Z",
    "last_accessed": "2026-11-02T14:07:31.004512Z",
}))]
pub(super) struct SecretView<'a> {
    /// The whole token. It is shown this once.
    #[schema(required, value_type = Option<String>)]
    pub(super) token: &'a str,
    /// Why there is none, in an answer that is given again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) withheld: Option<Withheld>,
    #[serde(flatten)]
    pub(super) view: TokenView,
}

/// A token with its new secret, and where it is known.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = RotatedToken)]
pub(super) struct RotatedToken<'a> {
    #[serde(flatten)]
    pub(super) token: SecretView<'a>,
    /// Added when it is given, to the answer that is kept as well as to a new one.
    #[serde(flatten)]
    pub(super) receipt: Receipt,
}

/// A token as it is after a change, and where that is known.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ChangedToken {
    #[serde(flatten)]
    token: TokenView,
    #[serde(flatten)]
    receipt: Receipt,
}

impl ChangedToken {
    pub(super) const fn new(token: TokenView, receipt: Receipt) -> Self {
        Self { token, receipt }
    }
}

impl IntoResponse for ChangedToken {
    fn into_response(self) -> Response {
        (etag(self.token.version()), Json(self)).into_response()
    }
}

impl TokenView {
    /// A token as its events have made it, with its usage.
    pub(super) fn new(token: Token, usage: Usage, now: DateTime<Utc>) -> Self {
        let status = token.status(now);
        Self {
            id: token.id,
            account_id: token.account_id,
            name: token.name.as_str().to_owned(),
            environment: token.environment.as_str().to_owned(),
            token_prefix: token.token_prefix,
            scopes: token.scopes.iter().map(ToString::to_string).collect(),
            metadata: Value::Object(token.metadata.as_map().clone()),
            allowed_cidrs: token
                .restrictions
                .allowed_cidrs
                .iter()
                .map(ToString::to_string)
                .collect(),
            rate_limits: token.restrictions.rate_limits,
            quotas: token.restrictions.quotas,
            not_before: token.validity.not_before,
            expires_at: token.validity.expires_at,
            state: status.as_str().to_owned(),
            is_active: status == Status::Active,
            revocation_reason: token
                .revocation_reason
                .map(|reason| reason.as_str().to_owned()),
            revoked_at: token.revoked_at,
            issued_by: token.issued_by,
            created_at: token.created_at,
            updated_at: token.updated_at,
            version: token.version,
            usage_count: Some(usage.count),
            last_used_at: usage.last_used_at,
            last_accessed: usage.last_used_at,
        }
    }

    /// A token as it was, told as of `at`.
    pub(crate) fn past(token: Token, at: DateTime<Utc>) -> Self {
        Self {
            usage_count: None,
            ..Self::new(token, Usage::default(), at)
        }
    }

    pub(super) const fn version(&self) -> u64 {
        self.version
    }
}

impl From<TokenRow> for TokenView {
    fn from(row: TokenRow) -> Self {
        Self {
            id: row.id.into(),
            account_id: row.account_id.into(),
            name: row.name,
            environment: row.environment,
            token_prefix: row.token_prefix,
            scopes: row.scopes,
            metadata: row.metadata,
            allowed_cidrs: row.allowed_cidrs,
            rate_limits: row.rate_limits.0,
            quotas: row.quotas.0,
            not_before: row.not_before,
            expires_at: row.expires_at,
            is_active: row.state == "active",
            state: row.state,
            revocation_reason: row.revocation_reason,
            revoked_at: row.revoked_at,
            issued_by: row.issued_by.map(Into::into),
            created_at: row.created_at,
            updated_at: row.updated_at,
            version: row.version.unsigned_abs(),
            usage_count: Some(row.usage_count),
            last_used_at: row.last_used_at,
            last_accessed: row.last_used_at,
        }
    }
}
