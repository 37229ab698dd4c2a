//! `GET /v1/usage/completeness`

use std::collections::HashMap;

use axum::Json;
use axum::extract::State;
use axum::response::IntoResponse;
use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use tollkeeper_read_model::Reach;
use tollkeeper_read_model::usage::completeness::{self, Gap, SourceRow};
use tollkeeper_read_model::usage::reports;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use crate::app::App;
use crate::caller::{Allowed, CompletenessRead};
use crate::http::page::{SOURCES, cursor, limit, next_cursor};
use crate::http::problem::Problem;
use crate::http::query::Parameters;
use crate::openapi::errors::Guarded;

/// The most ranges that are shown of a source.
const MOST_RANGES: usize = 100;

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Query {
    /// Only sources of which something is missing or may still come.
    #[serde(default)]
    #[param(required = false, default = false)]
    incomplete: bool,
    /// The `next_cursor` of the page before.
    #[param(pattern = "^[A-Za-z0-9_-]{26}[AEIMQUYcgkosw048]$")]
    cursor: Option<String>,
    /// How many at most.
    #[param(minimum = 1, maximum = 200, default = 50)]
    limit: Option<i64>,
}

/// How complete usage is.
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = json!({
    "as_of": "2026-11-21T10:20:30.004512Z",
    "complete_through": "2026-11-21T10:20:28.731004Z",
    "incomplete_sources": 1,
    "vanished_sources": 0,
    "unmarked_sources": 0,
    "reports_waiting_since": null,
    "items": [{
        "source": "019aa5d0-4b1c-7f3e-a1d2-6c7b8a9d0e20",
        "reporter": {
            "id": "019aa5d0-4b1c-7f3e-a1d2-6c7b8a9d0e1f",
            "name": "gateway-7",
            "started_at": "2026-11-21T08:00:00.123456Z",
            "ended_at": null,
        },
        "state": "live",
        "appended": 48_211,
        "appended_at": "2026-11-21T10:20:29.731226Z",
        "counted": 48_150,
        "dead": 0,
        "dropped": 0,
        "pending": 59,
        "missing": 2,
        "missing_ranges": [{ "first": 12_001, "last": 12_002 }],
        "complete": false,
        "complete_through": "2026-11-21T10:20:28.731004Z",
        "lag_seconds": 1.273508,
    }],
}))]
pub(crate) struct Completeness {
    /// When it was looked at.
    as_of: DateTime<Utc>,
    /// Every call that was answered before this is counted, or known to be dropped or set aside, as far
    /// as processes have made marks.
    complete_through: DateTime<Utc>,
    /// How many sources are not complete.
    #[schema(minimum = 0)]
    incomplete_sources: i64,
    /// How many of those belong to a process that vanished: what it did last is not known until it starts
    /// again with its spool.
    #[schema(minimum = 0)]
    vanished_sources: i64,
    /// How many of those nobody has marked, as nodes of versions that did not yet: they do not move
    /// `complete_through`.
    #[schema(minimum = 0)]
    unmarked_sources: i64,
    /// Since when the call waits to be counted that has waited longest of those reported by
    /// `POST /v1/usage`; null where none waits. They have no source.
    #[schema(required)]
    reports_waiting_since: Option<DateTime<Utc>>,
    /// From the newest to the oldest.
    items: Vec<SourceView>,
    /// Give it as `cursor` to get what follows; absent at the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    next_cursor: Option<String>,
}

/// One lane of one run of a process, whose events are numbered from 1.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = UsageSource)]
struct SourceView {
    /// New at each start.
    source: Uuid,
    /// Which run of which process; null where nobody has marked it.
    #[schema(required)]
    reporter: Option<ReporterView>,
    state: SourceState,
    /// The last number that is known to have been given out.
    #[schema(minimum = 0)]
    appended: i64,
    /// When that was so.
    #[schema(required)]
    appended_at: Option<DateTime<Utc>>,
    /// How many events are counted.
    #[schema(minimum = 0)]
    counted: i64,
    /// How many are dead letters.
    #[schema(minimum = 0)]
    dead: i64,
    /// How many were dropped because a spool was full.
    #[schema(minimum = 0)]
    dropped: i64,
    /// How many follow on all that is settled, of a process that is at work: they are on their way.
    #[schema(minimum = 0)]
    pending: i64,
    /// How many others are not settled.
    #[schema(minimum = 0)]
    missing: i64,
    /// Their numbers, the first 100 ranges.
    missing_ranges: Vec<Range>,
    /// Whether everything is settled and nothing can follow.
    complete: bool,
    /// Every call that was answered before this is settled; null where that is not known.
    #[schema(required)]
    complete_through: Option<DateTime<Utc>>,
    /// How long ago that was.
    #[schema(required, minimum = 0)]
    lag_seconds: Option<f64>,
}

/// A run of a process.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = UsageReporter)]
struct ReporterView {
    /// As `GET /v1/nodes` shows it.
    id: Uuid,
    /// The name of its machine.
    name: String,
    /// When it began.
    started_at: Option<DateTime<Utc>>,
    /// When it ended in good order; null otherwise.
    #[schema(required)]
    ended_at: Option<DateTime<Utc>>,
}

/// What is known of the process behind a source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = UsageSourceState)]
enum SourceState {
    /// It was heard of within 10 seconds.
    Live,
    /// It has ended in good order; what its spool still holds comes after its next start.
    Ended,
    /// It was not heard of any more: what it did after `appended_at` is not known.
    Vanished,
    /// Nothing more can come: its last number is known.
    Closed,
    /// Nobody has marked it.
    Unmarked,
}

/// Numbers from `first` to `last`, both included.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = UsageRange)]
struct Range {
    #[schema(minimum = 1)]
    first: i64,
    #[schema(minimum = 1)]
    last: i64,
}

/// How complete usage is, source by source: 200, 403 for those who do not act across accounts.
#[utoipa::path(
    get,
    path = "/v1/usage/completeness",
    tag = "Usage",
    operation_id = "readUsageCompleteness",
    summary = "See whether all usage has arrived",
    description = "Each process says once a second how far it has counted in each of its lanes. Beside \
        that stands what the ledger holds of it: counted, dead, dropped, on its way, or missing. For \
        operators and tokens of system accounts.",
    params(Query),
    responses(
        (status = 200, description = "How complete usage is", body = Completeness),
        Guarded<CompletenessRead>,
    ),
)]
pub(crate) async fn handle(
    State(app): State<App>,
    allowed: Allowed<CompletenessRead>,
    Parameters(query): Parameters<Query>,
) -> Result<impl IntoResponse, Problem> {
    if allowed.reach != Reach::All {
        let detail = "only operators and tokens of system accounts see the sources of usage";
        return Err(Problem::forbidden("BEYOND_AUTHORITY", detail));
    }
    let limit = limit(query.limit)?;
    let before = cursor(&SOURCES, query.cursor.as_deref())?;
    let mut snapshot = completeness::snapshot(&app.pool).await?;
    let summary = completeness::summary(&mut *snapshot).await?;
    let reports_waiting_since = reports::waiting_since(&mut *snapshot).await?;
    let mut rows =
        completeness::sources(&mut *snapshot, query.incomplete, before, limit + 1).await?;
    let wanted = usize::try_from(limit).unwrap_or(0);
    let follows = rows.len() > wanted;
    rows.truncate(wanted);
    let known: Vec<(Uuid, i64)> = rows.iter().map(|row| (row.source, known(row))).collect();
    let mut gaps: HashMap<Uuid, Vec<Gap>> = HashMap::new();
    for gap in completeness::gaps(&mut *snapshot, &known).await? {
        gaps.entry(gap.source).or_default().push(gap);
    }
    let last = rows.last().filter(|_| follows).map(|row| row.source);
    let items = rows
        .into_iter()
        .map(|row| {
            let gaps = gaps.remove(&row.source).unwrap_or_default();
            view(row, &gaps, summary.as_of)
        })
        .collect();
    Ok(Json(Completeness {
        as_of: summary.as_of,
        complete_through: summary.complete_through,
        incomplete_sources: summary.incomplete,
        vanished_sources: summary.vanished,
        unmarked_sources: summary.unmarked,
        reports_waiting_since,
        items,
        next_cursor: next_cursor(&SOURCES, last),
    }))
}

/// The last number that is known to have been given out: by what was said, and by what came.
fn known(row: &SourceRow) -> i64 {
    let said = row.final_number.into_iter().chain(row.appended);
    said.fold(row.highest, i64::max)
}

fn state(row: &SourceRow) -> SourceState {
    if row.final_number.is_some() {
        SourceState::Closed
    } else if row.reporter_id.is_none() {
        SourceState::Unmarked
    } else if row.ended_at.is_some() {
        SourceState::Ended
    } else if row.is_heard_of {
        SourceState::Live
    } else {
        SourceState::Vanished
    }
}

fn view(row: SourceRow, gaps: &[Gap], as_of: DateTime<Utc>) -> SourceView {
    let state = state(&row);
    let length = |gap: &Gap| gap.last - gap.first + 1;
    let is_pending = |gap: &&Gap| state == SourceState::Live && gap.first > row.highest;
    let missing: Vec<&Gap> = gaps.iter().filter(|gap| !is_pending(gap)).collect();
    let lag = |through: DateTime<Utc>| (as_of - through).max(TimeDelta::zero());
    SourceView {
        source: row.source,
        state,
        appended: known(&row),
        appended_at: row.marked_at,
        counted: row.counted,
        dead: row.dead,
        dropped: row.dropped,
        pending: gaps.iter().filter(is_pending).map(length).sum(),
        missing: missing.iter().map(|gap| length(gap)).sum(),
        missing_ranges: missing
            .iter()
            .take(MOST_RANGES)
            .map(|gap| Range {
                first: gap.first,
                last: gap.last,
            })
            .collect(),
        complete: row.is_complete,
        complete_through: row.complete_through,
        lag_seconds: row
            .complete_through
            .map(|through| lag(through).as_seconds_f64()),
        reporter: row
            .reporter_id
            .zip(row.reporter_name)
            .map(|(id, name)| ReporterView {
                id,
                name,
                started_at: row.started_at,
                ended_at: row.ended_at,
            }),
    }
}
