//! `GET /v1/tokens/{id}`

use crate::openapi::errors::{Guarded, NotFound};
use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, Utc};
use serde::Deserialize;
use tollkeeper_domain::ids::TokenId;
use tollkeeper_read_model::tokens;
use utoipa::IntoParams;

use super::view::TokenView;
use crate::app::App;
use crate::caller::{Allowed, TokensRead};
use crate::history::past;
use crate::http::path::Id;
use crate::http::problem::Problem;
use crate::http::query::Parameters;
use crate::http::version::etag;

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Query {
    /// The token as it was recorded to be at this moment.
    as_of: Option<DateTime<Utc>>,
}

/// The token as it is, or as it was: 200, 400 for a moment in the future, 404 if it is not there,
/// not the caller's, or was not there yet.
#[utoipa::path(
    get,
    path = "/v1/tokens/{id}",
    tag = "Tokens",
    operation_id = "getToken",
    summary = "Read a token",
    params(("id" = TokenId, Path, description = "The token"), Query),
    responses(
        (
            status = 200,
            description = "The token",
            body = TokenView,
            headers((
                "ETag" = String,
                description = "The version, for `If-Match`; not with `as_of`"
            )),
        ),
        Guarded<TokensRead>,
        NotFound,
    ),
)]
pub(crate) async fn handle(
    State(app): State<App>,
    allowed: Allowed<TokensRead>,
    Id(id): Id,
    Parameters(query): Parameters<Query>,
) -> Result<Response, Problem> {
    if let Some(as_of) = query.as_of {
        let as_of = past::moment(&app, "as_of", as_of).await?;
        let found = past::token(&app, allowed.reach, id.into(), as_of).await?;
        let token = found.ok_or_else(|| Problem::not_found("token"))?;
        // Without an entity tag: what was cannot be changed.
        return Ok(Json(TokenView::past(token, as_of)).into_response());
    }
    let found = tokens::find(&app.pool, allowed.reach, id.into(), app.now()).await?;
    let view = TokenView::from(found.ok_or_else(|| Problem::not_found("token"))?);
    Ok((etag(view.version()), Json(view)).into_response())
}
