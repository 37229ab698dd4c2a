//! `GET /v1/webhooks/{id}`

use crate::openapi::errors::{Guarded, NotFound};
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
#[utoipa::path(
    get,
    path = "/v1/webhooks/{id}",
    tag = "Webhooks",
    operation_id = "getWebhook",
    summary = "Read a webhook",
    params(("id" = Uuid, Path, description = "The webhook")),
    responses(
        (
            status = 200,
            description = "The webhook, without its secret",
            body = WebhookView,
            headers(("ETag" = String, description = "The version, for `If-Match`")),
        ),
        Guarded<WebhooksWrite>,
        NotFound,
    ),
)]
pub(crate) async fn handle(
    State(app): State<App>,
    allowed: Allowed<WebhooksWrite>,
    Id(id): Id,
) -> Result<impl IntoResponse, Problem> {
    let found = endpoints::find(&app.pool, allowed.reach, id).await?;
    let view = WebhookView::from(found.ok_or_else(|| Problem::not_found("webhook"))?);
    Ok((etag(view.version()), Json(view)))
}
