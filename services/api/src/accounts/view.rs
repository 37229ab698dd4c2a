//! An account as clients see it.

use axum::Json;
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, Utc};
use serde::Serialize;
use tollkeeper_domain::account::{Account, Lifecycle, Role};
use tollkeeper_domain::ids::AccountId;
use tollkeeper_domain::quota::{Quota, Quotas};
use tollkeeper_domain::rate_limit::{RateLimit, RateLimits};
use tollkeeper_read_model::accounts::{AccountRow, Profile};
use utoipa::ToSchema;

use crate::http::problem::FieldErrors;
use crate::http::version::etag;
use crate::nodes::Receipt;

/// An account, the owner of tokens.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Account, example = json!({
    "id": "019aa5d0-1f2e-7a10-9c3b-5d6e7f809101",
    "external_id": "customer-4711",
    "name": "Example Shop",
    "email": "ops@shop.example",
    "role": "user",
    "token_limit": null,
    "rate_limits": [
        { "name": "requests", "limit": 6000, "window_seconds": 60, "burst": 1000, "cost": 1 },
    ],
    "quotas": [
        { "name": "month", "limit": 1_000_000, "refill": "monthly", "generation": 1 },
    ],
    "state": "active",
    "created_at": "2026-11-01T09:29:12.004512Z",
    "updated_at": "2026-11-01T09:29:12.004512Z",
    "version": 1,
}))]
pub(crate) struct AccountView {
    id: AccountId,
    /// The name by which you know it.
    #[schema(required)]
    external_id: Option<String>,
    /// Its name for people.
    #[schema(required)]
    name: Option<String>,
    /// Where to reach its people.
    #[schema(required)]
    email: Option<String>,
    role: Role,
    /// How many live tokens it may have; 0 for no limit, null for the installation's own.
    #[schema(required)]
    token_limit: Option<u32>,
    /// How much all its tokens together may do in how much time, sorted by name; as much as they will
    /// if there is none.
    #[schema(value_type = Vec<RateLimit>)]
    rate_limits: RateLimits,
    /// How many uses all its tokens together have, sorted by name; as many as they will if there is
    /// none. What is left of them tells `GET /v1/accounts/{id}/quotas`.
    #[schema(value_type = Vec<Quota>)]
    quotas: Quotas,
    state: Lifecycle,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
    /// Counts its changes; the same as in `ETag`.
    #[schema(minimum = 1)]
    version: u64,
}

impl AccountView {
    pub(super) fn new(account: Account, profile: Profile) -> Self {
        Self {
            id: account.id,
            external_id: account.external_id,
            name: profile.name,
            email: profile.email,
            role: account.role,
            token_limit: account.token_limit,
            rate_limits: account.rate_limits,
            quotas: account.quotas,
            state: account.lifecycle,
            created_at: account.created_at,
            updated_at: account.updated_at,
            version: account.version,
        }
    }

    pub(super) const fn version(&self) -> u64 {
        self.version
    }
}

impl From<AccountRow> for AccountView {
    fn from(row: AccountRow) -> Self {
        Self::new(row.account, row.profile)
    }
}

/// An account as it is after a change, and where that is known.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ChangedAccount {
    #[serde(flatten)]
    account: AccountView,
    #[serde(flatten)]
    receipt: Receipt,
}

impl ChangedAccount {
    pub(super) const fn new(account: AccountView, receipt: Receipt) -> Self {
        Self { account, receipt }
    }
}

impl IntoResponse for ChangedAccount {
    fn into_response(self) -> Response {
        (etag(self.account.version()), Json(self)).into_response()
    }
}

/// Checks what personal data may look like.
pub(super) fn check_profile(profile: &Profile, errors: &mut FieldErrors) {
    let fits = |text: &String, most: usize| {
        (1..=most).contains(&text.chars().count()) && !text.chars().any(char::is_control)
    };
    if profile.name.as_ref().is_some_and(|name| !fits(name, 200)) {
        errors.add(
            "/name",
            "a name has 1 to 200 characters, none of them a control character",
        );
    }
    let address = |text: &String| {
        let parts = text.split_once('@');
        fits(text, 254) && parts.is_some_and(|(local, host)| !local.is_empty() && !host.is_empty())
    };
    if profile.email.as_ref().is_some_and(|email| !address(email)) {
        errors.add("/email", "this is not an e-mail address");
    }
}

/// The live tokens of an account with a limit are counted at each issue, under a lock.
const MOST_TOKENS: u32 = 100_000;

/// Checks how many live tokens an account may have; 0 is unlimited.
pub(super) fn check_token_limit(limit: Option<u32>, errors: &mut FieldErrors) {
    if limit.is_some_and(|limit| limit > MOST_TOKENS) {
        let detail = format!("this is at most {MOST_TOKENS}, or 0 for no limit");
        errors.add("/token_limit", detail);
    }
}
