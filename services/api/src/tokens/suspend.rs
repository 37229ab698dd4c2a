//! `POST /v1/tokens/{id}/suspend` and `/resume`

use crate::openapi::errors::{Guarded, NotFound, ResumeConflict, TokenRevoked, VersionMismatch};
use axum::extract::State;
use axum::response::IntoResponse;
use tollkeeper_domain::ids::TokenId;
use tollkeeper_domain::token::Command;
use tollkeeper_read_model::tokens;

use super::fields::within;
use super::view::{ChangedToken, TokenView};
use crate::app::App;
use crate::caller::{Allowed, TokensWrite};
use crate::commands::{Cause, Needs};
use crate::http::path::Id;
use crate::http::problem::Problem;
use crate::http::query::Parameters;
use crate::http::request_id::RequestId;
use crate::http::version::IfMatch;
use crate::nodes::Wait;

/// Lets the token rest: 200, 404, 409 once revoked.
#[utoipa::path(
    post,
    path = "/v1/tokens/{id}/suspend",
    tag = "Tokens",
    operation_id = "suspendToken",
    summary = "Suspend a token",
    description = "It is refused until it is resumed.",
    params(("id" = TokenId, Path, description = "The token"), IfMatch, Wait),
    responses(
        (
            status = 200,
            description = "The token, suspended",
            body = ChangedToken,
            headers(("ETag" = String, description = "The version, for `If-Match`")),
        ),
        Guarded<TokensWrite>,
        NotFound,
        TokenRevoked,
        VersionMismatch,
    ),
)]
pub(crate) async fn suspend(
    State(app): State<App>,
    allowed: Allowed<TokensWrite>,
    Id(id): Id,
    IfMatch(expected): IfMatch,
    RequestId(request_id): RequestId,
    Parameters(wait): Parameters<Wait>,
) -> Result<impl IntoResponse, Problem> {
    let cause = Cause {
        actor: allowed.caller.actor(),
        request_id,
    };
    let target = (id.into(), allowed.reach);
    // Read before: a fault after the commit must not hide what has happened.
    let usage = tokens::usage(&app.pool, allowed.reach, id.into()).await?;
    let choose = |_: &_, _| Ok(Command::Suspend);
    let token = app
        .commands
        .change(&cause, target, expected, Needs::Nothing, choose)
        .await?;
    Ok(ChangedToken::new(
        TokenView::new(token, usage, app.now()),
        wait.over(&app).await,
    ))
}

/// Lets the token work again: 200, 403 beyond the caller's own token, 404, 409 once revoked or
/// while the account is not active.
#[utoipa::path(
    post,
    path = "/v1/tokens/{id}/resume",
    tag = "Tokens",
    operation_id = "resumeToken",
    summary = "Resume a token",
    description = "Its account must be active, and the token must lie within what the caller has.",
    params(("id" = TokenId, Path, description = "The token"), IfMatch, Wait),
    responses(
        (
            status = 200,
            description = "The token, at work again",
            body = ChangedToken,
            headers(("ETag" = String, description = "The version, for `If-Match`")),
        ),
        Guarded<TokensWrite>,
        NotFound,
        ResumeConflict,
        VersionMismatch,
    ),
)]
pub(crate) async fn resume(
    State(app): State<App>,
    allowed: Allowed<TokensWrite>,
    Id(id): Id,
    IfMatch(expected): IfMatch,
    RequestId(request_id): RequestId,
    Parameters(wait): Parameters<Wait>,
) -> Result<impl IntoResponse, Problem> {
    let cause = Cause {
        actor: allowed.caller.actor(),
        request_id,
    };
    let authority = allowed.caller.authority();
    let target = (id.into(), allowed.reach);
    // Read before: a fault after the commit must not hide what has happened.
    let usage = tokens::usage(&app.pool, allowed.reach, id.into()).await?;
    let resumed = app.commands.change(
        &cause,
        target,
        expected,
        Needs::ActiveAccount,
        |token, _| {
            within(authority, token)?;
            Ok(Command::Resume)
        },
    );
    let view = TokenView::new(resumed.await?, usage, app.now());
    Ok(ChangedToken::new(view, wait.over(&app).await))
}
