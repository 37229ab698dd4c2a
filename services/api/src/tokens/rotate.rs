//! `POST /v1/tokens/{id}/rotate`

use crate::openapi::errors::{NotFound, RotateConflict, VersionMismatch, WithKey};
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use chrono::TimeDelta;
use parking_lot::Mutex;
use serde::Deserialize;
use tollkeeper_domain::ids::TokenId;
use tollkeeper_domain::secret::TokenSecret;
use tollkeeper_domain::token::{Command, Refusal, Rotate, Token};
use tollkeeper_event_store::Rows;
use tollkeeper_read_model::tokens;
use utoipa::ToSchema;

use super::fields::within;
use super::view::{RotatedToken, SecretView, TokenView};
use crate::app::App;
use crate::caller::{Allowed, TokensWrite};
use crate::commands::{Cause, CommandError, Needs};
use crate::http::body::OptionalBody;
use crate::http::path::Id;
use crate::http::problem::Problem;
use crate::http::query::Parameters;
use crate::http::request_id::RequestId;
use crate::http::version::IfMatch;
use crate::idempotency::{Answer, Claim, IdempotencyKey, Once};
use crate::nodes::{Receipt, Wait};

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
    params(("id" = TokenId, Path, description = "The token"), IfMatch, Wait, IdempotencyKey),
    request_body = Option<RotateToken>,
    responses(
        (
            status = 200,
            description = "The token with its new secret",
            body = RotatedToken<'_>,
            headers(("ETag" = String, description = "The version, for `If-Match`")),
        ),
        WithKey<TokensWrite>,
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
    Parameters(wait): Parameters<Wait>,
    Once(key, OptionalBody(body)): Once<OptionalBody<RotateToken>>,
) -> Result<Response, Problem> {
    let cause = Cause {
        actor: allowed.caller.actor(),
        request_id,
    };
    let target = (id.into(), expected);
    let work = |claim| rotate(&app, &allowed, &cause, target, body, claim);
    let answer = key.answer_once(&app, &allowed.caller, work).await?;
    let answer = answer.and(&wait.over(&app).await);
    Ok(answer.map_err(Problem::internal)?.into_response())
}

async fn rotate(
    app: &App,
    allowed: &Allowed<TokensWrite>,
    cause: &Cause,
    (id, expected): (TokenId, Option<u64>),
    body: RotateToken,
    claim: Claim,
) -> Result<Answer, Problem> {
    let authority = allowed.caller.authority();
    // Read before: a fault after the commit must not hide what has happened.
    let usage = tokens::usage(&app.pool, allowed.reach, id).await?;
    // The secret names the token's environment, which is known only once the token is loaded.
    let made = Mutex::new(None);
    let choose = |token: &Token, _| {
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
    };
    let answer = |token: Token, rows: Option<&mut Rows>| {
        let nothing = || CommandError::Internal("a rotation changed nothing".to_owned());
        let (secret, rows) = made.lock().take().zip(rows).ok_or_else(nothing)?;
        let version = token.version;
        let view = SecretView {
            token: secret.expose(),
            withheld: None,
            view: TokenView::new(token, usage, app.now()),
        };
        let shown = view.token;
        let view = RotatedToken {
            token: view,
            receipt: Receipt::default(),
        };
        let answer = Answer::with_secret(StatusCode::OK, &view, ("token", shown))?;
        let answer = answer.tagged(version);
        claim.keep(&answer, rows);
        Ok(answer)
    };
    let (target, needs) = ((id, allowed.reach), Needs::ActiveAccount);
    let commands = &app.commands;
    let rotated = commands.change_with(cause, target, expected, needs, choose, answer);
    Ok(rotated.await?)
}
