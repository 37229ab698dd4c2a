//! `DELETE /v1/webhooks/{id}`

use crate::openapi::errors::{Guarded, NotFound, VersionMismatch};
use axum::extract::State;
use axum::http::StatusCode;

use super::locked;
use super::store::endpoints;
use crate::app::App;
use crate::caller::{Allowed, WebhooksWrite};
use crate::http::path::Id;
use crate::http::problem::Problem;
use crate::http::version::IfMatch;

/// Removes the webhook with its secrets: 204, 404, or 412 where `If-Match` names another version.
/// A delivery that is under way may still arrive.
#[utoipa::path(
    delete,
    path = "/v1/webhooks/{id}",
    tag = "Webhooks",
    operation_id = "deleteWebhook",
    summary = "Remove a webhook",
    description = "A delivery that is under way may still arrive.",
    params(("id" = Uuid, Path, description = "The webhook"), IfMatch),
    responses(
        (status = 204, description = "Removed"),
        Guarded<WebhooksWrite>,
        NotFound,
        VersionMismatch,
    ),
)]
pub(crate) async fn handle(
    State(app): State<App>,
    allowed: Allowed<WebhooksWrite>,
    Id(id): Id,
    IfMatch(expected): IfMatch,
) -> Result<StatusCode, Problem> {
    let mut transaction = app.pool.begin().await?;
    let webhook = locked(&mut transaction, allowed.reach, id, expected).await?;
    endpoints::delete(&mut *transaction, webhook.id).await?;
    transaction.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}
