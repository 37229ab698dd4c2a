//! `POST /v1/tokens/import`: tokens that another system issued, known by their hashes alone.
//!
//! All of a call are imported or none. No answer or log line repeats a hash.

mod checks;
mod items;

use axum::extract::{FromRequest, Request, State};
use axum::http::StatusCode;
use axum::response::Response;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use tollkeeper_domain::ids::{AccountId, TokenId};
use tollkeeper_domain::network::Network;
use tollkeeper_domain::quota::NewQuota;
use tollkeeper_domain::rate_limit::{NewRateLimit, RateLimit};
use tollkeeper_domain::scope::Scope;
use tollkeeper_domain::secret::Environment;
use tollkeeper_domain::token::Issue;
use tollkeeper_event_store::Rows;
use tollkeeper_usage::Scrubber;
use utoipa::ToSchema;
use uuid::Uuid;

use self::checks::{check_accounts, check_hashes, naming, within};
use self::items::read;
use super::issue::own_account;
use crate::app::App;
use crate::caller::{Allowed, TokensWrite};
use crate::commands::{Cause, CommandError};
use crate::http::body::Body;
use crate::http::problem::Problem;
use crate::http::request_id::RequestId;
use crate::idempotency::{Answer, Claim, IdempotencyKey, Once};
use crate::openapi::errors::{ImportConflict, WithKey};

/// The largest body, in bytes: room for as many tokens as there may be, each with all it may hold.
pub(crate) const MAX_BODY_BYTES: usize = 8 * 1024 * 1024;

/// How many bad fields are told.
const MOST_ERRORS: usize = 100;

/// Tokens to import.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "tokens": [{
    "account_id": "019aa5d0-1f2e-7a10-9c3b-5d6e7f809101",
    "name": "deployments",
    "hash": "5e884898da28047151d0e56f8dc6292773603d0d6aabbdd62a11ef721d1542d8",
    "token_prefix": "old_Xk2p",
    "scopes": ["orders:read"],
    "expires_in_minutes": 43200,
}] }))]
pub(crate) struct ImportTokens {
    #[schema(min_items = 1, max_items = 1000)]
    tokens: Vec<ImportToken>,
}

/// A token to import.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ImportToken {
    /// The owner. Operators say it; for others it is their own account.
    account_id: Option<Uuid>,
    /// Its name for people. Not for personal data, as it stays in the log.
    #[schema(
        min_length = 1,
        max_length = 100,
        pattern = r"^[^\x00-\x1f\x7f-\x9f]*[^\s\x00-\x1f\x7f-\x9f][^\x00-\x1f\x7f-\x9f]*$"
    )]
    name: String,
    /// The SHA-256 of the whole token, in hexadecimal digits.
    #[schema(pattern = "^[0-9a-fA-F]{64}$")]
    hash: String,
    /// The beginning of the token, for people to recognise it by: visible ASCII. Nothing if it is
    /// not known.
    #[serde(default)]
    #[schema(max_length = 12, pattern = "^[!-~]*$")]
    token_prefix: String,
    /// What kind of traffic it is for: `live` if nothing is said.
    environment: Option<Environment>,
    /// What it may be used for. Without any it proves identity only.
    #[serde(default)]
    #[schema(value_type = Vec<Scope>, max_items = 100)]
    scopes: Vec<String>,
    /// Kept with the token: at most 2048 bytes as JSON. Not for personal data, as it stays in the
    /// log.
    #[serde(default)]
    #[schema(value_type = Object)]
    metadata: Map<String, Value>,
    /// The networks from which it may be used: at most 64, IPv4 or IPv6; a bare address is a network
    /// of one. `[]` is from anywhere. If nothing is said they are those of the token that you use.
    #[schema(value_type = Option<Vec<Network>>, max_items = 64)]
    allowed_cidrs: Option<Vec<String>>,
    /// How much it may do in how much time: at most 8 limits, each with a name of its own. `[]` is as
    /// much as it will. If nothing is said they are those of the token that you use.
    #[schema(value_type = Option<Vec<NewRateLimit>>, max_items = 8)]
    rate_limits: Option<Vec<RateLimit>>,
    /// How many uses it has: at most 4 quotas, each with a name of its own. `[]` is as many as it will.
    /// If nothing is said they are those of the token that you use, each with a balance of its own.
    #[schema(max_items = 4)]
    quotas: Option<Vec<NewQuota>>,
    /// First moment at which it works.
    not_before: Option<DateTime<Utc>>,
    /// First moment at which it works no more. This or `expires_in_minutes`, not both.
    expires_at: Option<DateTime<Utc>>,
    /// The same, counted from now.
    #[schema(minimum = 1)]
    expires_in_minutes: Option<i64>,
}

/// What was imported.
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = json!({ "ids": ["019aa5d0-4b1c-7f3e-a1d2-6c7b8a9d0e1f"] }))]
pub(crate) struct ImportedTokens {
    /// The tokens' ids, in the order of the call.
    ids: Vec<TokenId>,
}

/// The body. What the reader says of a bad one repeats no hash that stands where none belongs.
pub(crate) struct ImportBody(ImportTokens);

impl<S: Send + Sync> FromRequest<S> for ImportBody {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        match Body::from_request(request, state).await {
            Ok(Body(tokens)) => Ok(Self(tokens)),
            Err(problem) => {
                let hashes = ":hex:64".parse().map_err(Problem::internal)?;
                Err(problem.scrubbed(&Scrubber::new(hashes)))
            }
        }
    }
}

/// Imports tokens: 201 with their ids; 403 if one lies beyond the caller's own token; 409 if a hash
/// is known or comes twice, an account is not active or has no room; 413, 422.
#[utoipa::path(
    post,
    path = "/v1/tokens/import",
    tag = "Tokens",
    operation_id = "importTokens",
    summary = "Import tokens of another system",
    description = "By the SHA-256 of each, at most 1,000 in one call of at most 8 MiB: all are \
        imported or none. Errors name the items; of bad fields the first 100 are told. Tokens that \
        are not of the form of this installation's own work once `TOLLKEEPER_LEGACY_TOKEN_SHAPES` \
        says what they look like.",
    params(IdempotencyKey),
    request_body = ImportTokens,
    responses(
        (status = 201, description = "All are imported", body = ImportedTokens),
        WithKey<TokensWrite>,
        ImportConflict,
    ),
)]
pub(crate) async fn handle(
    State(app): State<App>,
    allowed: Allowed<TokensWrite>,
    RequestId(request_id): RequestId,
    Once(key, ImportBody(body)): Once<ImportBody>,
) -> Result<Response, Problem> {
    let work = |claim| import(&app, &allowed, request_id, body, claim);
    key.once(&app, &allowed.caller, work).await
}

async fn import(
    app: &App,
    allowed: &Allowed<TokensWrite>,
    request_id: String,
    body: ImportTokens,
    claim: Claim,
) -> Result<Answer, Problem> {
    let now = app.now();
    let mut cause = Cause {
        actor: allowed.caller.actor(),
        request_id,
    };
    let items = read(app, &allowed.caller, body.tokens, now)?;
    within(&allowed.caller, &items)?;
    check_accounts(app, allowed, &items).await?;
    check_hashes(app, &items).await?;
    let own = if items.iter().any(|item| item.account.is_none()) {
        own_account(app, &allowed.caller, &mut cause).await?
    } else {
        None
    };
    let issues: Vec<Issue> = items
        .iter()
        .map(|item| item.issue(app, &allowed.caller, own))
        .collect::<Result<_, _>>()?;
    let owners: Vec<AccountId> = issues.iter().map(|it| it.token.account_id).collect();
    let answer = |ids, rows: &mut Rows| {
        let answer = Answer::new(StatusCode::CREATED, &ImportedTokens { ids })?;
        claim.keep(&answer, rows);
        Ok(answer)
    };
    match app.commands.import(&cause, issues, now, answer).await {
        Ok(answer) => Ok(answer),
        Err(CommandError::HashTaken) => {
            // Another request was faster.
            check_hashes(app, &items).await?;
            Err(CommandError::HashTaken.into())
        }
        Err(error) => Err(naming(error, &owners)),
    }
}

/// Where a token stands in the body.
fn place(index: usize) -> String {
    format!("/tokens/{index}")
}
