//! `GET /v1/accounts/{id}/quotas`

use crate::openapi::errors::{Guarded, NotFound};
use axum::Json;
use axum::extract::State;
use axum::response::IntoResponse;
use tollkeeper_domain::ids::AccountId;
use tollkeeper_read_model::{accounts, quota_balances};

use crate::app::App;
use crate::caller::{AccountsRead, Allowed};
use crate::http::path::Id;
use crate::http::problem::Problem;
use crate::quotas::QuotaUses;

/// What is left of the quotas of an account: 200, or 404 if it is not there or not the caller's.
#[utoipa::path(
    get,
    path = "/v1/accounts/{id}/quotas",
    tag = "Accounts",
    operation_id = "getAccountQuotas",
    summary = "Read what is left of an account's quotas",
    description = "As far as it is counted: what was let through a moment ago may not be.",
    params(("id" = AccountId, Path, description = "The account")),
    responses(
        (status = 200, description = "Its quotas", body = QuotaUses),
        Guarded<AccountsRead>,
        NotFound,
    ),
)]
pub(crate) async fn handle(
    State(app): State<App>,
    allowed: Allowed<AccountsRead>,
    Id(id): Id,
) -> Result<impl IntoResponse, Problem> {
    let (reach, now) = (allowed.reach, app.now());
    let found = accounts::find(&app.pool, reach, id.into()).await?;
    let quotas = found
        .ok_or_else(|| Problem::not_found("account"))?
        .account
        .quotas;
    let used = quota_balances::of_account(&app.pool, reach, id.into(), &quotas, now).await?;
    Ok(Json(QuotaUses::new(&quotas, &used, now)))
}
