//! `GET /v1/webhooks/{id}`

use axum::Json;
use axum::extract::State;
use axum::response::IntoResponse;

use super::store::endpoints;
use super::view::WebhookView;
use crate::app::App;
use crate::caller::{Allowed, WebhooksWrite};
use crate::http::path::Id;
use crate::http::problem::Problem;
use crate::http::version::etag;

/// The webhook, without its secret: 200, or 404 if it is not there or not the caller's.
pub(crate) async fn handle(
    State(app): State<App>,
    allowed: Allowed<WebhooksWrite>,
    Id(id): Id,
) -> Result<impl IntoResponse, Problem> {
    let found = endpoints::find(&app.pool, allowed.reach, id).await?;
    let view = WebhookView::from(found.ok_or_else(|| Problem::not_found("webhook"))?);
    Ok((etag(view.version()), Json(view)))
}
