//! `GET /v1/accounts`

use axum::Json;
use axum::extract::State;
use axum::response::IntoResponse;
use serde::Deserialize;
use tollkeeper_read_model::accounts::{self, AccountFilter};

use super::view::AccountView;
use crate::app::App;
use crate::caller::{AccountsRead, Allowed};
use crate::http::page::{Page, cursor, limit};
use crate::http::problem::Problem;
use crate::http::query::Parameters;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Query {
    external_id: Option<String>,
    cursor: Option<String>,
    limit: Option<i64>,
}

/// A page of accounts, the newest first.
pub(crate) async fn handle(
    State(app): State<App>,
    allowed: Allowed<AccountsRead>,
    Parameters(query): Parameters<Query>,
) -> Result<impl IntoResponse, Problem> {
    let limit = limit(query.limit)?;
    let filter = AccountFilter {
        external_id: query.external_id,
        before: cursor(query.cursor.as_deref())?.map(Into::into),
        limit: limit + 1,
    };
    let rows = accounts::list(&app.pool, allowed.reach, &filter).await?;
    Ok(Json(Page::of(
        rows,
        limit,
        |row| row.account.id.0,
        AccountView::from,
    )))
}
