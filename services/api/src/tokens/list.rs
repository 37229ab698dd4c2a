//! `GET /v1/tokens`

use axum::Json;
use axum::extract::State;
use axum::response::IntoResponse;
use serde::Deserialize;
use tollkeeper_domain::ids::AccountId;
use tollkeeper_domain::secret::Environment;
use tollkeeper_domain::token::Status;
use tollkeeper_read_model::Reach;
use tollkeeper_read_model::tokens::{self, TokenFilter};
use uuid::Uuid;

use super::view::TokenView;
use crate::app::App;
use crate::caller::{Allowed, TokensRead};
use crate::http::page::{Page, cursor, limit};
use crate::http::problem::Problem;
use crate::http::query::Parameters;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Query {
    account_id: Option<Uuid>,
    state: Option<Status>,
    environment: Option<Environment>,
    scope: Option<String>,
    prefix: Option<String>,
    search: Option<String>,
    cursor: Option<String>,
    limit: Option<i64>,
}

/// A page of tokens, the newest first.
pub(crate) async fn handle(
    State(app): State<App>,
    allowed: Allowed<TokensRead>,
    Parameters(query): Parameters<Query>,
) -> Result<impl IntoResponse, Problem> {
    let limit = limit(query.limit)?;
    let filter = TokenFilter {
        state: query.state,
        environment: query.environment,
        scope: query.scope,
        prefix: query.prefix,
        search: query.search,
        before: cursor(query.cursor.as_deref())?.map(Into::into),
        limit: limit + 1,
    };
    let asked = query.account_id.map(AccountId);
    let rows = match asked {
        // An account that is not the caller's has no tokens as far as the caller can tell.
        Some(account) if !allowed.reach.includes(account) => Vec::new(),
        Some(account) => {
            tokens::list(&app.pool, Reach::Account(account), &filter, app.now()).await?
        }
        None => tokens::list(&app.pool, allowed.reach, &filter, app.now()).await?,
    };
    Ok(Json(Page::of(rows, limit, |row| row.id, TokenView::from)))
}
