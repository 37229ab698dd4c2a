//! Describing and registering everything in the catalogue.

use metrics::{describe_counter, describe_gauge, describe_histogram};

use crate::catalogue;
use crate::kinds::Metric;
use crate::labels::{Service, series};

/// Describes every metric of the service to the installed recorder and makes each time series exist,
/// counters and gauges at zero. Call once, after the recorder is installed. What the recorder does not
/// take ([`Metric::Durations`], [`Metric::Seconds`]) is left to whoever writes beside it.
pub fn describe_all(service: Service) {
    for metric in catalogue::of(service) {
        describe(metric);
        for values in series(metric.labels(), service) {
            register(metric, &values);
        }
    }
}

/// The buckets of each histogram of the recorder, for its builder: `(metric name, upper bounds)`.
pub fn buckets() -> impl Iterator<Item = (&'static str, &'static [f64])> {
    catalogue::all().filter_map(|metric| match metric {
        Metric::Histogram(histogram) => Some((histogram.name, histogram.buckets)),
        _ => None,
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
        Metric::Durations(_) | Metric::Seconds(_) => {}
    }
}

fn register(metric: &Metric, values: &[&'static str]) {
    match metric {
        Metric::Counter(counter) => counter.of(values).increment(0),
        Metric::Gauge(gauge) => gauge.of(values).set(0.0),
        Metric::Histogram(histogram) => drop(histogram.of(values)),
        Metric::Durations(_) | Metric::Seconds(_) => {}
    }
}
