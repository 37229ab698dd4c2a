//! `POST /v1/nodes/balances`

use axum::Json;
use axum::extract::State;
use tollkeeper_authn::postgres;
use tollkeeper_authn::wire::{
    BalanceUsed, Balances, BalancesUsed, MOST_BALANCES, MOST_OWN_SOURCES,
};

use super::remote::{self, Remote};
use crate::app::App;
use crate::caller::{Allowed, Verify};
use crate::http::body::Body;
use crate::http::problem::{FieldErrors, Problem};
use crate::openapi::errors::WithBody;

/// What was used of quotas, as far as it is counted: 200, 403 for those who do not act across accounts.
#[utoipa::path(
    post,
    path = "/v1/nodes/balances",
    tag = "Nodes",
    operation_id = "readBalances",
    summary = "Ask what was used of quotas",
    description = "For nodes without a database: how many units of these quotas are counted, through \
        the sources of the node that asks and through all others, in one snapshot of the primary. What \
        nobody used, or nobody knows, has 0 of both.",
    request_body = Balances,
    responses(
        (status = 200, description = "What was used of each", body = BalancesUsed),
        WithBody<Verify>,
    ),
)]
pub(crate) async fn handle(
    State(app): State<App>,
    allowed: Allowed<Verify>,
    Body(asked): Body<Balances>,
) -> Result<Json<BalancesUsed>, Problem> {
    Remote::of(&allowed)?;
    let Balances { own, balances } = asked;
    let mut errors = FieldErrors::default();
    for (pointer, count, most) in [
        ("/own", own.len(), MOST_OWN_SOURCES),
        ("/balances", balances.len(), MOST_BALANCES),
    ] {
        if count > most {
            errors.add(pointer, format!("at most {most} at a time"));
        }
    }
    errors.check()?;
    let mut errors = FieldErrors::default();
    let mut keys = Vec::with_capacity(balances.len());
    for (index, balance) in balances.iter().enumerate() {
        match balance.key() {
            Some(key) => keys.push(key),
            None => errors.add(
                format!("/balances/{index}/period"),
                "this is a day from 1970-01-01 to 9999-12-31",
            ),
        }
    }
    errors.check()?;
    let used = remote::ask(&app, move |connection| {
        Box::pin(async move { postgres::balances(connection, &keys, &own).await })
    });
    let used = used.await?.into_iter().map(BalanceUsed::from).collect();
    Ok(Json(BalancesUsed { used }))
}
