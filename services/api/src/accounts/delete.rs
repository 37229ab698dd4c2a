//! `DELETE /v1/accounts/{id}`

use axum::Json;
use axum::extract::State;
use axum::response::IntoResponse;
use tollkeeper_domain::account::Command;
use tollkeeper_read_model::Reach;
use tollkeeper_read_model::accounts::Profile;

use super::view::AccountView;
use crate::app::App;
use crate::caller::{AccountsWrite, Allowed};
use crate::commands::Cause;
use crate::http::path::Id;
use crate::http::problem::Problem;
use crate::http::request_id::RequestId;
use crate::http::version::{IfMatch, etag};

/// Ends the account for good and denies all its tokens at once: 200 with the tombstone, also if it
/// was deleted before; 403 for an account's own tokens; 404; 412.
///
/// Name and e-mail address are erased with it. Its tokens are revoked, and the raw usage of their
/// calls is erased, in the background.
pub(crate) async fn handle(
    State(app): State<App>,
    allowed: Allowed<AccountsWrite>,
    Id(id): Id,
    IfMatch(expected): IfMatch,
    RequestId(request_id): RequestId,
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
    let erased = Profile::default();
    let account = app
        .commands
        .change_account(&cause, target, expected, &Command::Delete, Some(&erased))
        .await?;
    let view = AccountView::new(account, erased);
    Ok((etag(view.version()), Json(view)))
}
