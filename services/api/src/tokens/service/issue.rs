//! `POST /api/tokens`

use crate::openapi::errors::{UserConflict, WithKey};
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::{Map, Value};
use tollkeeper_domain::account::{Account, AccountRegistered, Lifecycle, Role, check_external_id};
use tollkeeper_domain::ids::AccountId;
use tollkeeper_domain::network::Network;
use tollkeeper_domain::quota::{NewQuota, Quotas};
use tollkeeper_domain::rate_limit::{RateLimit, RateLimits};
use tollkeeper_domain::scope::Scope;
use tollkeeper_domain::secret::{Environment, TokenSecret};
use tollkeeper_domain::token::{Metadata, Token, TokenName, Validity};
use tollkeeper_event_store::Rows;
use tollkeeper_read_model::accounts::{self, Profile};
use tollkeeper_read_model::tokens::Usage;
use utoipa::ToSchema;

use super::rate_limit::NewUserRateLimit;
use super::view::{ServiceSecretView, ServiceTokenView};
use super::{across_accounts, own_names};
use crate::app::App;
use crate::caller::{AccountsWrite, Allowed, Caller, Privilege, TokensWrite};
use crate::commands::{Cause, CommandError};
use crate::http::body::Body;
use crate::http::problem::{FieldErrors, Problem};
use crate::http::request_id::RequestId;
use crate::idempotency::{Answer, Claim, IdempotencyKey, Once};
use crate::tokens::TokenView;
use crate::tokens::fields::{Asked, cut, scopes};
use crate::tokens::issue::{Wanted, expiry, issue};

/// 365 days.
const LONGEST_MINUTES: i64 = 525_600;

/// The name of a token that was given none.
const UNNAMED: &str = "API token";

/// A token to issue for a user.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[schema(example = json!({
    "userId": "user123",
    "scopes": ["read", "write"],
    "expiresInMinutes": 60,
}))]
pub(crate) struct IssueForUser {
    /// Your own name for the user: the `external_id` of their account.
    #[schema(
        min_length = 1,
        max_length = 255,
        pattern = r"^[^\x00-\x1f\x7f-\x9f]+$"
    )]
    user_id: String,
    /// Its name for people: `API token` if nothing is said.
    #[schema(
        min_length = 1,
        max_length = 100,
        pattern = r"^[^\x00-\x1f\x7f-\x9f]*[^\s\x00-\x1f\x7f-\x9f][^\x00-\x1f\x7f-\x9f]*$"
    )]
    name: Option<String>,
    /// What kind of traffic it is for: `live` if nothing is said.
    environment: Option<Environment>,
    /// What it may be used for. Without any it proves identity only.
    #[serde(default)]
    #[schema(value_type = Vec<Scope>, max_items = 100)]
    scopes: Vec<String>,
    /// Kept with the token: at most 2048 bytes as JSON. Not for personal data.
    #[serde(default)]
    #[schema(value_type = Object)]
    metadata: Map<String, Value>,
    /// The networks from which it may be used: at most 64, IPv4 or IPv6; a bare address is a network
    /// of one. `[]` is from anywhere. If nothing is said they are those of the token that you use.
    #[schema(value_type = Option<Vec<Network>>, max_items = 64)]
    allowed_cidrs: Option<Vec<String>>,
    /// How much it may do in how much time: at most 8 limits, each with a name of its own. `[]` is as
    /// much as it will. If nothing is said they are those of the token that you use.
    #[schema(max_items = 8)]
    rate_limits: Option<Vec<NewUserRateLimit>>,
    /// How many uses it has: at most 4 quotas, each with a name of its own. `[]` is as many as it will.
    /// If nothing is said they are those of the token that you use, each with a balance of its own.
    #[schema(max_items = 4)]
    quotas: Option<Vec<NewQuota>>,
    /// First moment at which it works no more. This or `expiresInMinutes`, not both.
    expires_at: Option<DateTime<Utc>>,
    /// The same, counted from now.
    #[schema(minimum = 1, maximum = 525_600)]
    expires_in_minutes: Option<i64>,
}

/// Issues a token for a user, who gets an account at the first call: 201 with the secret, this
/// once; 403 beyond the caller's own token, 409 once the account is suspended or deleted, or has as
/// many tokens as it may.
#[utoipa::path(
    post,
    path = "/api/tokens",
    tag = "Services",
    operation_id = "issueTokenForUser",
    summary = "Issue a token for a user",
    description = "For operators and tokens of system accounts. The user gets an account at the \
        first call for them; an API token needs `tollkeeper:accounts.write` for that. The answer \
        holds the secret, this once.",
    params(IdempotencyKey),
    request_body = IssueForUser,
    responses(
        (
            status = 201,
            description = "Issued, with the secret",
            body = ServiceSecretView<'_>,
            headers(("ETag" = String, description = "The version, for `If-Match`")),
        ),
        WithKey<TokensWrite>,
        UserConflict,
    ),
)]
pub(crate) async fn handle(
    State(app): State<App>,
    allowed: Allowed<TokensWrite>,
    RequestId(request_id): RequestId,
    Once(key, Body(body)): Once<Body<IssueForUser>>,
) -> Result<Response, Problem> {
    across_accounts(&allowed)?;
    let work = |claim| issue_as_asked(&app, &allowed, request_id, body, claim);
    key.once(&app, &allowed.caller, work).await
}

async fn issue_as_asked(
    app: &App,
    allowed: &Allowed<TokensWrite>,
    request_id: String,
    body: IssueForUser,
    claim: Claim,
) -> Result<Answer, Problem> {
    let now = app.now();
    let cause = Cause {
        actor: allowed.caller.actor(),
        request_id,
    };
    let user = body.user_id.clone();
    let wanted = wanted(app, &allowed.caller, body, now).map_err(own_names)?;
    wanted.within(&allowed.caller).map_err(own_names)?;
    let account = account(app, allowed, &cause, &user).await?;
    let shown = |token: Token, secret: &TokenSecret| {
        let view = TokenView::new(token, Usage::default(), now);
        let view = ServiceSecretView {
            token: secret.expose(),
            withheld: None,
            view: ServiceTokenView::new(view, Some(user)),
        };
        Answer::with_secret(StatusCode::CREATED, &view, ("token", view.token))
    };
    let wanted = (account, wanted);
    let issued = issue(app, &allowed.caller, &cause, &claim, wanted, now, shown).await;
    issued.map_err(own_names)
}

/// The body in the domain's terms.
fn wanted(
    app: &App,
    caller: &Caller,
    body: IssueForUser,
    now: DateTime<Utc>,
) -> Result<Wanted, Problem> {
    let mut errors = FieldErrors::default();
    errors.take("/external_id", check_external_id(&body.user_id));
    let name = body.name.as_deref().unwrap_or(UNNAMED);
    let name = errors.take("/name", TokenName::new(name));
    let metadata = errors.take("/metadata", Metadata::new(body.metadata));
    let scopes = scopes(&body.scopes, &mut errors);
    if body
        .expires_in_minutes
        .is_some_and(|it| it > LONGEST_MINUTES)
    {
        errors.add(
            "/expires_in_minutes",
            format!("this is at most {LONGEST_MINUTES}"),
        );
    }
    let validity = Validity {
        not_before: None,
        expires_at: expiry(
            app,
            caller.authority(),
            body.expires_at.map(cut),
            body.expires_in_minutes,
            now,
            &mut errors,
        ),
    };
    let asked = Asked {
        allowed_cidrs: body.allowed_cidrs,
        rate_limits: body
            .rate_limits
            .map(|limits| limits.into_iter().map(RateLimit::from).collect()),
        quotas: body.quotas,
    };
    let restrictions = asked.restrictions(caller.authority(), &mut errors);
    errors.check()?;
    let (Some(name), Some(metadata), Some(restrictions)) = (name, metadata, restrictions) else {
        return Err(Problem::internal(
            "a field without a value passed its check",
        ));
    };
    Ok(Wanted {
        name,
        environment: body.environment.unwrap_or(Environment::Live),
        scopes,
        metadata,
        validity,
        restrictions,
    })
}

/// The user's account, registered if this is the first call for them.
async fn account(
    app: &App,
    allowed: &Allowed<TokensWrite>,
    cause: &Cause,
    user: &str,
) -> Result<AccountId, Problem> {
    let known = async || accounts::find_by_external_id(&app.pool, allowed.reach, user).await;
    if let Some(found) = known().await? {
        return of_known(&found.account);
    }
    if !allowed.caller.has(AccountsWrite::SCOPE) {
        return Err(Problem::missing_scope(AccountsWrite::SCOPE));
    }
    let registered = AccountRegistered {
        external_id: Some(user.to_owned()),
        identity: None,
        role: Role::User,
        token_limit: None,
        rate_limits: RateLimits::default(),
        quotas: Quotas::default(),
    };
    let commands = &app.commands;
    let id = |account: Account, _: &mut Rows| Ok(account.id);
    match commands
        .register(cause, registered, &Profile::default(), id)
        .await
    {
        Ok(id) => Ok(id),
        // Another request for the same user was faster.
        Err(CommandError::ExternalIdTaken) => {
            let found = known().await?;
            of_known(
                &found
                    .ok_or_else(|| Problem::internal("an account has gone"))?
                    .account,
            )
        }
        Err(error) => Err(own_names(error)),
    }
}

/// A deleted account is not born again.
fn of_known(account: &Account) -> Result<AccountId, Problem> {
    match account.lifecycle {
        Lifecycle::Deleted => Err(Problem::conflict(
            "ACCOUNT_DELETED",
            "the user's account is deleted",
        )),
        Lifecycle::Active | Lifecycle::Suspended => Ok(account.id),
    }
}
