//! `POST /v1/tokens/{id}/quotas/{name}/refill`

use crate::openapi::errors::{Guarded, NotFound, TokenRevoked, VersionMismatch};
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
use crate::http::path::IdAndName;
use crate::http::problem::Problem;
use crate::http::query::Parameters;
use crate::http::request_id::RequestId;
use crate::http::version::IfMatch;
use crate::nodes::Wait;

/// Lets a quota of the token be full again: 200, 403 beyond the caller's own token, 404 if the token
/// has none of this name, 409 once revoked, or 412 where `If-Match` names another version.
#[utoipa::path(
    post,
    path = "/v1/tokens/{id}/quotas/{name}/refill",
    tag = "Tokens",
    operation_id = "refillTokenQuota",
    summary = "Refill a quota of a token",
    description = "It is full again at once, in the middle of its period. What is counted late for \
        before does not lessen it. A token that has a quota of this name itself does not refill it for \
        others.",
    params(
        ("id" = TokenId, Path, description = "The token"),
        ("name" = String, Path, description = "The quota's name"),
        IfMatch,
        Wait,
    ),
    responses(
        (
            status = 200,
            description = "The token, with the quota's new generation",
            body = ChangedToken,
            headers(("ETag" = String, description = "The version, for `If-Match`")),
        ),
        Guarded<TokensWrite>,
        NotFound,
        TokenRevoked,
        VersionMismatch,
    ),
)]
pub(crate) async fn handle(
    State(app): State<App>,
    allowed: Allowed<TokensWrite>,
    IdAndName(id, name): IdAndName,
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
    let refilled = app
        .commands
        .change(&cause, target, expected, Needs::Nothing, |token, _| {
            if let Some(authority) = authority {
                within(Some(authority), token)?;
                authority.may_refill([name.as_str()])?;
            }
            Ok(Command::RefillQuota(name.as_str().into()))
        });
    let view = TokenView::new(refilled.await?, usage, app.now());
    Ok(ChangedToken::new(view, wait.over(&app).await))
}
