//! `POST /v1/accounts/{id}/quotas/{name}/refill`

use crate::openapi::errors::{AccountDeleted, Guarded, NotFound, VersionMismatch};
use axum::extract::State;
use axum::response::IntoResponse;
use tollkeeper_domain::account::Command;
use tollkeeper_domain::ids::AccountId;
use tollkeeper_read_model::Reach;

use super::view::ChangedAccount;
use crate::app::App;
use crate::caller::{AccountsWrite, Allowed};
use crate::commands::{Cause, ProfileChange};
use crate::http::path::IdAndName;
use crate::http::problem::Problem;
use crate::http::query::Parameters;
use crate::http::request_id::RequestId;
use crate::http::version::IfMatch;
use crate::nodes::Wait;

/// Lets a quota of the account be full again: 200, 403 for its own tokens and for those that do not
/// act across accounts, 404 if it has none of this name, 409 once deleted, or 412 where `If-Match`
/// names another version.
#[utoipa::path(
    post,
    path = "/v1/accounts/{id}/quotas/{name}/refill",
    tag = "Accounts",
    operation_id = "refillAccountQuota",
    summary = "Refill a quota of an account",
    description = "It is full again at once, in the middle of its period. What is counted late for \
        before does not lessen it. For operators and tokens of system accounts; no token refills the \
        quotas of its own account.",
    params(
        ("id" = AccountId, Path, description = "The account"),
        ("name" = String, Path, description = "The quota's name"),
        IfMatch,
        Wait,
    ),
    responses(
        (
            status = 200,
            description = "The account, with the quota's new generation",
            body = ChangedAccount,
            headers(("ETag" = String, description = "The version, for `If-Match`")),
        ),
        Guarded<AccountsWrite>,
        NotFound,
        AccountDeleted,
        VersionMismatch,
    ),
)]
pub(crate) async fn handle(
    State(app): State<App>,
    allowed: Allowed<AccountsWrite>,
    IdAndName(id, name): IdAndName,
    IfMatch(expected): IfMatch,
    RequestId(request_id): RequestId,
    Parameters(wait): Parameters<Wait>,
) -> Result<impl IntoResponse, Problem> {
    if allowed.reach != Reach::All {
        let detail = "only operators and tokens of system accounts refill an account's quotas";
        return Err(Problem::forbidden("BEYOND_AUTHORITY", detail));
    }
    if allowed.caller.account_id() == Some(id.into()) {
        let detail = "an account's own tokens do not refill its quotas";
        return Err(Problem::forbidden("BEYOND_AUTHORITY", detail));
    }
    let cause = Cause {
        actor: allowed.caller.actor(),
        request_id,
    };
    let target = (id.into(), allowed.reach);
    let command = Command::RefillQuota(name.into());
    let profile = ProfileChange::default();
    let row = app
        .commands
        .change_account(&cause, target, expected, &command, &profile)
        .await?;
    Ok(ChangedAccount::new(row.into(), wait.over(&app).await))
}
