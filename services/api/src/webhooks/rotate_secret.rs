//! `POST /v1/webhooks/{id}/rotate-secret`

use crate::openapi::errors::{NotFound, SealKeyMissing, VersionMismatch, WithBody};
use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use chrono::TimeDelta;
use serde::Deserialize;
use utoipa::ToSchema;

use super::secret::SigningSecret;
use super::store::{endpoints, secrets};
use super::view::{SecretView, WebhookView};
use super::{locked, no_seal_key};
use crate::app::App;
use crate::caller::{Allowed, WebhooksWrite};
use crate::http::body::OptionalBody;
use crate::http::path::Id;
use crate::http::problem::Problem;
use crate::http::version::{IfMatch, etag};
use crate::tokens::issue::NO_STORE;

/// How long the old secret signs beside the new one.
const OVERLAP: TimeDelta = TimeDelta::hours(24);

/// There is nothing to say yet.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = RotateWebhookSecret, example = json!({}))]
pub(crate) struct RotateSecret {}

/// Gives the webhook a new signing secret, shown this once: 200, 404, 409 without a key to seal it
/// with, or 412. For 24 hours the old one signs too.
#[utoipa::path(
    post,
    path = "/v1/webhooks/{id}/rotate-secret",
    tag = "Webhooks",
    operation_id = "rotateWebhookSecret",
    summary = "Give a webhook a new signing secret",
    description = "The answer holds it, this once. For 24 hours the old one signs too.",
    params(("id" = Uuid, Path, description = "The webhook"), IfMatch),
    request_body = Option<RotateSecret>,
    responses(
        (
            status = 200,
            description = "The webhook with its new signing secret",
            body = SecretView,
            headers(("ETag" = String, description = "The version, for `If-Match`")),
        ),
        WithBody<WebhooksWrite>,
        NotFound,
        SealKeyMissing,
        VersionMismatch,
    ),
)]
pub(crate) async fn handle(
    State(app): State<App>,
    allowed: Allowed<WebhooksWrite>,
    Id(id): Id,
    IfMatch(expected): IfMatch,
    OptionalBody(RotateSecret {}): OptionalBody<RotateSecret>,
) -> Result<Response, Problem> {
    let mut transaction = app.pool.begin().await?;
    let mut webhook = locked(&mut transaction, allowed.reach, id, expected).await?;
    let sealer = app.sealer.as_ref().ok_or_else(no_seal_key)?;
    let now = app.now();
    let secret = SigningSecret::generate(&app.entropy);
    let secret_id = app.new_id();
    let sealed = secret.seal(sealer, webhook.id, secret_id);
    secrets::retire(&mut transaction, webhook.id, now, now + OVERLAP).await?;
    secrets::insert(&mut *transaction, webhook.id, secret_id, &sealed).await?;
    webhook.updated_at = now;
    // Whoever is delivering signs with the old one alone, and must begin again.
    endpoints::update(&mut *transaction, &webhook).await?;
    transaction.commit().await?;
    webhook.version += 1;
    let view = WebhookView::from(webhook);
    let tag = etag(view.version());
    let body = Json(SecretView {
        secret: secret.shown(),
        view,
    });
    Ok((tag, NO_STORE, body).into_response())
}
