//! The nodes, as the management API tells of them.

use chrono::{DateTime, Utc};
use serde::Deserialize;
use uuid::Uuid;

use crate::console::id::Id;
use crate::console::words::{self, Moment};

/// The nodes.
#[derive(Debug, Deserialize)]
pub(super) struct Nodes {
    items: Vec<Node>,
}

#[derive(Debug, Deserialize)]
struct Node {
    id: Uuid,
    name: String,
    version: String,
    position: Option<i64>,
    lag: Option<i64>,
    registered_by: Option<String>,
    reported_at: DateTime<Utc>,
    valid_until: Option<DateTime<Utc>>,
    may_answer: bool,
}

/// A row of the table.
#[derive(Debug)]
pub(super) struct Row {
    pub(super) id: Id,
    pub(super) name: String,
    pub(super) version: String,
    pub(super) position: String,
    pub(super) lag: String,
    pub(super) registered_by: Option<String>,
    pub(super) reported: Moment,
    pub(super) valid_until: Option<Moment>,
    pub(super) state: State,
}

/// What is to be thought of a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    /// It answers, by all that the log holds.
    UpToDate,
    /// It answers, by less.
    Behind,
    /// It knows nothing yet.
    Starting,
    /// It was not heard of in time, and answers nothing.
    Silent,
}

impl State {
    /// As people say it.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::UpToDate => "up to date",
            Self::Behind => "behind",
            Self::Starting => "starting",
            Self::Silent => "silent",
        }
    }

    /// As the styles name it.
    pub(super) const fn style(self) -> &'static str {
        match self {
            Self::UpToDate => "ok",
            Self::Behind | Self::Starting => "warning",
            Self::Silent => "error",
        }
    }
}

impl Nodes {
    /// The rows, and how many of the nodes answer.
    pub(super) fn rows(self, now: DateTime<Utc>) -> (Vec<Row>, usize) {
        let answering = self.items.iter().filter(|node| node.may_answer).count();
        let rows = self.items.into_iter().map(|node| node.row(now));
        (rows.collect(), answering)
    }
}

impl Node {
    fn state(&self) -> State {
        match (self.may_answer, self.lag) {
            (false, _) => State::Silent,
            (true, None) => State::Starting,
            (true, Some(0)) => State::UpToDate,
            (true, Some(_)) => State::Behind,
        }
    }

    fn row(self, now: DateTime<Utc>) -> Row {
        let number = |it: Option<i64>| it.map_or_else(|| "–".to_owned(), words::count);
        Row {
            state: self.state(),
            id: Id::new(self.id),
            position: number(self.position),
            lag: number(self.lag),
            registered_by: self.registered_by,
            reported: Moment {
                at: self.reported_at,
                now,
            },
            valid_until: self.valid_until.map(|at| Moment { at, now }),
            name: self.name,
            version: self.version,
        }
    }
}
