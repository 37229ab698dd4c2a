//! `DELETE /v1/tokens/{id}`

use crate::openapi::errors::{Busy, Guarded, NotFound, VersionMismatch};
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use tollkeeper_domain::ids::TokenId;
use tollkeeper_domain::token::Command;
use tollkeeper_read_model::tokens;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::bulk_revoke::found;
use super::reason::GivenReason;
use super::view::TokenView;
use crate::app::App;
use crate::caller::{Allowed, TokensWrite};
use crate::commands::{Cause, Needs};
use crate::http::path::Id;
use crate::http::problem::Problem;
use crate::http::query::Parameters;
use crate::http::request_id::RequestId;
use crate::http::version::{IfMatch, etag};
use crate::nodes::{Receipt, Until, Wait};

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Query {
    /// Why.
    #[serde(default)]
    #[param(default = "unspecified")]
    reason: GivenReason,
    /// Whether all tokens that it was used to issue, directly or through others, end with it.
    #[serde(default)]
    cascade: bool,
    /// Answer when every node has applied it, or after five seconds; `applied` and `pending` tell
    /// which nodes have. Not with `cascade`.
    #[param(inline)]
    wait: Option<Until>,
}

/// A token that is revoked.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = RevokedToken)]
pub(crate) struct Revoked {
    #[serde(flatten)]
    token: TokenView,
    /// What becomes of its descendants; absent where they were not to be revoked.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    cascade: Option<Cascade>,
    #[serde(flatten)]
    receipt: Receipt,
}

/// How far a cascade has come.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Cascade {
    /// For `GET /v1/tokens/bulk-revoke/{id}`.
    job_id: Uuid,
    /// How many it has revoked.
    #[schema(minimum = 0)]
    revoked: i64,
    /// How many are still to be revoked.
    #[schema(minimum = 0)]
    pending: i64,
}

/// Ends the token for good: 200, also if it was revoked before; 202 while a cascade goes on in the
/// background; 400 for a reason that is not a caller's to give; 404; 412.
#[utoipa::path(
    delete,
    path = "/v1/tokens/{id}",
    tag = "Tokens",
    operation_id = "revokeToken",
    summary = "Revoke a token",
    description = "For good. A token that was revoked before stays as it is, and the answer is the \
        same. With `cascade`, the tokens that it was used to issue follow.",
    params(("id" = TokenId, Path, description = "The token"), IfMatch, Query),
    responses(
        (
            status = 200,
            description = "The token, revoked; with `cascade`, all its descendants too",
            body = Revoked,
            headers(("ETag" = String, description = "The version, for `If-Match`")),
        ),
        (
            status = 202,
            description = "The token, revoked; its descendants follow in the background",
            body = Revoked,
            headers(("ETag" = String, description = "The version, for `If-Match`")),
        ),
        Guarded<TokensWrite>,
        NotFound,
        Busy,
        VersionMismatch,
    ),
)]
pub(crate) async fn handle(
    State(app): State<App>,
    allowed: Allowed<TokensWrite>,
    Id(id): Id,
    IfMatch(expected): IfMatch,
    RequestId(request_id): RequestId,
    Parameters(query): Parameters<Query>,
) -> Result<Response, Problem> {
    if query.cascade && query.wait.is_some() {
        let detail = "`wait` cannot be told of a cascade, which goes on in the background";
        return Err(Problem::bad_request("INVALID_QUERY", detail));
    }
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
            .revoke_cascading(&cause, target, expected, query.reason.into())
            .await?;
        let done = app.commands.work_within_request(&job).await?;
        let row = found(&app.pool, allowed.reach, job.id).await?;
        let token = TokenView::new(token, usage, app.now());
        let tag = etag(token.version());
        let cascade = Some(Cascade {
            job_id: job.id,
            revoked: row.revoked,
            pending: row.pending,
        });
        let revoked = Revoked {
            token,
            cascade,
            receipt: Receipt::default(),
        };
        let status = if done {
            StatusCode::OK
        } else {
            StatusCode::ACCEPTED
        };
        return Ok((status, tag, Json(revoked)).into_response());
    }
    let choose = |_: &_, _| Ok(Command::Revoke(query.reason.into()));
    let token = app
        .commands
        .change(&cause, target, expected, Needs::Nothing, choose)
        .await?;
    let token = TokenView::new(token, usage, app.now());
    let tag = etag(token.version());
    let revoked = Revoked {
        token,
        cascade: None,
        receipt: Wait::from(query.wait).over(&app).await,
    };
    Ok((tag, Json(revoked)).into_response())
}
