//! `GET /v1/webhooks`

use crate::openapi::errors::Guarded;
use axum::Json;
use axum::extract::State;
use axum::response::IntoResponse;
use serde::Deserialize;
use tollkeeper_domain::ids::AccountId;
use tollkeeper_read_model::Reach;
use utoipa::IntoParams;
use uuid::Uuid;

use super::store::endpoints;
use super::view::WebhookView;
use crate::app::App;
use crate::caller::{Allowed, WebhooksWrite};
use crate::http::page::{Page, WEBHOOKS, cursor, limit};
use crate::http::problem::Problem;
use crate::http::query::Parameters;

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Query {
    /// Only those of this account.
    account_id: Option<Uuid>,
    /// The `next_cursor` of the page before.
    #[param(pattern = "^[A-Za-z0-9_-]{26}[AEIMQUYcgkosw048]$")]
    cursor: Option<String>,
    /// How many at most.
    #[param(minimum = 1, maximum = 200, default = 50)]
    limit: Option<i64>,
}

/// A page of webhooks, the newest first.
#[utoipa::path(
    get,
    path = "/v1/webhooks",
    tag = "Webhooks",
    operation_id = "listWebhooks",
    summary = "List webhooks",
    description = "From the newest to the oldest.",
    params(Query),
    responses(
        (
            status = 200,
            description = "A page of webhooks",
            body = Page<WebhookView>,
        ),
        Guarded<WebhooksWrite>,
    ),
)]
pub(crate) async fn handle(
    State(app): State<App>,
    allowed: Allowed<WebhooksWrite>,
    Parameters(query): Parameters<Query>,
) -> Result<impl IntoResponse, Problem> {
    let limit = limit(query.limit)?;
    let before = cursor(&WEBHOOKS, query.cursor.as_deref())?;
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
    Ok(Json(Page::of(
        &WEBHOOKS,
        rows,
        limit,
        |row| row.id,
        WebhookView::from,
    )))
}
