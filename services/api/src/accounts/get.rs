//! `GET /v1/accounts/{id}`

use crate::openapi::errors::{Guarded, NotFound};
use axum::Json;
use axum::extract::State;
use axum::response::IntoResponse;
use tollkeeper_domain::ids::AccountId;
use tollkeeper_read_model::accounts;

use super::view::AccountView;
use crate::app::App;
use crate::caller::{AccountsRead, Allowed};
use crate::http::path::Id;
use crate::http::problem::Problem;
use crate::http::version::etag;

/// The account: 200, or 404 if it is not there or not the caller's.
#[utoipa::path(
    get,
    path = "/v1/accounts/{id}",
    tag = "Accounts",
    operation_id = "getAccount",
    summary = "Read an account",
    params(("id" = AccountId, Path, description = "The account")),
    responses(
        (
            status = 200,
            description = "The account",
            body = AccountView,
            headers(("ETag" = String, description = "The version, for `If-Match`")),
        ),
        Guarded<AccountsRead>,
        NotFound,
    ),
)]
pub(crate) async fn handle(
    State(app): State<App>,
    allowed: Allowed<AccountsRead>,
    Id(id): Id,
) -> Result<impl IntoResponse, Problem> {
    let found = accounts::find(&app.pool, allowed.reach, id.into()).await?;
    let view = AccountView::from(found.ok_or_else(|| Problem::not_found("account"))?);
    Ok((etag(view.version()), Json(view)))
}
