//! `GET /v1/accounts`

use crate::openapi::errors::Guarded;
use axum::Json;
use axum::extract::State;
use axum::response::IntoResponse;
use serde::Deserialize;
use tollkeeper_read_model::accounts::{self, AccountFilter};
use utoipa::IntoParams;

use super::view::AccountView;
use crate::app::App;
use crate::caller::{AccountsRead, Allowed};
use crate::http::page::{ACCOUNTS, Page, cursor, limit};
use crate::http::problem::Problem;
use crate::http::query::Parameters;

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Query {
    /// Only the one with this external id.
    #[param(pattern = r"^[^\x00]*$")]
    external_id: Option<String>,
    /// The `next_cursor` of the page before.
    #[param(pattern = "^[A-Za-z0-9_-]{26}[AEIMQUYcgkosw048]$")]
    cursor: Option<String>,
    /// How many at most.
    #[param(minimum = 1, maximum = 200, default = 50)]
    limit: Option<i64>,
}

/// A page of accounts, the newest first.
#[utoipa::path(
    get,
    path = "/v1/accounts",
    tag = "Accounts",
    operation_id = "listAccounts",
    summary = "List accounts",
    description = "From the newest to the oldest. Callers within one account see that one.",
    params(Query),
    responses(
        (
            status = 200,
            description = "A page of accounts",
            body = Page<AccountView>,
        ),
        Guarded<AccountsRead>,
    ),
)]
pub(crate) async fn handle(
    State(app): State<App>,
    allowed: Allowed<AccountsRead>,
    Parameters(query): Parameters<Query>,
) -> Result<impl IntoResponse, Problem> {
    let limit = limit(query.limit)?;
    let filter = AccountFilter {
        external_id: query.external_id,
        before: cursor(&ACCOUNTS, query.cursor.as_deref())?.map(Into::into),
        limit: limit + 1,
    };
    let rows = accounts::list(&app.pool, allowed.reach, &filter).await?;
    Ok(Json(Page::of(
        &ACCOUNTS,
        rows,
        limit,
        |row| row.account.id.0,
        AccountView::from,
    )))
}
