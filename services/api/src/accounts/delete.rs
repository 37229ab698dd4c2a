//! `DELETE /v1/accounts/{id}`

use crate::openapi::errors::{Busy, Guarded, NotFound, VersionMismatch};
use axum::extract::State;
use axum::response::IntoResponse;
use tollkeeper_domain::account::Command;
use tollkeeper_domain::ids::AccountId;
use tollkeeper_read_model::Reach;

use super::view::ChangedAccount;
use crate::app::App;
use crate::caller::{AccountsWrite, Allowed};
use crate::commands::{Cause, ProfileChange};
use crate::http::path::Id;
use crate::http::problem::Problem;
use crate::http::query::Parameters;
use crate::http::request_id::RequestId;
use crate::http::version::IfMatch;
use crate::nodes::Wait;

/// Ends the account for good and denies all its tokens at once: 200 with the tombstone, also if it
/// was deleted before; 403 for an account's own tokens; 404; 412.
///
/// Name and e-mail address are erased with it. Its tokens are revoked, and the raw usage of their
/// calls is erased, in the background.
#[utoipa::path(
    delete,
    path = "/v1/accounts/{id}",
    tag = "Accounts",
    operation_id = "deleteAccount",
    summary = "Delete an account",
    description = "For good. Its tokens are refused at once and name and e-mail address are \
        erased; its tokens are revoked and the raw usage of their calls is erased in the \
        background. The history stays. For operators and tokens of system accounts.",
    params(("id" = AccountId, Path, description = "The account"), IfMatch, Wait),
    responses(
        (
            status = 200,
            description = "The tombstone, also if it was deleted before",
            body = ChangedAccount,
            headers(("ETag" = String, description = "The version, for `If-Match`")),
        ),
        Guarded<AccountsWrite>,
        NotFound,
        Busy,
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
) -> Result<impl IntoResponse, Problem> {
    if allowed.reach != Reach::All {
        let detail = "only operators and tokens of system accounts delete accounts";
        return Err(Problem::forbidden("BEYOND_AUTHORITY", detail));
    }
    let cause = Cause {
        actor: allowed.caller.actor(),
        request_id,
    };
    let target = (id.into(), allowed.reach);
    let erased = ProfileChange::erase();
    let row = app
        .commands
        .change_account(&cause, target, expected, &Command::Delete, &erased)
        .await?;
    Ok(ChangedAccount::new(row.into(), wait.over(&app).await))
}
