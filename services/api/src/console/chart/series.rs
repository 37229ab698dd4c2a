//! Usage over time as the API tells it.

use chrono::{DateTime, TimeDelta, Utc};
use serde::Deserialize;

use super::Steps;

/// An answer of `GET /v1/usage` or `GET /v1/tokens/{id}/usage`.
#[derive(Debug, Clone, Deserialize)]
pub(in crate::console) struct Series {
    /// When the last one ends.
    pub(in crate::console) to: DateTime<Utc>,
    /// How wide the steps are.
    pub(in crate::console) bucket: Width,
    /// When it was read.
    pub(in crate::console) as_of: DateTime<Utc>,
    /// All of it together.
    pub(in crate::console) total: Figures,
    /// From the oldest to the newest.
    pub(in crate::console) buckets: Vec<Step>,
    /// The largest groups, where some were asked for.
    pub(in crate::console) groups: Option<Vec<Group>>,
}

/// How wide a step is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(in crate::console) enum Width {
    /// A minute.
    Minute,
    /// An hour.
    Hour,
    /// A day by UTC.
    Day,
}

impl Width {
    /// How long that is.
    pub(in crate::console) const fn span(self) -> TimeDelta {
        match self {
            Self::Minute => TimeDelta::minutes(1),
            Self::Hour => TimeDelta::hours(1),
            Self::Day => TimeDelta::days(1),
        }
    }

    /// As a question has it.
    pub(in crate::console) const fn as_str(self) -> &'static str {
        match self {
            Self::Minute => "minute",
            Self::Hour => "hour",
            Self::Day => "day",
        }
    }
}

/// Some requests together.
#[derive(Debug, Clone, Default, Deserialize)]
pub(in crate::console) struct Figures {
    /// How many.
    pub(in crate::console) requests: u64,
    /// How many of them were refused, or answered with a status of 400 or above.
    pub(in crate::console) errors: u64,
    /// How long they took; none where there is none.
    pub(in crate::console) latency_us: Option<Latency>,
}

/// As many in a hundred took no longer, in microseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub(in crate::console) struct Latency {
    /// Half of them.
    pub(in crate::console) p50: u64,
    /// 90 in a hundred.
    pub(in crate::console) p90: u64,
    /// 99 in a hundred.
    pub(in crate::console) p99: u64,
}

/// One step.
#[derive(Debug, Clone, Deserialize)]
pub(in crate::console) struct Step {
    /// When it begins.
    pub(in crate::console) start: DateTime<Utc>,
    /// What was in it.
    #[serde(flatten)]
    pub(in crate::console) figures: Figures,
}

/// The requests that have something in common.
#[derive(Debug, Clone, Deserialize)]
pub(in crate::console) struct Group {
    /// What they have in common.
    pub(in crate::console) key: String,
    /// All of them together.
    pub(in crate::console) total: Figures,
    /// The same steps as of the whole.
    pub(in crate::console) buckets: Vec<Step>,
}

impl Series {
    /// Its steps, complete until it was read.
    pub(in crate::console) fn steps(&self) -> Steps {
        Steps {
            starts: self.buckets.iter().map(|step| step.start).collect(),
            width: self.bucket.span(),
            complete_through: self.as_of.min(self.to),
        }
    }
}
