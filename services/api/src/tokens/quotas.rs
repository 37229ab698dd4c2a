//! `GET /v1/tokens/{id}/quotas`

use crate::openapi::errors::{Guarded, NotFound};
use axum::Json;
use axum::extract::State;
use axum::response::IntoResponse;
use tollkeeper_domain::ids::TokenId;
use tollkeeper_read_model::{quota_balances, tokens};

use crate::app::App;
use crate::caller::{Allowed, TokensRead};
use crate::http::path::Id;
use crate::http::problem::Problem;
use crate::quotas::QuotaUses;

/// What is left of the quotas of a token: 200, or 404 if it is not there or not the caller's.
#[utoipa::path(
    get,
    path = "/v1/tokens/{id}/quotas",
    tag = "Tokens",
    operation_id = "getTokenQuotas",
    summary = "Read what is left of a token's quotas",
    description = "As far as it is counted: what was let through a moment ago may not be.",
    params(("id" = TokenId, Path, description = "The token")),
    responses(
        (status = 200, description = "Its quotas", body = QuotaUses),
        Guarded<TokensRead>,
        NotFound,
    ),
)]
pub(crate) async fn handle(
    State(app): State<App>,
    allowed: Allowed<TokensRead>,
    Id(id): Id,
) -> Result<impl IntoResponse, Problem> {
    let (reach, now) = (allowed.reach, app.now());
    let found = tokens::find(&app.pool, reach, id.into(), now).await?;
    let quotas = found.ok_or_else(|| Problem::not_found("token"))?.quotas.0;
    let used = quota_balances::of_token(&app.pool, reach, id.into(), &quotas, now).await?;
    Ok(Json(QuotaUses::new(&quotas, &used, now)))
}
