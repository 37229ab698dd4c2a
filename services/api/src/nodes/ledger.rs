//! `POST /v1/nodes/ledger`

use axum::Json;
use axum::extract::State;
use tollkeeper_authn::wire::{MOST_SOURCES, Settled, SettledSource, Sources};
use tollkeeper_usage::{LedgerReader, PostgresLedger};

use super::remote::Remote;
use crate::app::App;
use crate::caller::{Allowed, Verify};
use crate::http::body::Body;
use crate::http::problem::Problem;
use crate::openapi::errors::WithBody;

/// Which usage of these sources is settled, so that a node may delete what it keeps of it: 200, 403
/// for those who do not act across accounts.
#[utoipa::path(
    post,
    path = "/v1/nodes/ledger",
    tag = "Nodes",
    operation_id = "readLedger",
    summary = "Ask which usage is settled",
    description = "For nodes without a database: the ranges of these sources that have been counted, \
        or will never be.",
    request_body = Sources,
    responses(
        (status = 200, description = "What is settled", body = Settled),
        WithBody<Verify>,
    ),
)]
pub(crate) async fn handle(
    State(app): State<App>,
    allowed: Allowed<Verify>,
    Body(asked): Body<Sources>,
) -> Result<Json<Settled>, Problem> {
    Remote::of(&allowed)?;
    if asked.sources.len() > MOST_SOURCES {
        let detail = format!("at most {MOST_SOURCES} at a time");
        return Err(Problem::bad_field("/sources", detail));
    }
    let ledger = PostgresLedger::new(app.node_pool.clone());
    let coverage = ledger.covered(asked.sources).await;
    let coverage = coverage.map_err(Problem::unavailable)?;
    let settled = coverage.into_iter().map(|(source, covered)| SettledSource {
        source,
        ranges: covered.ranges.iter().map(|it| it.into_inner()).collect(),
        final_sequence: covered.final_number,
    });
    Ok(Json(Settled {
        settled: settled.collect(),
    }))
}
