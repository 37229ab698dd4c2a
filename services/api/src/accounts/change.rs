//! `PATCH /v1/accounts/{id}`

use crate::openapi::errors::{AccountConflict, NotFound, VersionMismatch, WithBody};
use axum::extract::State;
use axum::response::IntoResponse;
use serde::Deserialize;
use tollkeeper_domain::account::{Command, Role};
use tollkeeper_domain::ids::AccountId;
use tollkeeper_domain::quota::NewQuota;
use tollkeeper_domain::rate_limit::{NewRateLimit, RateLimit};
use tollkeeper_read_model::Reach;
use tollkeeper_read_model::accounts::Profile;
use utoipa::ToSchema;

use super::register::check_role;
use super::view::{ChangedAccount, check_profile, check_token_limit};
use crate::app::App;
use crate::caller::{AccountsWrite, Allowed};
use crate::commands::{Cause, ProfileChange};
use crate::http::body::{Body, nullable};
use crate::http::path::Id;
use crate::http::problem::{FieldErrors, Problem};
use crate::http::query::Parameters;
use crate::http::request_id::RequestId;
use crate::http::version::IfMatch;
use crate::nodes::Wait;
use crate::{quotas, rate_limits};

/// What to change of an account.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ChangeAccount, example = json!({ "name": "Example Shop Ltd", "token_limit": 500 }))]
pub(crate) struct Change {
    /// The new name by which you know it, or null for none.
    #[serde(default, deserialize_with = "nullable")]
    #[schema(value_type = Option<String>, min_length = 1, max_length = 255, pattern = r"^[^\x00-\x1f\x7f-\x9f]+$")]
    external_id: Option<Option<String>>,
    /// The new name for people, or null for none.
    #[serde(default, deserialize_with = "nullable")]
    #[schema(value_type = Option<String>, min_length = 1, max_length = 200, pattern = r"^[^\x00-\x1f\x7f-\x9f]+$")]
    name: Option<Option<String>>,
    /// The new e-mail address, or null for none.
    #[serde(default, deserialize_with = "nullable")]
    #[schema(value_type = Option<String>, min_length = 3, max_length = 254, pattern = r"^[^@\x00-\x1f\x7f-\x9f]+@[^\x00-\x1f\x7f-\x9f]+$")]
    email: Option<Option<String>>,
    /// What it is for.
    role: Option<Role>,
    /// How many live tokens it may have; 0 for no limit, null for the installation's own.
    #[serde(default, deserialize_with = "nullable")]
    #[schema(value_type = Option<u32>, maximum = 100_000)]
    token_limit: Option<Option<u32>>,
    /// How much all its tokens together may do in how much time: all limits from now on, at most 8,
    /// each with a name of its own. `[]` is as much as they will. A limit of a name that stays goes on
    /// from what was consumed.
    #[schema(value_type = Option<Vec<NewRateLimit>>, max_items = 8)]
    rate_limits: Option<Vec<RateLimit>>,
    /// How many uses all its tokens together have: all quotas from now on, at most 4, each with a name
    /// of its own. `[]` is as many as they will. A quota of a name and a refill that stay goes on from
    /// what was used.
    #[schema(max_items = 4)]
    quotas: Option<Vec<NewQuota>>,
}

/// Changes what the body names: 200, 404, 409 if another account has the external id, or 412.
#[utoipa::path(
    patch,
    path = "/v1/accounts/{id}",
    tag = "Accounts",
    operation_id = "changeAccount",
    summary = "Change an account",
    description = "What the body does not name stays as it is. An account's own tokens change its name \
        and e-mail address only, and no token sets the rate limits or quotas of its own account.",
    params(("id" = AccountId, Path, description = "The account"), IfMatch, Wait),
    request_body = Change,
    responses(
        (
            status = 200,
            description = "The account as it is now",
            body = ChangedAccount,
            headers(("ETag" = String, description = "The version, for `If-Match`")),
        ),
        WithBody<AccountsWrite>,
        NotFound,
        AccountConflict,
        VersionMismatch,
    ),
)]
pub(crate) async fn handle(
    State(app): State<App>,
    allowed: Allowed<AccountsWrite>,
    Id(id): Id,
    IfMatch(expected): IfMatch,
    RequestId(request_id): RequestId,
    Parameters(wait): Parameters<Wait>,
    Body(body): Body<Change>,
) -> Result<impl IntoResponse, Problem> {
    let by_operators = [
        body.external_id.is_some(),
        body.role.is_some(),
        body.token_limit.is_some(),
        body.rate_limits.is_some(),
        body.quotas.is_some(),
    ];
    if by_operators.contains(&true) && allowed.reach != Reach::All {
        let detail = "an account's own tokens change its name and e-mail address only";
        return Err(Problem::forbidden("BEYOND_AUTHORITY", detail));
    }
    let own = allowed.caller.account_id() == Some(id.into());
    if (body.rate_limits.is_some() || body.quotas.is_some()) && own {
        let detail = "an account's own tokens do not set its rate limits or quotas";
        return Err(Problem::forbidden("BEYOND_AUTHORITY", detail));
    }
    check_role(&allowed.caller, body.role.unwrap_or_default())?;
    let given = Profile {
        name: body.name.clone().flatten(),
        email: body.email.clone().flatten(),
    };
    let mut errors = FieldErrors::default();
    check_profile(&given, &mut errors);
    check_token_limit(body.token_limit.flatten(), &mut errors);
    let rate_limits = body
        .rate_limits
        .and_then(|asked| rate_limits::check(asked, &mut errors));
    let quotas = body
        .quotas
        .and_then(|asked| quotas::check(asked, &mut errors));
    errors.check()?;

    let cause = Cause {
        actor: allowed.caller.actor(),
        request_id,
    };
    let command = Command::Change {
        external_id: body.external_id,
        role: body.role,
        token_limit: body.token_limit,
        rate_limits,
        quotas,
        profile_changes: false,
    };
    let target = (id.into(), allowed.reach);
    let profile = ProfileChange {
        name: body.name,
        email: body.email,
    };
    let row = app
        .commands
        .change_account(&cause, target, expected, &command, &profile)
        .await?;
    Ok(ChangedAccount::new(row.into(), wait.over(&app).await))
}
