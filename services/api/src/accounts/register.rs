//! `POST /v1/accounts`

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use tollkeeper_domain::account::{AccountRegistered, Role};
use tollkeeper_read_model::Reach;
use tollkeeper_read_model::accounts::Profile;

use super::view::{AccountView, check_profile, check_token_limit};
use crate::app::App;
use crate::caller::{AccountsWrite, Allowed, Caller};
use crate::commands::Cause;
use crate::http::body::Body;
use crate::http::problem::{FieldErrors, Problem};
use crate::http::request_id::RequestId;
use crate::http::version::etag;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Register {
    external_id: Option<String>,
    name: Option<String>,
    email: Option<String>,
    role: Option<Role>,
    token_limit: Option<u32>,
}

/// Registers an account: 201, or 409 if another one has the external id.
pub(crate) async fn handle(
    State(app): State<App>,
    allowed: Allowed<AccountsWrite>,
    RequestId(request_id): RequestId,
    Body(body): Body<Register>,
) -> Result<Response, Problem> {
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
    };
    let account = app.commands.register(&cause, registered, &profile).await?;
    let view = AccountView::new(account, profile);
    Ok((StatusCode::CREATED, etag(view.version()), Json(view)).into_response())
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
