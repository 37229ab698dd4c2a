//! What the usage tables tell: `api_token_usage` (single requests), `api_token_usage_hourly` and
//! `api_token_usage_daily` (sums), and how complete that is.
//!
//! The ingestor alone writes them; what is reported to the API waits for it. Questions may be large, so whoever asks bounds them by a
//! statement's time and by connections of their own.

pub mod completeness;
pub mod dead_letters;
mod exposure;
mod passed;
pub mod reports;
mod requests;
mod selection;
mod series;
mod top;

use chrono::{DateTime, TimeDelta, Utc};

pub use self::exposure::{Exposure, MOST_TRACES, Trace, Traces, exposure};
pub use self::passed::{PassedRequest, passed, passed_cut};
pub use self::requests::{Place, RequestFilter, RequestRow, requests};
pub use self::selection::Selection;
pub use self::series::{Cell, Dimension, OTHER, Question, SeriesFilter, series};
pub use self::top::{Order, TopToken, top};

/// How many counts a histogram of latencies has. The tables check the same number.
pub const HISTOGRAM_BUCKETS: usize = 24;

/// A period: it begins with `from` and ends before `to`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "said above")]
pub struct Range {
    pub from: DateTime<Utc>,
    pub to: DateTime<Utc>,
}

/// How wide the steps of a series are. All begin and end by UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names say it")]
pub enum Width {
    Minute,
    Hour,
    Day,
}

impl Width {
    /// How long a step is.
    #[must_use]
    pub const fn span(self) -> TimeDelta {
        TimeDelta::seconds(match self {
            Self::Minute => 60,
            Self::Hour => 3600,
            Self::Day => 86400,
        })
    }
}
