//! `POST /v1/tokens/{id}/rotate`

use crate::openapi::errors::{NotFound, RotateConflict, VersionMismatch, WithBody};
use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use chrono::TimeDelta;
use parking_lot::Mutex;
use serde::Deserialize;
use tollkeeper_domain::ids::TokenId;
use tollkeeper_domain::secret::TokenSecret;
use tollkeeper_domain::token::{Command, Refusal, Rotate};
use tollkeeper_read_model::tokens;
use utoipa::ToSchema;

use super::fields::within;
use super::issue::NO_STORE;
use super::view::{SecretView, TokenView};
use crate::app::App;
use crate::caller::{Allowed, TokensWrite};
use crate::commands::{Cause, Needs};
use crate::http::body::OptionalBody;
use crate::http::path::Id;
use crate::http::problem::Problem;
use crate::http::request_id::RequestId;
use crate::http::version::{IfMatch, etag};

/// How to rotate.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "grace_seconds": 3600 }))]
pub(crate) struct RotateToken {
    /// How long the earlier secrets go on working; none at all by default.
    #[serde(default)]
    #[schema(minimum = 0, maximum = 604_800)]
    grace_seconds: i64,
}

/// Gives the token a new secret: 200 with it, this once; 403 beyond the caller's own token, 404,
/// 409 once revoked or expired.
#[utoipa::path(
    post,
    path = "/v1/tokens/{id}/rotate",
    tag = "Tokens",
    operation_id = "rotateToken",
    summary = "Give a token a new secret",
    description = "The answer holds the new secret, this once. The earlier ones go on working for \
        `grace_seconds`.",
    params(("id" = TokenId, Path, description = "The token"), IfMatch),
    request_body = Option<RotateToken>,
    responses(
        (
            status = 200,
            description = "The token with its new secret",
            body = SecretView<'_>,
            headers(("ETag" = String, description = "The version, for `If-Match`")),
        ),
        WithBody<TokensWrite>,
        NotFound,
        RotateConflict,
        VersionMismatch,
    ),
)]
pub(crate) async fn handle(
    State(app): State<App>,
    allowed: Allowed<TokensWrite>,
    Id(id): Id,
    IfMatch(expected): IfMatch,
    RequestId(request_id): RequestId,
    OptionalBody(body): OptionalBody<RotateToken>,
) -> Result<Response, Problem> {
    let cause = Cause {
        actor: allowed.caller.actor(),
        request_id,
    };
    let authority = allowed.caller.authority();
    let target = (id.into(), allowed.reach);
    // Read before: a fault after the commit must not hide what has happened.
    let usage = tokens::usage(&app.pool, allowed.reach, id.into()).await?;
    // The secret names the token's environment, which is known only once the token is loaded.
    let made = Mutex::new(None);
    let changed = app.commands.change(
        &cause,
        target,
        expected,
        Needs::ActiveAccount,
        |token, _| {
            within(authority, token)?;
            let grace = TimeDelta::try_seconds(body.grace_seconds).ok_or(Refusal::Grace)?;
            let fill = |bytes: &mut [u8]| app.entropy.fill(bytes);
            let secret = TokenSecret::generate(&app.policy.brand, token.environment, fill);
            let command = Command::Rotate(Rotate {
                token_prefix: secret.prefix().to_owned(),
                secret_hash: secret.hash(),
                grace,
            });
            *made.lock() = Some(secret);
            Ok(command)
        },
    );
    let token = changed.await?;
    let secret = made
        .into_inner()
        .ok_or_else(|| Problem::internal("no secret was made"))?;
    let view = TokenView::new(token, usage, app.now());
    let tag = etag(view.version());
    Ok((
        tag,
        NO_STORE,
        Json(SecretView {
            token: secret.expose(),
            view,
        }),
    )
        .into_response())
}
