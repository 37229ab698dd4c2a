//! A token as clients see it.

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::Value;
use tollkeeper_domain::token::Token;
use tollkeeper_read_model::Reach;
use tollkeeper_read_model::tokens::{self, TokenRow};
use uuid::Uuid;

use crate::app::App;
use crate::http::problem::Problem;

#[derive(Debug, Serialize)]
pub(super) struct TokenView {
    id: Uuid,
    account_id: Uuid,
    name: String,
    environment: String,
    token_prefix: String,
    scopes: Vec<String>,
    metadata: Value,
    not_before: Option<DateTime<Utc>>,
    expires_at: Option<DateTime<Utc>>,
    state: String,
    is_active: bool,
    revocation_reason: Option<String>,
    revoked_at: Option<DateTime<Utc>>,
    issued_by: Option<Uuid>,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
    version: i64,
    usage_count: i64,
    last_used_at: Option<DateTime<Utc>>,
    last_accessed: Option<DateTime<Utc>>,
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
    /// A token that was issued just now and so has never been used.
    pub(super) fn unused(token: Token) -> Self {
        Self::from(TokenRow {
            id: token.id.0,
            account_id: token.account_id.0,
            name: token.name.as_str().to_owned(),
            environment: token.environment.as_str().to_owned(),
            token_prefix: token.token_prefix,
            scopes: token.scopes.iter().map(ToString::to_string).collect(),
            metadata: Value::Object(token.metadata.as_map().clone()),
            not_before: token.validity.not_before,
            expires_at: token.validity.expires_at,
            state: "active".to_owned(),
            revocation_reason: None,
            revoked_at: None,
            issued_by: token.issued_by.map(|id| id.0),
            created_at: token.created_at,
            updated_at: token.updated_at,
            version: i64::try_from(token.version).unwrap_or(i64::MAX),
            usage_count: 0,
            last_used_at: None,
        })
    }

    /// A token that is there already, with its usage.
    pub(super) async fn read(app: &App, token: &Token) -> Result<Self, Problem> {
        let reach = Reach::Account(token.account_id);
        let found = tokens::find(&app.pool, reach, token.id, app.now()).await?;
        found
            .map(Self::from)
            .ok_or_else(|| Problem::not_found("token"))
    }

    pub(super) const fn version(&self) -> u64 {
        self.version.unsigned_abs()
    }
}

impl From<TokenRow> for TokenView {
    fn from(row: TokenRow) -> Self {
        Self {
            id: row.id,
            account_id: row.account_id,
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
            issued_by: row.issued_by,
            created_at: row.created_at,
            updated_at: row.updated_at,
            version: row.version,
            usage_count: row.usage_count,
            last_used_at: row.last_used_at,
            last_accessed: row.last_used_at,
        }
    }
}
