//! `PATCH /v1/webhooks/{id}`

use crate::openapi::errors::{NotFound, VersionMismatch, WithBody};
use axum::Json;
use axum::extract::State as AppState;
use axum::response::IntoResponse;
use serde::Deserialize;
use tollkeeper_read_model::audit::Act;
use utoipa::ToSchema;

use super::store::endpoints::{self, Reason, State};
use super::view::WebhookView;
use super::{fields, locked, note};
use crate::app::App;
use crate::caller::{Allowed, WebhooksFeed};
use crate::commands::Cause;
use crate::http::body::Body;
use crate::http::path::Id;
use crate::http::problem::{FieldErrors, Problem};
use crate::http::request_id::RequestId;
use crate::http::version::{IfMatch, etag};
use crate::public_event::EventType;

/// What to change of a webhook.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "state": "enabled" }))]
pub(crate) struct ChangeWebhook {
    /// The new URL.
    #[schema(max_length = 2048, pattern = "^https?://")]
    url: Option<String>,
    /// All types of events from now on; none for all.
    #[schema(value_type = Option<Vec<EventType>>)]
    types: Option<Vec<String>>,
    /// The new description.
    #[schema(max_length = 500, pattern = r"^[^\x00-\x1f\x7f-\x9f]*$")]
    description: Option<String>,
    /// Whether events are sent.
    state: Option<State>,
}

/// Changes what the body names: 200, 404, or 412 where `If-Match` names another version. Another
/// URL, or enabling it again, has the next attempt made at once.
#[utoipa::path(
    patch,
    path = "/v1/webhooks/{id}",
    tag = "Webhooks",
    operation_id = "changeWebhook",
    summary = "Change a webhook",
    description = "What the body does not name stays as it is. Another URL, or enabling it again, has \
        the next attempt made at once.",
    params(("id" = Uuid, Path, description = "The webhook"), IfMatch),
    request_body = ChangeWebhook,
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
    AppState(app): AppState<App>,
    allowed: Allowed<WebhooksFeed>,
    RequestId(request_id): RequestId,
    Id(id): Id,
    IfMatch(expected): IfMatch,
    Body(body): Body<ChangeWebhook>,
) -> Result<impl IntoResponse, Problem> {
    let mut errors = FieldErrors::default();
    let networks = &app.policy.webhook_networks;
    let url = body
        .url
        .and_then(|url| errors.take("/url", fields::url(&url, networks)));
    let types = body.types.map(|names| fields::types(names, &mut errors));
    if let Some(text) = &body.description {
        errors.take("/description", fields::description(text));
    }
    errors.check()?;

    let cause = Cause {
        actor: allowed.caller.actor(),
        request_id,
    };
    let mut transaction = app.pool.begin().await?;
    let before = locked(&mut transaction, allowed.reach, id, expected).await?;
    let mut webhook = before.clone();
    webhook.url = url.unwrap_or(webhook.url);
    webhook.types = types.unwrap_or(webhook.types);
    webhook.description = body.description.unwrap_or(webhook.description);
    match body.state {
        Some(State::Enabled) => webhook.disabled = None,
        // A reason that is there already says more.
        Some(State::Disabled) => webhook.disabled = webhook.disabled.or(Some(Reason::ByRequest)),
        None => {}
    }
    let fresh_start =
        webhook.url != before.url || (before.disabled.is_some() && webhook.disabled.is_none());
    if fresh_start {
        webhook.forgive();
    }
    if webhook.differs_from(&before).is_empty() {
        return Ok((etag(before.version), Json(WebhookView::from(before))));
    }
    webhook.updated_at = app.now();
    endpoints::update(&mut *transaction, &webhook).await?;
    let details = ("fields", webhook.differs_from(&before).into());
    note(
        &mut transaction,
        &cause,
        Act::WebhookChanged,
        &webhook,
        details,
    )
    .await?;
    transaction.commit().await?;
    webhook.version += 1;
    let view = WebhookView::from(webhook);
    Ok((etag(view.version()), Json(view)))
}
