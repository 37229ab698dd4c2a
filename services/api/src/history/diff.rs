//! `GET /v1/tokens/{id}/diff`

use crate::openapi::errors::{Guarded, NotFound};
use axum::Json;
use axum::extract::State;
use axum::response::IntoResponse;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use tollkeeper_domain::event::Stream;
use tollkeeper_domain::ids::TokenId;
use tollkeeper_event_store::{StoredEvent, load};
use tollkeeper_read_model::replay;
use utoipa::{IntoParams, ToSchema};

use super::past;
use crate::app::App;
use crate::caller::{Allowed, TokensRead};
use crate::commands::CommandError;
use crate::http::path::Id;
use crate::http::problem::Problem;
use crate::http::query::Parameters;
use crate::tokens::TokenView;

/// Fields that say when and how often something changed, and not what.
const NOT_COMPARED: [&str; 2] = ["updated_at", "version"];

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Query {
    /// A version of the token, or a moment that has been.
    #[param(inline, value_type = Point)]
    from: String,
    /// A version of the token, or a moment that has been; now if it is not given.
    #[param(inline, value_type = Option<Point>)]
    to: Option<String>,
}

/// A point in the history of a token.
#[derive(Debug, Clone, Copy, ToSchema)]
#[schema(as = PointInHistory)]
#[serde(untagged)]
enum Point {
    Version(u64),
    Time(DateTime<Utc>),
}

/// What became of a token between two points.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Diff {
    /// The token at the first point; none if it was not there yet.
    #[schema(required)]
    from: Option<TokenView>,
    /// The token at the second point.
    to: TokenView,
    changes: Vec<FieldChange>,
}

/// A field that is not as it was.
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = json!({ "field": "name", "from": "deployments", "to": "releases" }))]
pub(crate) struct FieldChange {
    field: String,
    /// Null where there was no token yet.
    from: Value,
    to: Value,
}

/// What changed between two versions or moments: 200, 400 if they are none or the wrong way round,
/// 404 if the token is not there, not the caller's, or was not there yet at the second.
#[utoipa::path(
    get,
    path = "/v1/tokens/{id}/diff",
    tag = "History",
    operation_id = "compareToken",
    summary = "Compare a token with itself at another time",
    params(("id" = TokenId, Path, description = "The token"), Query),
    responses(
        (status = 200, description = "The token at both points, and the fields that differ", body = Diff),
        Guarded<TokensRead>,
        NotFound,
    ),
)]
pub(crate) async fn handle(
    State(app): State<App>,
    allowed: Allowed<TokensRead>,
    Id(id): Id,
    Parameters(query): Parameters<Query>,
) -> Result<impl IntoResponse, Problem> {
    let from = point(&app, "from", &query.from).await?;
    let to = match &query.to {
        Some(text) => point(&app, "to", text).await?,
        None => Point::Version(u64::MAX),
    };
    let read = load(&app.pool, Stream::Token(TokenId(id))).await;
    let events = read.map_err(CommandError::from)?;
    let (until_from, until_to) = (until(&events, from), until(&events, to));
    let state = |events| at(events, &allowed, app.now());
    let after = state(until_to)?.ok_or_else(|| Problem::not_found("token"))?;
    let before = state(until_from)?;
    if until_from.len() > until_to.len() {
        let detail = "`from` lies after `to`";
        return Err(Problem::bad_request("INVALID_QUERY", detail));
    }
    let changes = changes(before.as_ref(), &after)?;
    Ok(Json(Diff {
        from: before,
        to: after,
        changes,
    }))
}

async fn point(app: &App, name: &str, text: &str) -> Result<Point, Problem> {
    let version = text.parse::<i64>().ok();
    if let Some(version) = version.and_then(|it| u64::try_from(it).ok()) {
        return Ok(Point::Version(version));
    }
    let time = text.parse::<DateTime<Utc>>();
    let bad = |_| {
        let detail = format!("`{name}` is a version or a time in RFC 3339");
        Problem::bad_request("INVALID_QUERY", detail)
    };
    let time = past::moment(app, name, time.map_err(bad)?).await?;
    Ok(Point::Time(time))
}

/// The events up to the point.
fn until(events: &[StoredEvent], point: Point) -> &[StoredEvent] {
    let end = events.partition_point(|event| match point {
        Point::Version(version) => event.stream_version <= version,
        Point::Time(time) => event.recorded_at <= time,
    });
    &events[..end]
}

/// The token after these events, if it is within reach. What the clock makes of it is told as of
/// `now` at both points, so that a difference is one of what was decided.
fn at(
    events: &[StoredEvent],
    allowed: &Allowed<TokensRead>,
    now: DateTime<Utc>,
) -> Result<Option<TokenView>, CommandError> {
    let token = replay::token(events)?;
    let token = token.filter(|token| allowed.reach.includes(token.account_id));
    Ok(token.map(|token| TokenView::past(token, now)))
}

fn changes(
    before: Option<&TokenView>,
    after: &TokenView,
) -> Result<Vec<FieldChange>, CommandError> {
    let fields = |view: &TokenView| -> Result<Map<String, Value>, CommandError> {
        match serde_json::to_value(view)? {
            Value::Object(fields) => Ok(fields),
            _ => Ok(Map::new()),
        }
    };
    let mut earlier = before.map(fields).transpose()?.unwrap_or_default();
    let changed = fields(after)?.into_iter().filter_map(|(field, to)| {
        let from = earlier.remove(&field).unwrap_or_default();
        let compared = !NOT_COMPARED.contains(&field.as_str());
        (compared && from != to).then_some(FieldChange { field, from, to })
    });
    Ok(changed.collect())
}
