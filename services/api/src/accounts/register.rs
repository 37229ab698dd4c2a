//! `POST /v1/accounts`

use crate::openapi::errors::{RegisterConflict, WithKey};
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde::Deserialize;
use tollkeeper_domain::account::{Account, AccountRegistered, Role};
use tollkeeper_domain::quota::NewQuota;
use tollkeeper_domain::rate_limit::{NewRateLimit, RateLimit};
use tollkeeper_event_store::Rows;
use tollkeeper_read_model::Reach;
use tollkeeper_read_model::accounts::Profile;
use utoipa::ToSchema;

use super::view::{AccountView, check_profile, check_token_limit};
use crate::app::App;
use crate::caller::{AccountsWrite, Allowed, Caller};
use crate::commands::Cause;
use crate::http::body::Body;
use crate::http::problem::{FieldErrors, Problem};
use crate::http::request_id::RequestId;
use crate::idempotency::{Answer, Claim, IdempotencyKey, Once};
use crate::{quotas, rate_limits};

/// An account to register.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = RegisterAccount, example = json!({
    "external_id": "customer-4711",
    "name": "Example Shop",
    "email": "ops@shop.example",
}))]
pub(crate) struct Register {
    /// The name by which you know it. Not for personal data, as it stays in the log.
    #[schema(
        min_length = 1,
        max_length = 255,
        pattern = r"^[^\x00-\x1f\x7f-\x9f]+$"
    )]
    external_id: Option<String>,
    /// Its name for people.
    #[schema(
        min_length = 1,
        max_length = 200,
        pattern = r"^[^\x00-\x1f\x7f-\x9f]+$"
    )]
    name: Option<String>,
    /// Where to reach its people.
    #[schema(
        min_length = 3,
        max_length = 254,
        pattern = r"^[^@\x00-\x1f\x7f-\x9f]+@[^\x00-\x1f\x7f-\x9f]+$"
    )]
    email: Option<String>,
    /// `user` if nothing is said.
    role: Option<Role>,
    /// How many live tokens it may have; 0 for no limit, null for the installation's own.
    #[schema(maximum = 100_000)]
    token_limit: Option<u32>,
    /// How much all its tokens together may do in how much time: at most 8 limits, each with a name of
    /// its own. `[]`, or nothing, is as much as they will.
    #[serde(default)]
    #[schema(value_type = Vec<NewRateLimit>, max_items = 8)]
    rate_limits: Vec<RateLimit>,
    /// How many uses all its tokens together have: at most 4 quotas, each with a name of its own. `[]`,
    /// or nothing, is as many as they will.
    #[serde(default)]
    #[schema(max_items = 4)]
    quotas: Vec<NewQuota>,
}

/// Registers an account: 201, or 409 if another one has the external id.
#[utoipa::path(
    post,
    path = "/v1/accounts",
    tag = "Accounts",
    operation_id = "registerAccount",
    summary = "Register an account",
    description = "For operators and tokens of system accounts. Only operators register system \
        accounts, whose tokens act across accounts.",
    params(IdempotencyKey),
    request_body = Register,
    responses(
        (
            status = 201,
            description = "Registered",
            body = AccountView,
            headers(("ETag" = String, description = "The version, for `If-Match`")),
        ),
        WithKey<AccountsWrite>,
        RegisterConflict,
    ),
)]
pub(crate) async fn handle(
    State(app): State<App>,
    allowed: Allowed<AccountsWrite>,
    RequestId(request_id): RequestId,
    Once(key, Body(body)): Once<Body<Register>>,
) -> Result<Response, Problem> {
    let work = |claim| register(&app, &allowed, request_id, body, claim);
    key.once(&app, &allowed.caller, work).await
}

async fn register(
    app: &App,
    allowed: &Allowed<AccountsWrite>,
    request_id: String,
    body: Register,
    claim: Claim,
) -> Result<Answer, Problem> {
    if allowed.reach != Reach::All {
        let detail = "only operators and tokens of system accounts register accounts";
        return Err(Problem::forbidden("BEYOND_AUTHORITY", detail));
    }
    let role = body.role.unwrap_or_default();
    check_role(&allowed.caller, role)?;
    let profile = Profile {
        name: body.name,
        email: body.email,
    };
    let mut errors = FieldErrors::default();
    check_profile(&profile, &mut errors);
    check_token_limit(body.token_limit, &mut errors);
    let rate_limits = rate_limits::check(body.rate_limits, &mut errors);
    let quotas = quotas::check(body.quotas, &mut errors);
    errors.check()?;

    let cause = Cause {
        actor: allowed.caller.actor(),
        request_id,
    };
    let registered = AccountRegistered {
        external_id: body.external_id,
        identity: None,
        role,
        token_limit: body.token_limit,
        rate_limits: rate_limits.unwrap_or_default(),
        quotas: quotas.unwrap_or_default().into(),
    };
    let answer = |account: Account, rows: &mut Rows| {
        let id = account.id;
        let view = AccountView::new(account, profile.clone());
        let answer = Answer::new(StatusCode::CREATED, &view)?
            .tagged(view.version())
            .showing_profile_of(id);
        claim.keep(&answer, rows);
        Ok(answer)
    };
    let commands = &app.commands;
    Ok(commands
        .register(&cause, registered, &profile, answer)
        .await?)
}

/// Only operators make accounts whose tokens act across accounts.
pub(super) fn check_role(caller: &Caller, role: Role) -> Result<(), Problem> {
    match (role, caller) {
        (Role::User, _) | (Role::System, Caller::Operator { .. }) => Ok(()),
        (Role::System, _) => {
            let detail = "only operators make system accounts";
            Err(Problem::forbidden("BEYOND_AUTHORITY", detail))
        }
    }
}
