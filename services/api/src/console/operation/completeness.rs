//! How complete usage is, as the management API tells it.

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::console::id::Id;
use crate::console::words::{self, Moment};

/// What is asked for.
#[derive(Debug, Serialize)]
pub(super) struct Query {
    pub(super) incomplete: bool,
    pub(super) cursor: Option<String>,
    pub(super) limit: u32,
}

/// What is answered.
#[derive(Debug, Deserialize)]
pub(super) struct Completeness {
    as_of: DateTime<Utc>,
    complete_through: DateTime<Utc>,
    incomplete_sources: i64,
    vanished_sources: i64,
    unmarked_sources: i64,
    reports_waiting_since: Option<DateTime<Utc>>,
    items: Vec<Source>,
    next_cursor: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Source {
    source: Uuid,
    reporter: Option<Reporter>,
    state: String,
    appended: i64,
    counted: i64,
    dead: i64,
    dropped: i64,
    pending: i64,
    missing: i64,
    missing_ranges: Vec<Range>,
    complete: bool,
    complete_through: Option<DateTime<Utc>>,
}

#[derive(Debug, Deserialize)]
struct Reporter {
    name: String,
}

#[derive(Debug, Deserialize)]
struct Range {
    first: i64,
    last: i64,
}

/// What the page shows.
#[derive(Debug)]
pub(super) struct View {
    /// All that was before is counted.
    pub(super) through: Moment,
    /// How far that is behind.
    pub(super) lag: String,
    /// What is to be thought of it, as the styles name it.
    pub(super) style: &'static str,
    pub(super) incomplete: String,
    pub(super) vanished: i64,
    pub(super) unmarked: i64,
    pub(super) reports_waiting: Option<Moment>,
    pub(super) sources: Vec<Row>,
    pub(super) next: Option<String>,
}

/// A row of the table.
#[derive(Debug)]
pub(super) struct Row {
    pub(super) source: Id,
    pub(super) name: Option<String>,
    pub(super) state: String,
    pub(super) style: &'static str,
    pub(super) appended: String,
    pub(super) counted: String,
    pub(super) pending: String,
    pub(super) dead: String,
    pub(super) dropped: String,
    pub(super) missing: String,
    /// Such as `12,001 to 12,002`.
    pub(super) ranges: Vec<String>,
    pub(super) through: Option<Moment>,
}

/// Later than this, somebody should look. The alert of the same thing waits as long.
const LATE: TimeDelta = TimeDelta::minutes(1);

impl Completeness {
    /// As the page shows it.
    pub(super) fn view(self) -> View {
        let now = self.as_of;
        let lag = (now - self.complete_through).max(TimeDelta::zero());
        let rows = self.items.into_iter().map(|source| source.row(now));
        View {
            through: Moment {
                at: self.complete_through,
                now,
            },
            lag: words::span(lag),
            style: if lag > LATE { "warning" } else { "ok" },
            incomplete: words::count(self.incomplete_sources),
            vanished: self.vanished_sources,
            unmarked: self.unmarked_sources,
            reports_waiting: self.reports_waiting_since.map(|at| Moment { at, now }),
            sources: rows.collect(),
            next: self.next_cursor,
        }
    }
}

impl Source {
    fn row(self, now: DateTime<Utc>) -> Row {
        let range = |it: &Range| match it.first == it.last {
            true => words::count(it.first),
            false => format!("{} to {}", words::count(it.first), words::count(it.last)),
        };
        Row {
            style: self.style(),
            source: Id::new(self.source),
            name: self.reporter.map(|it| it.name),
            state: if self.complete {
                "complete".to_owned()
            } else {
                self.state
            },
            appended: words::count(self.appended),
            counted: words::count(self.counted),
            pending: words::count(self.pending),
            dead: words::count(self.dead),
            dropped: words::count(self.dropped),
            missing: words::count(self.missing),
            ranges: self.missing_ranges.iter().map(range).collect(),
            through: self.complete_through.map(|at| Moment { at, now }),
        }
    }

    fn style(&self) -> &'static str {
        match self.state.as_str() {
            "vanished" => "error",
            _ if self.missing > 0 => "warning",
            "unmarked" => "stale",
            _ => "ok",
        }
    }
}
