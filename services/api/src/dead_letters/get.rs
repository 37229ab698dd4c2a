//! `GET /v1/dead-letters/{id}`

use axum::Json;
use axum::extract::State;
use axum::response::IntoResponse;
use tollkeeper_read_model::usage::dead_letters;

use super::must_reach_all;
use super::view::LetterView;
use crate::app::App;
use crate::caller::{Allowed, CompletenessRead};
use crate::http::path::Number;
use crate::http::problem::Problem;
use crate::openapi::errors::{Guarded, NotFound};

/// The letter: 200; 403 for those who do not act across accounts; 404, also once it is counted.
#[utoipa::path(
    get,
    path = "/v1/dead-letters/{id}",
    tag = "Usage",
    operation_id = "getDeadLetter",
    summary = "Read about usage that could not be counted",
    description = "Without what the letter holds. Once it is counted it is not there any more. For operators \
        and tokens of system accounts.",
    params(("id" = i64, Path, description = "The letter's number", minimum = 1)),
    responses(
        (status = 200, description = "The letter", body = LetterView),
        Guarded<CompletenessRead>,
        NotFound,
    ),
)]
pub(crate) async fn handle(
    State(app): State<App>,
    allowed: Allowed<CompletenessRead>,
    Number(id): Number,
) -> Result<impl IntoResponse, Problem> {
    must_reach_all(allowed.reach)?;
    let found = dead_letters::find(&app.pool, id).await?;
    let found = found.ok_or_else(|| Problem::not_found("dead letter"))?;
    Ok(Json(LetterView::from(found)))
}
