//! `POST /v1/webhooks/{id}/replay`

use crate::openapi::errors::{NotFound, VersionMismatch, WithBody};
use axum::Json;
use axum::extract::State;
use axum::response::IntoResponse;
use serde::Deserialize;
use tollkeeper_event_store::{ReadError, head};
use tollkeeper_read_model::audit::Act;
use utoipa::ToSchema;

use super::store::endpoints;
use super::view::WebhookView;
use super::{locked, note};
use crate::app::App;
use crate::caller::{Allowed, WebhooksFeed};
use crate::commands::Cause;
use crate::http::body::Body;
use crate::http::path::Id;
use crate::http::problem::Problem;
use crate::http::request_id::RequestId;
use crate::http::version::{IfMatch, etag};

/// Where to go on.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "after": 4700 }))]
pub(crate) struct Replay {
    /// Events after this position of the log are sent, again if they were sent before.
    #[schema(minimum = 0)]
    after: i64,
}

/// Sets the webhook's cursor, back or forward, and enables it: 200, 404, 412, or 422 for a position
/// that the log has not reached.
#[utoipa::path(
    post,
    path = "/v1/webhooks/{id}/replay",
    tag = "Webhooks",
    operation_id = "replayWebhook",
    summary = "Send events again, or pass over them",
    description = "Sets the webhook's cursor, back or forward, and enables it.",
    params(("id" = Uuid, Path, description = "The webhook"), IfMatch),
    request_body = Replay,
    responses(
        (
            status = 200,
            description = "The webhook as it is now",
            body = WebhookView,
            headers(("ETag" = String, description = "The version, for `If-Match`")),
        ),
        WithBody<WebhooksFeed>,
        NotFound,
        VersionMismatch,
    ),
)]
pub(crate) async fn handle(
    State(app): State<App>,
    allowed: Allowed<WebhooksFeed>,
    RequestId(request_id): RequestId,
    Id(id): Id,
    IfMatch(expected): IfMatch,
    Body(body): Body<Replay>,
) -> Result<impl IntoResponse, Problem> {
    let cause = Cause {
        actor: allowed.caller.actor(),
        request_id,
    };
    let mut transaction = app.pool.begin().await?;
    let mut webhook = locked(&mut transaction, allowed.reach, id, expected).await?;
    let end = head(&mut *transaction).await.map_err(|error| match error {
        ReadError::Database(error) => error.into(),
        other => Problem::internal(other),
    })?;
    if !(0..=end.position).contains(&body.after) {
        let detail = "this is a position of the log: 0, or that of an event";
        return Err(Problem::bad_field("/after", detail));
    }
    webhook.position = body.after;
    webhook.disabled = None;
    webhook.forgive();
    webhook.updated_at = app.now();
    endpoints::update(&mut *transaction, &webhook).await?;
    let details = ("after", body.after.into());
    note(
        &mut transaction,
        &cause,
        Act::WebhookReplayed,
        &webhook,
        details,
    )
    .await?;
    transaction.commit().await?;
    webhook.version += 1;
    let view = WebhookView::from(webhook);
    Ok((etag(view.version()), Json(view)))
}
