//! Usage over time as it is told.

use std::collections::{BTreeMap, HashMap};

use axum::Json;
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, SecondsFormat, Utc};
use serde::Serialize;
use tollkeeper_read_model::Reach;
use tollkeeper_read_model::usage::{Cell, OTHER, Question, series};
use tollkeeper_usage::histogram::{BUCKETS, quantile};
use utoipa::ToSchema;

use super::export::Export;
use super::question::Asked;
use super::reading::{self, Reading};
use super::times;
use super::words::{Bucket, group_name};
use crate::app::App;
use crate::http::csv::{Format, Table, number, text};
use crate::http::problem::Problem;

/// Usage over time.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = UsageSeries, example = json!({
    "from": "2026-03-01T10:00:00Z",
    "to": "2026-03-01T11:00:00Z",
    "bucket": "hour",
    "as_of": "2026-03-01T12:34:56.789012Z",
    "read_from": "rollups",
    "total": {
        "requests": 120,
        "errors": 2,
        "latency_us": { "p50": 812, "p90": 1730, "p99": 6144 },
    },
    "buckets": [{
        "start": "2026-03-01T10:00:00Z",
        "requests": 120,
        "errors": 2,
        "latency_us": { "p50": 812, "p90": 1730, "p99": 6144 },
    }],
}))]
pub(crate) struct Series {
    /// The beginning of the first bucket.
    from: DateTime<Utc>,
    /// The end of the last one.
    to: DateTime<Utc>,
    bucket: Bucket,
    /// When this was read. Requests count when they have come to the tables, which takes them about
    /// a second: the newest may be missing.
    as_of: DateTime<Utc>,
    read_from: ReadFrom,
    /// The whole range together.
    total: Figures,
    /// From the oldest to the newest, those without a request too.
    buckets: Vec<Step>,
    /// The largest groups, and `(other)` for the rest. Only where `group_by` was given.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    groups: Option<Vec<Group>>,
}

/// What was read.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = UsageReadFrom)]
enum ReadFrom {
    /// Sums by hour and day. A token's endpoints beyond a hundred an hour count as `(other)`.
    Rollups,
    /// Single requests, for as long as they are kept.
    Requests,
}

/// Some requests together.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = UsageFigures)]
struct Figures {
    #[schema(minimum = 0)]
    requests: i64,
    /// How many of them were refused, or answered with a status of 400 or above.
    #[schema(minimum = 0)]
    errors: i64,
    /// Null where there is no request.
    #[schema(required)]
    latency_us: Option<Latency>,
}

/// How many microseconds the requests took: as many in a hundred took no longer. Each is within a
/// factor of two of the exact value.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = UsageLatency)]
struct Latency {
    p50: u64,
    p90: u64,
    p99: u64,
}

/// One bucket.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = UsageStep)]
struct Step {
    start: DateTime<Utc>,
    #[serde(flatten)]
    figures: Figures,
}

/// The requests that have something in common.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = UsageGroup)]
struct Group {
    /// What they have in common; `(other)` for all that have no group of their own.
    key: String,
    total: Figures,
    /// The same buckets as above.
    buckets: Vec<Step>,
}

/// Sums of cells.
#[derive(Debug, Clone, Copy, Default)]
struct Sum {
    requests: i64,
    errors: i64,
    latency: [i64; BUCKETS],
}

impl Sum {
    fn add(&mut self, cell: &Cell) {
        self.requests += cell.requests;
        self.errors += cell.errors;
        for (count, more) in self.latency.iter_mut().zip(cell.latency) {
            *count += more;
        }
    }

    fn figures(&self) -> Figures {
        let latency = || {
            Some(Latency {
                p50: quantile(&self.latency, 500)?,
                p90: quantile(&self.latency, 900)?,
                p99: quantile(&self.latency, 990)?,
            })
        };
        Figures {
            requests: self.requests,
            errors: self.errors,
            latency_us: latency(),
        }
    }
}

/// Sums over time.
#[derive(Debug, Default)]
struct Course {
    total: Sum,
    steps: BTreeMap<DateTime<Utc>, Sum>,
}

impl Course {
    fn add(&mut self, cell: &Cell) {
        self.total.add(cell);
        self.steps.entry(cell.start).or_default().add(cell);
    }

    fn steps(&self, starts: &[DateTime<Utc>]) -> Vec<Step> {
        let step = |start: &DateTime<Utc>| Step {
            start: *start,
            figures: self.steps.get(start).copied().unwrap_or_default().figures(),
        };
        starts.iter().map(step).collect()
    }
}

/// Answers a question about usage over time.
pub(super) async fn answer(
    app: &App,
    reach: Reach,
    asked: Asked,
    format: Format,
    (export, path): (Export<'_>, &str),
) -> Result<Response, Problem> {
    let as_of = app.now();
    let question = asked.question(as_of)?;
    export.note(app, format, path).await?;
    let question = &question;
    let asking = |mut db: Reading| async move { series(&mut db, reach, question).await };
    let cells = reading::ask(app, reading::SHORTER, asking).await?;
    let told = tell(question, cells, as_of);
    match format {
        Format::Json => Ok(Json(told).into_response()),
        Format::Csv => table(&told),
    }
}

fn tell(question: &Question, cells: Vec<Cell>, as_of: DateTime<Utc>) -> Series {
    let starts: Vec<_> = times::starts(question.range, question.width).collect();
    let mut all = Course::default();
    let mut groups: HashMap<String, Course> = HashMap::new();
    for mut cell in cells {
        all.add(&cell);
        if let (Some(dimension), Some(group)) = (question.group_by, cell.group.take()) {
            let key = group_name(dimension, group);
            groups.entry(key).or_default().add(&cell);
        }
    }
    let mut groups: Vec<_> = groups.into_iter().collect();
    // The largest first, and the rest at the end.
    groups.sort_unstable_by(|(a, left), (b, right)| {
        let rest = (a == OTHER).cmp(&(b == OTHER));
        let larger = right.total.requests.cmp(&left.total.requests);
        rest.then(larger).then_with(|| a.cmp(b))
    });
    let groups = groups.into_iter().map(|(key, course)| Group {
        key,
        total: course.total.figures(),
        buckets: course.steps(&starts),
    });
    Series {
        from: question.range.from,
        to: question.range.to,
        bucket: question.width.into(),
        as_of,
        read_from: if question.needs_requests() {
            ReadFrom::Requests
        } else {
            ReadFrom::Rollups
        },
        total: all.total.figures(),
        buckets: all.steps(&starts),
        groups: question.group_by.is_some().then(|| groups.collect()),
    }
}

/// A line for each bucket, of each group where there are groups.
fn table(series: &Series) -> Result<Response, Problem> {
    let figures = ["requests", "errors", "p50_us", "p90_us", "p99_us"];
    let Some(groups) = &series.groups else {
        let mut table = Table::new(&[&["start"][..], &figures].concat())?;
        for step in &series.buckets {
            table.row(cells(step))?;
        }
        return table.into_response();
    };
    let mut table = Table::new(&[&["group", "start"][..], &figures].concat())?;
    for group in groups {
        for step in &group.buckets {
            let key = text(&group.key).into_owned();
            table.row([key].into_iter().chain(cells(step)))?;
        }
    }
    table.into_response()
}

fn cells(step: &Step) -> [String; 6] {
    let figures = &step.figures;
    let latency = figures.latency_us.as_ref();
    [
        step.start.to_rfc3339_opts(SecondsFormat::Micros, true),
        figures.requests.to_string(),
        figures.errors.to_string(),
        number(latency.map(|it| it.p50)),
        number(latency.map(|it| it.p90)),
        number(latency.map(|it| it.p99)),
    ]
}
