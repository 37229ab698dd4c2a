//! `POST /v1/accounts/{id}/suspend` and `/resume`: all tokens of an account at once.

use crate::openapi::errors::{AccountDeleted, Guarded, NotFound};
use axum::extract::State;
use axum::response::IntoResponse;
use tollkeeper_domain::account::Command;
use tollkeeper_domain::ids::AccountId;
use tollkeeper_read_model::Reach;
use tollkeeper_read_model::accounts::AccountRow;
use uuid::Uuid;

use super::view::ChangedAccount;
use crate::app::App;
use crate::caller::{AccountsWrite, Allowed};
use crate::commands::{Cause, ProfileChange};
use crate::http::path::Id;
use crate::http::problem::Problem;
use crate::http::query::Parameters;
use crate::http::request_id::RequestId;
use crate::nodes::Wait;

/// Denies all tokens of the account until it is resumed: 200, or 404.
#[utoipa::path(
    post,
    path = "/v1/accounts/{id}/suspend",
    tag = "Accounts",
    operation_id = "suspendAccount",
    summary = "Suspend an account",
    description = "All its tokens are refused at once, until it is resumed. For operators and tokens of \
        system accounts.",
    params(("id" = AccountId, Path, description = "The account"), Wait),
    responses(
        (
            status = 200,
            description = "The account, suspended",
            body = ChangedAccount,
            headers(("ETag" = String, description = "The version, for `If-Match`")),
        ),
        Guarded<AccountsWrite>,
        NotFound,
        AccountDeleted,
    ),
)]
pub(crate) async fn suspend(
    State(app): State<App>,
    allowed: Allowed<AccountsWrite>,
    Id(id): Id,
    request_id: RequestId,
    Parameters(wait): Parameters<Wait>,
) -> Result<impl IntoResponse, Problem> {
    let account = carry_out(&app, &allowed, id, request_id, &Command::Suspend).await?;
    Ok(ChangedAccount::new(account.into(), wait.over(&app).await))
}

/// Lets the account's tokens work again: 200, or 404.
#[utoipa::path(
    post,
    path = "/v1/accounts/{id}/resume",
    tag = "Accounts",
    operation_id = "resumeAccount",
    summary = "Resume an account",
    description = "Its tokens work again. For operators and tokens of system accounts.",
    params(("id" = AccountId, Path, description = "The account"), Wait),
    responses(
        (
            status = 200,
            description = "The account, active",
            body = ChangedAccount,
            headers(("ETag" = String, description = "The version, for `If-Match`")),
        ),
        Guarded<AccountsWrite>,
        NotFound,
        AccountDeleted,
    ),
)]
pub(crate) async fn resume(
    State(app): State<App>,
    allowed: Allowed<AccountsWrite>,
    Id(id): Id,
    request_id: RequestId,
    Parameters(wait): Parameters<Wait>,
) -> Result<impl IntoResponse, Problem> {
    let account = carry_out(&app, &allowed, id, request_id, &Command::Resume).await?;
    Ok(ChangedAccount::new(account.into(), wait.over(&app).await))
}

async fn carry_out(
    app: &App,
    allowed: &Allowed<AccountsWrite>,
    id: Uuid,
    RequestId(request_id): RequestId,
    command: &Command,
) -> Result<AccountRow, Problem> {
    if allowed.reach != Reach::All {
        let detail = "only operators and tokens of system accounts suspend and resume accounts";
        return Err(Problem::forbidden("BEYOND_AUTHORITY", detail));
    }
    let cause = Cause {
        actor: allowed.caller.actor(),
        request_id,
    };
    let target = (id.into(), allowed.reach);
    let profile = ProfileChange::default();
    let changed = app
        .commands
        .change_account(&cause, target, None, command, &profile);
    Ok(changed.await?)
}
