//! `GET /v1/tokens/{id}`

use axum::Json;
use axum::extract::State;
use axum::response::IntoResponse;
use tollkeeper_read_model::tokens;

use super::view::TokenView;
use crate::app::App;
use crate::caller::{Allowed, TokensRead};
use crate::http::path::Id;
use crate::http::problem::Problem;
use crate::http::version::etag;

/// The token: 200, or 404 if it is not there or not the caller's.
pub(crate) async fn handle(
    State(app): State<App>,
    allowed: Allowed<TokensRead>,
    Id(id): Id,
) -> Result<impl IntoResponse, Problem> {
    let found = tokens::find(&app.pool, allowed.reach, id.into(), app.now()).await?;
    let view = TokenView::from(found.ok_or_else(|| Problem::not_found("token"))?);
    Ok((etag(view.version()), Json(view)))
}
