//! `DELETE /v1/tokens/{id}`

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use tollkeeper_domain::token::{Command, RevocationReason};
use tollkeeper_read_model::tokens;
use uuid::Uuid;

use super::bulk_revoke::found;
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
    /// Whether all tokens that it was used to issue, directly or through others, end with it.
    #[serde(default)]
    cascade: bool,
}

/// A token that is revoked, and all that descend from it.
#[derive(Debug, Serialize)]
struct Cascaded {
    #[serde(flatten)]
    token: TokenView,
    cascade: Cascade,
}

/// How far a cascade has come.
#[derive(Debug, Serialize)]
struct Cascade {
    job_id: Uuid,
    revoked: i64,
    pending: i64,
}

/// Ends the token for good: 200, also if it was revoked before; 202 while a cascade goes on in the
/// background; 404; 412.
pub(crate) async fn handle(
    State(app): State<App>,
    allowed: Allowed<TokensWrite>,
    Id(id): Id,
    IfMatch(expected): IfMatch,
    RequestId(request_id): RequestId,
    Parameters(query): Parameters<Query>,
) -> Result<Response, Problem> {
    let cause = Cause {
        actor: allowed.caller.actor(),
        request_id,
    };
    let target = (id.into(), allowed.reach);
    // Read before: a fault after the commit must not hide what has happened.
    let usage = tokens::usage(&app.pool, allowed.reach, id.into()).await?;
    if query.cascade {
        let (token, job) = app
            .commands
            .revoke_cascading(&cause, target, expected, query.reason)
            .await?;
        let done = app.commands.work_within_request(&job).await?;
        let row = found(&app, allowed.reach, job.id).await?;
        let token = TokenView::new(token, usage, app.now());
        let tag = etag(token.version());
        let cascade = Cascade {
            job_id: job.id,
            revoked: row.revoked,
            pending: row.pending,
        };
        let status = if done {
            StatusCode::OK
        } else {
            StatusCode::ACCEPTED
        };
        return Ok((status, tag, Json(Cascaded { token, cascade })).into_response());
    }
    let choose = |_: &_, _| Ok(Command::Revoke(query.reason));
    let token = app
        .commands
        .change(&cause, target, expected, Needs::Nothing, choose)
        .await?;
    let view = TokenView::new(token, usage, app.now());
    Ok((etag(view.version()), Json(view)).into_response())
}
