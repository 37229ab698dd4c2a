//! `GET /v1/nodes/events`

use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use tollkeeper_authn::postgres;
use tollkeeper_authn::wire::{Event, Events, MOST_EVENTS};
use utoipa::IntoParams;

use super::remote::{self, Remote};
use crate::app::App;
use crate::caller::{Allowed, Verify};
use crate::http::problem::Problem;
use crate::http::query::Parameters;
use crate::openapi::errors::Guarded;

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Query {
    /// Only those after this position.
    #[param(minimum = 0)]
    after: u64,
    /// How many at most.
    #[param(minimum = 1, maximum = 1_000)]
    limit: usize,
}

/// Part of the log as verification sees it, without digests of secrets: 200, 403 for those who do not
/// act across accounts.
#[utoipa::path(
    get,
    path = "/v1/nodes/events",
    tag = "Nodes",
    operation_id = "listNodeEvents",
    summary = "Follow the log as a node",
    description = "For nodes without a database: what each event means for verification, with the \
        chain's hash at its position, read from the primary.",
    params(Query),
    responses(
        (status = 200, description = "What follows", body = Events),
        Guarded<Verify>,
    ),
)]
pub(crate) async fn handle(
    State(app): State<App>,
    allowed: Allowed<Verify>,
    Parameters(query): Parameters<Query>,
) -> Result<Json<Events>, Problem> {
    Remote::of(&allowed)?;
    if !(1..=MOST_EVENTS).contains(&query.limit) {
        let detail = format!("`limit` is 1 to {MOST_EVENTS}");
        return Err(Problem::bad_request("INVALID_QUERY", detail));
    }
    let events = remote::ask(&app, move |connection| {
        Box::pin(postgres::events(connection, query.after, query.limit))
    });
    let items = events.await?.into_iter().map(Event::from).collect();
    Ok(Json(Events { items }))
}
