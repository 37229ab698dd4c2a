//! The typed shape of a metric: a constant knows its kind, so a gauge cannot be counted up by
//! mistake, and the name is written once.

use metrics::Unit;

/// The one label of a metric and every value it can take.
#[derive(Debug, Clone, Copy)]
pub struct Label {
    /// The label's name; empty for a metric without one.
    pub name: &'static str,
    /// All values, each registered at start.
    pub values: &'static [&'static str],
}

/// A metric that is one single time series.
pub const NO_LABEL: Label = Label {
    name: "",
    values: &[],
};

/// A number that only grows. Its name ends in `_total`.
#[derive(Debug)]
pub struct Counter {
    pub name: &'static str,
    pub unit: Unit,
    pub description: &'static str,
    pub label: Label,
}

/// A number that goes up and down.
#[derive(Debug)]
pub struct Gauge {
    pub name: &'static str,
    pub unit: Unit,
    pub description: &'static str,
    pub label: Label,
}

/// A distribution over fixed buckets, so that the distributions of several processes can be added.
#[derive(Debug)]
pub struct Histogram {
    pub name: &'static str,
    pub unit: Unit,
    pub description: &'static str,
    pub label: Label,
    /// Upper bounds in `unit`, ascending; the unbounded last bucket is implied.
    pub buckets: &'static [f64],
}

/// An entry of the catalogue.
#[derive(Debug, Clone, Copy)]
pub enum Metric {
    Counter(&'static Counter),
    Gauge(&'static Gauge),
    Histogram(&'static Histogram),
}

impl Metric {
    /// The name it is exported under.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Counter(metric) => metric.name,
            Self::Gauge(metric) => metric.name,
            Self::Histogram(metric) => metric.name,
        }
    }

    /// Its label, [`NO_LABEL`] where it has none.
    #[must_use]
    pub fn label(&self) -> Label {
        match self {
            Self::Counter(metric) => metric.label,
            Self::Gauge(metric) => metric.label,
            Self::Histogram(metric) => metric.label,
        }
    }
}

/// The handles look the metric up in the recorder: keep the handle where a request passes by.
macro_rules! handles {
    ($metric:ty, $handle:ty, $register:ident) => {
        impl $metric {
            /// The handle of a metric without a label.
            pub fn handle(&self) -> $handle {
                debug_assert!(self.label.name.is_empty(), "{} has a label", self.name);
                metrics::$register!(self.name)
            }

            /// The handle of the time series with this value of the label.
            pub fn with(&self, value: &'static str) -> $handle {
                debug_assert!(
                    self.label.values.contains(&value),
                    "{} does not list {value:?}",
                    self.name
                );
                metrics::$register!(self.name, self.label.name => value)
            }
        }
    };
}

handles!(Counter, metrics::Counter, counter);
handles!(Gauge, metrics::Gauge, gauge);
handles!(Histogram, metrics::Histogram, histogram);
