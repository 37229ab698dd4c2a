//! `GET /v1/webhooks`

use axum::Json;
use axum::extract::State;
use axum::response::IntoResponse;
use serde::Deserialize;
use tollkeeper_domain::ids::AccountId;
use tollkeeper_read_model::Reach;
use uuid::Uuid;

use super::store::endpoints;
use super::view::WebhookView;
use crate::app::App;
use crate::caller::{Allowed, WebhooksWrite};
use crate::http::page::{Page, cursor, limit};
use crate::http::problem::Problem;
use crate::http::query::Parameters;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Query {
    account_id: Option<Uuid>,
    cursor: Option<String>,
    limit: Option<i64>,
}

/// A page of webhooks, the newest first.
pub(crate) async fn handle(
    State(app): State<App>,
    allowed: Allowed<WebhooksWrite>,
    Parameters(query): Parameters<Query>,
) -> Result<impl IntoResponse, Problem> {
    let limit = limit(query.limit)?;
    let before = cursor(query.cursor.as_deref())?;
    let reach = match query.account_id.map(AccountId) {
        // An account that is not the caller's has no webhooks as far as the caller can tell.
        Some(account) if !allowed.reach.includes(account) => None,
        Some(account) => Some(Reach::Account(account)),
        None => Some(allowed.reach),
    };
    let rows = match reach {
        Some(reach) => endpoints::list(&app.pool, reach, before, limit + 1).await?,
        None => Vec::new(),
    };
    Ok(Json(Page::of(rows, limit, |row| row.id, WebhookView::from)))
}
