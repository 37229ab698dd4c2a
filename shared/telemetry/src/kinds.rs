//! The typed shape of a metric: a constant knows its kind, so a gauge cannot be counted up by
//! mistake, and the name is written once.

use metrics::Unit;

use crate::labels::{Label, recorded};

/// A number that only grows. Its name ends in `_total`.
#[derive(Debug)]
pub struct Counter {
    /// Under which it is exported.
    pub name: &'static str,
    /// What it is counted in.
    pub unit: Unit,
    /// What it says, for people.
    pub description: &'static str,
    /// What its time series are told apart by.
    pub labels: &'static [Label],
}

/// A number that goes up and down.
#[derive(Debug)]
pub struct Gauge {
    /// Under which it is exported.
    pub name: &'static str,
    /// What it is measured in.
    pub unit: Unit,
    /// What it says, for people.
    pub description: &'static str,
    /// What its time series are told apart by.
    pub labels: &'static [Label],
}

/// A distribution over fixed buckets, so that the distributions of several processes can be added.
/// The recorder keeps each sample for a while: this is for what happens some hundred times a second.
#[derive(Debug)]
pub struct Histogram {
    /// Under which it is exported.
    pub name: &'static str,
    /// What it is measured in.
    pub unit: Unit,
    /// What it says, for people.
    pub description: &'static str,
    /// What its time series are told apart by.
    pub labels: &'static [Label],
    /// Upper bounds in `unit`, ascending; the unbounded last bucket is implied.
    pub buckets: &'static [f64],
}

/// A distribution of durations on the way of each request: counted in place, see
/// [`Durations`](crate::Durations).
#[derive(Debug)]
pub struct DurationHistogram {
    /// Under which it is exported.
    pub name: &'static str,
    /// What it says, for people.
    pub description: &'static str,
    /// What its time series are told apart by.
    pub labels: &'static [Label],
    /// Upper bounds in seconds, ascending; the unbounded last bucket is implied.
    pub buckets: &'static [f64],
}

/// A number of seconds that only grows, with fractions. The recorder counts whole numbers alone, so
/// this is written beside what it writes.
#[derive(Debug)]
pub struct SecondsCounter {
    /// Under which it is exported.
    pub name: &'static str,
    /// What it says, for people.
    pub description: &'static str,
}

/// An entry of the catalogue.
#[derive(Debug, Clone, Copy)]
#[allow(missing_docs, reason = "each is described where its kind is")]
pub enum Metric {
    Counter(&'static Counter),
    Gauge(&'static Gauge),
    Histogram(&'static Histogram),
    Durations(&'static DurationHistogram),
    Seconds(&'static SecondsCounter),
}

impl Metric {
    /// The name it is exported under.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Counter(metric) => metric.name,
            Self::Gauge(metric) => metric.name,
            Self::Histogram(metric) => metric.name,
            Self::Durations(metric) => metric.name,
            Self::Seconds(metric) => metric.name,
        }
    }

    /// What it says, for people.
    #[must_use]
    pub fn description(&self) -> &'static str {
        match self {
            Self::Counter(metric) => metric.description,
            Self::Gauge(metric) => metric.description,
            Self::Histogram(metric) => metric.description,
            Self::Durations(metric) => metric.description,
            Self::Seconds(metric) => metric.description,
        }
    }

    /// What its time series are told apart by.
    #[must_use]
    pub fn labels(&self) -> &'static [Label] {
        match self {
            Self::Counter(metric) => metric.labels,
            Self::Gauge(metric) => metric.labels,
            Self::Histogram(metric) => metric.labels,
            Self::Durations(metric) => metric.labels,
            Self::Seconds(_) => &[],
        }
    }

    /// The type as Prometheus names it.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Counter(_) | Self::Seconds(_) => "counter",
            Self::Gauge(_) => "gauge",
            Self::Histogram(_) | Self::Durations(_) => "histogram",
        }
    }

    /// The upper bounds of its buckets, where it has some.
    #[must_use]
    pub fn buckets(&self) -> &'static [f64] {
        match self {
            Self::Histogram(metric) => metric.buckets,
            Self::Durations(metric) => metric.buckets,
            Self::Counter(_) | Self::Gauge(_) | Self::Seconds(_) => &[],
        }
    }
}

/// The handles look the metric up in the recorder: keep the handle where a request passes by.
macro_rules! handles {
    ($metric:ty, $handle:ty, $register:ident) => {
        impl $metric {
            /// The handle of a metric without a label.
            pub fn handle(&self) -> $handle {
                self.of(&[])
            }

            /// The handle of the time series with this value of the one label.
            pub fn with(&self, value: &'static str) -> $handle {
                self.of(&[value])
            }

            /// The handle of the time series with these values, in the order of the labels.
            pub fn of(&self, values: &[&'static str]) -> $handle {
                metrics::$register!(self.name, recorded(self.name, self.labels, values))
            }
        }
    };
}

handles!(Counter, metrics::Counter, counter);
handles!(Gauge, metrics::Gauge, gauge);
handles!(Histogram, metrics::Histogram, histogram);
