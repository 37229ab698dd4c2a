//! What is counted on the way of each request: in place, by index, without a look-up.

use std::time::Duration;

use crate::kinds::{Counter, DurationHistogram};
use crate::labels::{Service, series};
use crate::striped::Striped;

/// The time series of a counter, for where a request passes by. The recorder is told now and then.
#[derive(Debug)]
pub struct Counts {
    counts: Striped,
    told: Vec<metrics::Counter>,
}

impl Counts {
    /// Those that `service` has of `metric`, at zero. Their indexes are those of [`series`].
    #[must_use]
    pub fn of(metric: &'static Counter, service: Service) -> Self {
        let told: Vec<_> = series(metric.labels, service)
            .iter()
            .map(|values| metric.of(values))
            .collect();
        Self {
            counts: Striped::new(told.len()),
            told,
        }
    }

    /// Counts one more of the time series with this index.
    ///
    /// # Panics
    /// If there is none.
    pub fn count(&self, index: usize) {
        self.counts.add(index, 1);
    }

    /// Tells the recorder.
    pub fn tell(&self) {
        for (index, told) in self.told.iter().enumerate() {
            told.absolute(self.counts.get(index));
        }
    }
}

/// The time series of a histogram of durations, for where a request passes by: each is counted into
/// its bucket at once, so that nothing is kept of it.
#[derive(Debug)]
pub struct Durations {
    metric: &'static DurationHistogram,
    series: Vec<Vec<&'static str>>,
    /// The upper bounds in nanoseconds.
    bounds: Box<[u64]>,
    /// Of each series the buckets, the unbounded one, and the sum in nanoseconds.
    counts: Striped,
}

/// One time series at one moment.
#[derive(Debug, Clone, PartialEq)]
pub struct Distribution {
    /// The values of its labels.
    pub values: Vec<&'static str>,
    /// How many durations are in each bucket alone, the unbounded one last.
    pub buckets: Vec<u64>,
    /// Their sum, in seconds.
    pub sum: f64,
}

impl Durations {
    /// Those that `service` has of `metric`, empty. Their indexes are those of [`series`].
    #[must_use]
    pub fn of(metric: &'static DurationHistogram, service: Service) -> Self {
        let bounds: Box<[u64]> = metric
            .buckets
            .iter()
            .map(|seconds| (seconds * 1e9).round() as u64)
            .collect();
        let series = series(metric.labels, service);
        Self {
            metric,
            counts: Striped::new(series.len() * (bounds.len() + 2)),
            series,
            bounds,
        }
    }

    /// What it is a histogram of.
    #[must_use]
    pub fn metric(&self) -> &'static DurationHistogram {
        self.metric
    }

    /// Counts a duration in the time series with this index.
    ///
    /// # Panics
    /// If there is none.
    pub fn record(&self, index: usize, took: Duration) {
        let nanos = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
        // A bound is in its bucket.
        let bucket = self.bounds.partition_point(|bound| *bound < nanos);
        let first = self.first(index);
        self.counts.add(first + bucket, 1);
        self.counts.add(first + self.bounds.len() + 1, nanos);
    }

    /// All time series now.
    pub fn distributions(&self) -> impl Iterator<Item = Distribution> {
        self.series.iter().enumerate().map(|(index, values)| {
            let first = self.first(index);
            let last = first + self.bounds.len();
            Distribution {
                values: values.clone(),
                buckets: (first..=last).map(|count| self.counts.get(count)).collect(),
                sum: self.counts.get(last + 1) as f64 / 1e9,
            }
        })
    }

    fn first(&self, index: usize) -> usize {
        index * (self.bounds.len() + 2)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::labels::Label;

    static TOOK: DurationHistogram = DurationHistogram {
        name: "tollkeeper_test_seconds",
        description: "How long tests take",
        labels: &[Label::one("way", &["short", "long"])],
        buckets: &[0.000_001, 0.01, 1.0],
    };

    #[test]
    fn each_duration_is_in_the_first_bucket_that_takes_it() {
        let durations = Durations::of(&TOOK, Service::Api);
        for nanos in [0, 1_000, 1_001, 10_000_000, 2_000_000_000] {
            durations.record(1, Duration::from_nanos(nanos));
        }
        let [short, long] = &durations.distributions().collect::<Vec<_>>()[..] else {
            panic!("two series");
        };
        assert_eq!((short.values.as_slice(), short.sum), (&["short"][..], 0.0));
        assert_eq!(short.buckets, [0, 0, 0, 0]);
        assert_eq!(long.values, ["long"]);
        assert_eq!(long.buckets, [2, 2, 0, 1]);
        assert!((long.sum - 2.010_002_001).abs() < 1e-9, "{}", long.sum);
    }
}
