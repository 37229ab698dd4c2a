//! `DELETE /v1/tokens/{id}`

use axum::Json;
use axum::extract::State;
use axum::response::IntoResponse;
use serde::Deserialize;
use tollkeeper_domain::token::{Command, RevocationReason};
use tollkeeper_read_model::tokens;

use super::view::TokenView;
use crate::app::App;
use crate::caller::{Allowed, TokensWrite};
use crate::commands::{Cause, Needs};
use crate::http::path::Id;
use crate::http::problem::Problem;
use crate::http::query::Parameters;
use crate::http::request_id::RequestId;
use crate::http::version::{IfMatch, etag};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Query {
    #[serde(default)]
    reason: RevocationReason,
}

/// Ends the token for good: 200, also if it was revoked before; 404.
pub(crate) async fn handle(
    State(app): State<App>,
    allowed: Allowed<TokensWrite>,
    Id(id): Id,
    IfMatch(expected): IfMatch,
    RequestId(request_id): RequestId,
    Parameters(query): Parameters<Query>,
) -> Result<impl IntoResponse, Problem> {
    let cause = Cause {
        actor: allowed.caller.actor(),
        request_id,
    };
    let target = (id.into(), allowed.reach);
    // Read before: a fault after the commit must not hide what has happened.
    let usage = tokens::usage(&app.pool, allowed.reach, id.into()).await?;
    let choose = |_: &_, _| Ok(Command::Revoke(query.reason));
    let token = app
        .commands
        .change(&cause, target, expected, Needs::Nothing, choose)
        .await?;
    let view = TokenView::new(token, usage, app.now());
    Ok((etag(view.version()), Json(view)))
}
