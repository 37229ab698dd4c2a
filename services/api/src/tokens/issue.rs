//! `POST /v1/tokens`

use crate::openapi::errors::{IssueConflict, WithKey};
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use chrono::{DateTime, TimeDelta, Utc};
use serde::Deserialize;
use serde_json::{Map, Value};
use tollkeeper_domain::authority::{Authority, Extent};
use tollkeeper_domain::ids::{AccountId, TokenId};
use tollkeeper_domain::network::Network;
use tollkeeper_domain::quota::NewQuota;
use tollkeeper_domain::rate_limit::{NewRateLimit, RateLimit};
use tollkeeper_domain::scope::{Scope, ScopeSet};
use tollkeeper_domain::secret::{Environment, TokenSecret};
use tollkeeper_domain::token::{
    Issue, Metadata, Restrictions, Token, TokenIssued, TokenName, Validity,
};
use tollkeeper_event_store::Rows;
use tollkeeper_read_model::tokens::Usage;
use tollkeeper_read_model::{Reach, accounts};
use utoipa::ToSchema;
use uuid::Uuid;

use super::fields::{Asked, cut, scopes};
use super::view::{SecretView, TokenView};
use crate::app::App;
use crate::caller::{Allowed, Caller, TokensWrite};
use crate::commands::{Cause, CommandError};
use crate::http::body::Body;
use crate::http::problem::{FieldErrors, Problem};
use crate::http::request_id::RequestId;
use crate::idempotency::{Answer, Claim, IdempotencyKey, Once};

/// A token to issue.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({
    "account_id": "019aa5d0-1f2e-7a10-9c3b-5d6e7f809101",
    "name": "deployments",
    "environment": "live",
    "scopes": ["orders:read", "orders:write"],
    "metadata": { "team": "checkout" },
    "allowed_cidrs": ["203.0.113.0/24", "2001:db8::/32"],
    "rate_limits": [{ "name": "requests", "limit": 600, "window_seconds": 60, "burst": 100 }],
    "quotas": [{ "name": "month", "limit": 100_000, "refill": "monthly" }],
    "expires_in_minutes": 43200,
}))]
pub(crate) struct IssueToken {
    /// The owner. Operators say it; for others it is their own account.
    account_id: Option<Uuid>,
    /// Its name for people. Not for personal data, as it stays in the log.
    #[schema(
        min_length = 1,
        max_length = 100,
        pattern = r"^[^\x00-\x1f\x7f-\x9f]*[^\s\x00-\x1f\x7f-\x9f][^\x00-\x1f\x7f-\x9f]*$"
    )]
    name: String,
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

/// Issues a token: 201 with the secret, this once.
#[utoipa::path(
    post,
    path = "/v1/tokens",
    tag = "Tokens",
    operation_id = "issueToken",
    summary = "Issue a token",
    description = "The answer holds the secret, this once. Without an expiry the token gets the longest \
        one that this installation, and the credential of the caller, allow. A caller hands \
        on no more than it has: a token that is bound to networks hands on none beyond these, and one \
        that has rate limits or quotas hands on none that could do more.",
    params(IdempotencyKey),
    request_body = IssueToken,
    responses(
        (
            status = 201,
            description = "Issued, with the secret",
            body = SecretView<'_>,
            headers(("ETag" = String, description = "The version, for `If-Match`")),
        ),
        WithKey<TokensWrite>,
        IssueConflict,
    ),
)]
pub(crate) async fn handle(
    State(app): State<App>,
    allowed: Allowed<TokensWrite>,
    RequestId(request_id): RequestId,
    Once(key, Body(body)): Once<Body<IssueToken>>,
) -> Result<Response, Problem> {
    let work = |claim| issue_as_asked(&app, &allowed, request_id, body, claim);
    key.once(&app, &allowed.caller, work).await
}

async fn issue_as_asked(
    app: &App,
    allowed: &Allowed<TokensWrite>,
    request_id: String,
    body: IssueToken,
    claim: Claim,
) -> Result<Answer, Problem> {
    let now = app.now();
    let mut cause = Cause {
        actor: allowed.caller.actor(),
        request_id,
    };
    let mut errors = FieldErrors::default();
    let name = errors.take("/name", TokenName::new(&body.name));
    let metadata = errors.take("/metadata", Metadata::new(body.metadata));
    let scopes = scopes(&body.scopes, &mut errors);
    let validity = Validity {
        not_before: body.not_before.map(cut),
        expires_at: expiry(
            app,
            allowed.caller.authority(),
            body.expires_at,
            body.expires_in_minutes,
            now,
            &mut errors,
        ),
    };
    let authority = allowed.caller.authority();
    let asked = Asked {
        allowed_cidrs: body.allowed_cidrs,
        rate_limits: body.rate_limits,
        quotas: body.quotas,
    };
    let restrictions = asked.restrictions(authority, &mut errors);
    errors.check()?;
    let (Some(name), Some(metadata), Some(restrictions)) = (name, metadata, restrictions) else {
        return Err(Problem::internal(
            "a field without a value passed its check",
        ));
    };
    let environment = body.environment.unwrap_or(Environment::Live);
    let wanted = Wanted {
        name,
        environment,
        scopes,
        metadata,
        validity,
        restrictions,
    };
    wanted.within(&allowed.caller)?;
    let account_id = account(app, allowed, body.account_id.map(AccountId), &mut cause).await?;
    let shown = |token: Token, secret: &TokenSecret| {
        let view = SecretView {
            token: secret.expose(),
            withheld: None,
            view: TokenView::new(token, Usage::default(), now),
        };
        Answer::with_secret(StatusCode::CREATED, &view, ("token", view.token))
    };
    let wanted = (account_id, wanted);
    match issue(app, &allowed.caller, &cause, &claim, wanted, now, shown).await {
        Err(CommandError::AccountNotActive(id)) => Err(not_active(app, id).await?),
        answer => Ok(answer?),
    }
}

/// What is asked for, in the domain's terms.
pub(super) struct Wanted {
    pub(super) name: TokenName,
    pub(super) environment: Environment,
    pub(super) scopes: ScopeSet,
    pub(super) metadata: Metadata,
    pub(super) validity: Validity,
    pub(super) restrictions: Restrictions,
}

impl Wanted {
    /// Checks that it is the caller's to give.
    pub(super) fn within(&self, caller: &Caller) -> Result<(), CommandError> {
        let authority = caller.authority();
        authority.map_or(Ok(()), |authority| {
            authority.reaches(Extent {
                scopes: &self.scopes,
                validity: &self.validity,
                environment: self.environment,
                restrictions: &self.restrictions,
            })
        })?;
        Ok(())
    }
}

/// Issues what is wanted to the account. The answer is what `shown` makes of token and secret.
pub(super) async fn issue(
    app: &App,
    caller: &Caller,
    cause: &Cause,
    claim: &Claim,
    (account_id, wanted): (AccountId, Wanted),
    now: DateTime<Utc>,
    shown: impl FnOnce(Token, &TokenSecret) -> serde_json::Result<Answer>,
) -> Result<Answer, CommandError> {
    let fill = |bytes: &mut [u8]| app.entropy.fill(bytes);
    let secret = TokenSecret::generate(&app.policy.brand, wanted.environment, fill);
    let issue = Issue {
        token: TokenIssued {
            account_id,
            name: wanted.name,
            environment: wanted.environment,
            token_prefix: secret.prefix().to_owned(),
            secret_hash: secret.hash(),
            scopes: wanted.scopes,
            metadata: wanted.metadata,
            not_before: wanted.validity.not_before,
            expires_at: wanted.validity.expires_at,
            allowed_cidrs: wanted.restrictions.allowed_cidrs,
            rate_limits: wanted.restrictions.rate_limits,
            quotas: wanted.restrictions.quotas,
            issued_by: caller.token_id(),
        },
        longest: app.policy.longest_lifetime,
    };
    let id = TokenId(app.new_id());
    let answer = |token: Token, rows: &mut Rows| {
        let version = token.version;
        let answer = shown(token, &secret)?.tagged(version);
        claim.keep(&answer, rows);
        Ok(answer)
    };
    app.commands.issue(cause, id, issue, now, answer).await
}

/// The expiry asked for, or the longest that this caller may ask for.
pub(super) fn expiry(
    app: &App,
    authority: Option<&Authority>,
    at: Option<DateTime<Utc>>,
    minutes: Option<i64>,
    now: DateTime<Utc>,
    errors: &mut FieldErrors,
) -> Option<DateTime<Utc>> {
    match (at, minutes) {
        (Some(_), Some(_)) => {
            errors.add("/expires_in_minutes", "give this or `expires_at`, not both");
            None
        }
        (Some(at), None) => Some(cut(at)),
        (None, Some(minutes)) => {
            let length = TimeDelta::try_minutes(minutes).filter(|_| minutes > 0);
            let end = length.and_then(|length| now.checked_add_signed(length));
            if end.is_none() {
                errors.add(
                    "/expires_in_minutes",
                    "this is 1 or more, within the calendar",
                );
            }
            end
        }
        (None, None) => {
            let longest = app.policy.longest_lifetime;
            let longest = longest.and_then(|longest| now.checked_add_signed(longest));
            let own = authority.and_then(Authority::latest_expiry);
            longest.into_iter().chain(own).min()
        }
    }
}

/// The account that the token is for.
async fn account(
    app: &App,
    allowed: &Allowed<TokensWrite>,
    asked: Option<AccountId>,
    cause: &mut Cause,
) -> Result<AccountId, Problem> {
    let own = match &allowed.caller {
        // Nothing is registered for a request that is refused.
        Caller::Account {
            account_id: None, ..
        } if asked.is_some() => return Err(no_account()),
        caller => own_account(app, caller, cause).await?,
    };
    let account = asked.or(own);
    let account = account.ok_or_else(|| {
        Problem::bad_field(
            "/account_id",
            "an operator says which account the token is for",
        )
    })?;
    if allowed.reach == Reach::All || own == Some(account) {
        Ok(account)
    } else {
        Err(no_account())
    }
}

/// The caller's own account, which account holders get by their first write.
pub(super) async fn own_account(
    app: &App,
    caller: &Caller,
    cause: &mut Cause,
) -> Result<Option<AccountId>, CommandError> {
    match caller {
        Caller::Account {
            account_id: None,
            identity,
            ..
        } => {
            let id = app.commands.account_of(cause, identity).await?;
            cause.actor = format!("account:{id}");
            Ok(Some(id))
        }
        _ => Ok(caller.account_id()),
    }
}

fn no_account() -> Problem {
    Problem::bad_field("/account_id", "there is no such account")
}

/// Tells an account that is suspended from one that is not there.
async fn not_active(app: &App, id: AccountId) -> Result<Problem, Problem> {
    let found = accounts::find(&app.pool, Reach::All, id).await?;
    Ok(match found {
        Some(_) => CommandError::AccountNotActive(id).into(),
        None => no_account(),
    })
}
