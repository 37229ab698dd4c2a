//! `POST /v1/webhooks/{id}/rotate-secret`

use crate::openapi::errors::{NotFound, RotateSecretConflict, VersionMismatch, WithKey};
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use chrono::TimeDelta;
use serde::Deserialize;
use tollkeeper_read_model::Reach;
use tollkeeper_read_model::audit::Act;
use utoipa::ToSchema;
use uuid::Uuid;

use super::secret::SigningSecret;
use super::store::{endpoints, secrets};
use super::view::{SecretView, shown};
use super::{locked, no_seal_key, note};
use crate::app::App;
use crate::caller::{Allowed, WebhooksWrite};
use crate::commands::Cause;
use crate::http::body::OptionalBody;
use crate::http::path::Id;
use crate::http::problem::Problem;
use crate::http::request_id::RequestId;
use crate::http::version::IfMatch;
use crate::idempotency::{Answer, Claim, IdempotencyKey, Once};

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
    params(("id" = Uuid, Path, description = "The webhook"), IfMatch, IdempotencyKey),
    request_body = Option<RotateSecret>,
    responses(
        (
            status = 200,
            description = "The webhook with its new signing secret",
            body = SecretView<'_>,
            headers(("ETag" = String, description = "The version, for `If-Match`")),
        ),
        WithKey<WebhooksWrite>,
        NotFound,
        RotateSecretConflict,
        VersionMismatch,
    ),
)]
pub(crate) async fn handle(
    State(app): State<App>,
    allowed: Allowed<WebhooksWrite>,
    RequestId(request_id): RequestId,
    Id(id): Id,
    IfMatch(expected): IfMatch,
    Once(key, OptionalBody(RotateSecret {})): Once<OptionalBody<RotateSecret>>,
) -> Result<Response, Problem> {
    let cause = Cause {
        actor: allowed.caller.actor(),
        request_id,
    };
    let work = |claim| rotate(&app, &cause, allowed.reach, (id, expected), claim);
    key.once(&app, &allowed.caller, work).await
}

async fn rotate(
    app: &App,
    cause: &Cause,
    reach: Reach,
    (id, expected): (Uuid, Option<u64>),
    claim: Claim,
) -> Result<Answer, Problem> {
    let mut transaction = app.pool.begin().await?;
    let mut webhook = locked(&mut transaction, reach, id, expected).await?;
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
    let details = ("version", (webhook.version + 1).into());
    note(
        &mut transaction,
        cause,
        Act::WebhookSecretRotated,
        &webhook,
        details,
    )
    .await?;
    webhook.version += 1;
    let answer = shown(StatusCode::OK, webhook, &secret).map_err(Problem::internal)?;
    claim.keep_in(&mut transaction, &answer).await?;
    transaction.commit().await?;
    Ok(answer)
}
