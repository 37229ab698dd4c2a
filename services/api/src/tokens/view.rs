//! A token as clients see it.

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::Value;
use tollkeeper_domain::ids::{AccountId, TokenId};
use tollkeeper_domain::token::{Status, Token};
use tollkeeper_read_model::tokens::{TokenRow, Usage};

#[derive(Debug, Serialize)]
pub(crate) struct TokenView {
    pub(super) id: TokenId,
    pub(super) account_id: AccountId,
    pub(super) name: String,
    pub(super) environment: String,
    pub(super) token_prefix: String,
    pub(super) scopes: Vec<String>,
    pub(super) metadata: Value,
    pub(super) not_before: Option<DateTime<Utc>>,
    pub(super) expires_at: Option<DateTime<Utc>>,
    pub(super) state: String,
    pub(super) is_active: bool,
    pub(super) revocation_reason: Option<String>,
    pub(super) revoked_at: Option<DateTime<Utc>>,
    pub(super) issued_by: Option<TokenId>,
    pub(super) created_at: DateTime<Utc>,
    pub(super) updated_at: DateTime<Utc>,
    pub(super) version: u64,
    /// None of a token as it was: the log does not count.
    pub(super) usage_count: Option<i64>,
    pub(super) last_used_at: Option<DateTime<Utc>>,
    pub(super) last_accessed: Option<DateTime<Utc>>,
}

/// A token together with its secret, which is shown this once.
#[derive(Debug, Serialize)]
pub(super) struct SecretView<'a> {
    /// The whole token.
    pub(super) token: &'a str,
    #[serde(flatten)]
    pub(super) view: TokenView,
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
