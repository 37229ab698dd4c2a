//! `PATCH /v1/accounts/{id}`

use axum::Json;
use axum::extract::State;
use axum::response::IntoResponse;
use serde::Deserialize;
use tollkeeper_domain::account::{Command, Role};
use tollkeeper_read_model::Reach;
use tollkeeper_read_model::accounts::{self, Profile};

use super::register::check_role;
use super::view::{AccountView, check_profile, check_token_limit};
use crate::app::App;
use crate::caller::{AccountsWrite, Allowed};
use crate::commands::Cause;
use crate::http::body::{Body, nullable};
use crate::http::path::Id;
use crate::http::problem::{FieldErrors, Problem};
use crate::http::request_id::RequestId;
use crate::http::version::{IfMatch, etag};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Change {
    #[serde(default, deserialize_with = "nullable")]
    external_id: Option<Option<String>>,
    #[serde(default, deserialize_with = "nullable")]
    name: Option<Option<String>>,
    #[serde(default, deserialize_with = "nullable")]
    email: Option<Option<String>>,
    role: Option<Role>,
    #[serde(default, deserialize_with = "nullable")]
    token_limit: Option<Option<u32>>,
}

/// Changes what the body names: 200, 404, 409 if another account has the external id, or 412.
pub(crate) async fn handle(
    State(app): State<App>,
    allowed: Allowed<AccountsWrite>,
    Id(id): Id,
    IfMatch(expected): IfMatch,
    RequestId(request_id): RequestId,
    Body(body): Body<Change>,
) -> Result<impl IntoResponse, Problem> {
    let found = accounts::find(&app.pool, allowed.reach, id.into()).await?;
    let before = found.ok_or_else(|| Problem::not_found("account"))?;
    let by_operators = [
        body.external_id.is_some(),
        body.role.is_some(),
        body.token_limit.is_some(),
    ];
    if by_operators.contains(&true) && allowed.reach != Reach::All {
        let detail = "an account's own tokens change its name and e-mail address only";
        return Err(Problem::forbidden("BEYOND_AUTHORITY", detail));
    }
    check_role(&allowed.caller, body.role.unwrap_or_default())?;
    let known = before.profile;
    let profile = Profile {
        name: body.name.unwrap_or_else(|| known.name.clone()),
        email: body.email.unwrap_or_else(|| known.email.clone()),
    };
    let mut errors = FieldErrors::default();
    check_profile(&profile, &mut errors);
    check_token_limit(body.token_limit.flatten(), &mut errors);
    errors.check()?;

    let cause = Cause {
        actor: allowed.caller.actor(),
        request_id,
    };
    let command = Command::Change {
        external_id: body.external_id,
        role: body.role,
        token_limit: body.token_limit,
        profile_changes: profile != known,
    };
    let target = (id.into(), allowed.reach);
    let account = app
        .commands
        .change_account(&cause, target, expected, &command, Some(&profile))
        .await?;
    let view = AccountView::new(account, profile);
    Ok((etag(view.version()), Json(view)))
}
