//! `DELETE /v1/webhooks/{id}`

use crate::openapi::errors::{Guarded, NotFound, VersionMismatch};
use axum::extract::State;
use axum::http::StatusCode;
use tollkeeper_read_model::audit::Act;

use super::store::endpoints;
use super::{locked, note};
use crate::app::App;
use crate::caller::{Allowed, WebhooksWrite};
use crate::commands::Cause;
use crate::http::path::Id;
use crate::http::problem::Problem;
use crate::http::request_id::RequestId;
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
    RequestId(request_id): RequestId,
    Id(id): Id,
    IfMatch(expected): IfMatch,
) -> Result<StatusCode, Problem> {
    let cause = Cause {
        actor: allowed.caller.actor(),
        request_id,
    };
    let mut transaction = app.pool.begin().await?;
    let webhook = locked(&mut transaction, allowed.reach, id, expected).await?;
    endpoints::delete(&mut *transaction, webhook.id).await?;
    let details = ("version", webhook.version.into());
    note(
        &mut transaction,
        &cause,
        Act::WebhookDeleted,
        &webhook,
        details,
    )
    .await?;
    transaction.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}
