//! `GET /v1/tokens/bulk-revoke/{id}`

use crate::openapi::errors::{Guarded, NotFound};
use axum::Json;
use axum::extract::State;

use super::bulk_revoke::{JobView, found};
use crate::app::App;
use crate::caller::{Allowed, TokensRead};
use crate::http::path::Id;
use crate::http::problem::Problem;

/// How far a plan or a cascade has come: 200; 404 if it is not there, not the caller's, or long
/// over.
#[utoipa::path(
    get,
    path = "/v1/tokens/bulk-revoke/{id}",
    tag = "Tokens",
    operation_id = "getBulkRevocation",
    summary = "See how far a revocation of many tokens has come",
    params(("id" = Uuid, Path, description = "The plan, or the `job_id` of a cascade")),
    responses(
        (status = 200, description = "How far it has come", body = JobView),
        Guarded<TokensRead>,
        NotFound,
    ),
)]
pub(crate) async fn handle(
    State(app): State<App>,
    allowed: Allowed<TokensRead>,
    Id(id): Id,
) -> Result<Json<JobView>, Problem> {
    Ok(Json(found(&app.pool, allowed.reach, id).await?.into()))
}
