//! `GET /v1/tokens/{id}/events`

use crate::openapi::errors::{Guarded, NotFound};
use axum::Json;
use axum::extract::State;
use axum::response::IntoResponse;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tollkeeper_domain::event::Stream;
use tollkeeper_domain::ids::TokenId;
use tollkeeper_event_store::history;
use tollkeeper_read_model::tokens;
use utoipa::{IntoParams, ToSchema};

use crate::app::App;
use crate::caller::{Allowed, EventsRead};
use crate::commands::CommandError;
use crate::http::page::limit;
use crate::http::path::Id;
use crate::http::problem::Problem;
use crate::http::query::Parameters;
use crate::public_event::{PublicEvent, public};

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Query {
    /// The `next_cursor` of the page before.
    #[param(pattern = "^[0-9]{1,18}$")]
    cursor: Option<String>,
    /// How many at most.
    #[param(minimum = 1, maximum = 200, default = 50)]
    limit: Option<i64>,
}

/// One page of a history.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct History {
    /// From the oldest to the newest.
    #[schema(value_type = Vec<PublicEvent<'_>>)]
    items: Vec<Value>,
    /// Give it as `cursor` to get what follows; absent at the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    next_cursor: Option<String>,
}

/// Everything that happened to a token, from its beginning: 200, or 404 if it is not there or not
/// the caller's.
#[utoipa::path(
    get,
    path = "/v1/tokens/{id}/events",
    tag = "History",
    operation_id = "listEventsOfToken",
    summary = "Read the history of a token",
    description = "Everything that happened to it, from its issue or import on. Also of a token \
        that is revoked.",
    params(("id" = TokenId, Path, description = "The token"), Query),
    responses(
        (status = 200, description = "A page of events", body = History),
        Guarded<EventsRead>,
        NotFound,
    ),
)]
pub(crate) async fn handle(
    State(app): State<App>,
    allowed: Allowed<EventsRead>,
    Id(id): Id,
    Parameters(query): Parameters<Query>,
) -> Result<impl IntoResponse, Problem> {
    let id = TokenId(id);
    let limit = limit(query.limit)?;
    let after = version(query.cursor.as_deref())?;
    let found = tokens::find(&app.pool, allowed.reach, id, app.now()).await?;
    found.ok_or_else(|| Problem::not_found("token"))?;
    let read = history(&app.pool, Stream::Token(id), after, limit + 1).await;
    let mut events = read.map_err(CommandError::from)?;
    let wanted = usize::try_from(limit).unwrap_or(0);
    let more = events.len() > wanted;
    events.truncate(wanted);
    let last = events.last().filter(|_| more);
    let next_cursor = last.map(|event| event.stream_version.to_string());
    let items: Result<Vec<Value>, _> = events.iter().map(public).collect();
    Ok(Json(History {
        items: items.map_err(Problem::internal)?,
        next_cursor,
    }))
}

/// The version that the page begins after.
fn version(cursor: Option<&str>) -> Result<i64, Problem> {
    let Some(text) = cursor else { return Ok(0) };
    let version = text.parse().ok().filter(|version| *version >= 0);
    let bad = || Problem::bad_request("INVALID_QUERY", "`cursor` is none that a page gave");
    version.ok_or_else(bad)
}
