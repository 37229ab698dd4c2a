//! `GET /v1/webhooks/{id}/deliveries`

use crate::openapi::errors::{Guarded, NotFound};
use axum::Json;
use axum::extract::State;
use axum::response::IntoResponse;
use serde::Serialize;
use utoipa::ToSchema;

use super::store::attempts::{self, Attempt};
use super::store::endpoints;
use crate::app::App;
use crate::caller::{Allowed, WebhooksWrite};
use crate::http::path::Id;
use crate::http::problem::Problem;

/// The last attempts to deliver.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Deliveries)]
struct Attempts {
    items: Vec<Attempt>,
}

/// The last hundred attempts to deliver, the newest first: 200, or 404.
#[utoipa::path(
    get,
    path = "/v1/webhooks/{id}/deliveries",
    tag = "Webhooks",
    operation_id = "listDeliveries",
    summary = "List the last attempts to deliver",
    description = "The last hundred, from the newest to the oldest.",
    params(("id" = Uuid, Path, description = "The webhook")),
    responses(
        (
            status = 200,
            description = "The attempts",
            body = Attempts,
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
    let webhook = found.ok_or_else(|| Problem::not_found("webhook"))?;
    let items = attempts::last(&app.pool, webhook.id).await?;
    Ok(Json(Attempts { items }))
}
