//! Describing and registering everything in the catalogue.

use metrics::{describe_counter, describe_gauge, describe_histogram};

use crate::catalogue::ALL;
use crate::kinds::{Label, Metric};

/// Describes every metric to the installed recorder and makes each time series exist, counters and
/// gauges at zero. Call once, after the recorder is installed.
pub fn describe_all() {
    for metric in ALL {
        describe(metric);
        each_series(metric.label(), |value| register(metric, value));
    }
}

/// The buckets of each histogram, for the recorder's builder: `(metric name, upper bounds)`.
pub fn buckets() -> impl Iterator<Item = (&'static str, &'static [f64])> {
    ALL.iter().filter_map(|metric| match metric {
        Metric::Histogram(histogram) => Some((histogram.name, histogram.buckets)),
        Metric::Counter(_) | Metric::Gauge(_) => None,
    })
}

fn describe(metric: &Metric) {
    match metric {
        Metric::Counter(metric) => {
            describe_counter!(metric.name, metric.unit, metric.description);
        }
        Metric::Gauge(metric) => describe_gauge!(metric.name, metric.unit, metric.description),
        Metric::Histogram(metric) => {
            describe_histogram!(metric.name, metric.unit, metric.description);
        }
    }
}

fn each_series(label: Label, mut register: impl FnMut(Option<&'static str>)) {
    if label.name.is_empty() {
        register(None);
    } else {
        label.values.iter().for_each(|value| register(Some(value)));
    }
}

fn register(metric: &Metric, value: Option<&'static str>) {
    match (metric, value) {
        (Metric::Counter(counter), None) => counter.handle().increment(0),
        (Metric::Counter(counter), Some(value)) => counter.with(value).increment(0),
        (Metric::Gauge(gauge), None) => gauge.handle().set(0.0),
        (Metric::Gauge(gauge), Some(value)) => gauge.with(value).set(0.0),
        (Metric::Histogram(histogram), None) => drop(histogram.handle()),
        (Metric::Histogram(histogram), Some(value)) => drop(histogram.with(value)),
    }
}
