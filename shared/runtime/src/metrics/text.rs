//! The text format of Prometheus, for what the recorder does not take. Names, descriptions and values
//! of labels are those of the catalogue, where a test sees to it that they need no quoting.

use std::fmt::Write;

use tollkeeper_telemetry::{Distribution, Durations, SecondsCounter, names};

/// Writes a counter of seconds.
pub(super) fn seconds(text: &mut String, metric: &SecondsCounter, value: f64) {
    head(text, metric.name, metric.description, "counter");
    line(text, metric.name, "", value);
}

/// Writes all time series of a histogram.
pub(super) fn durations(text: &mut String, durations: &Durations) {
    let metric = durations.metric();
    head(text, metric.name, metric.description, "histogram");
    let labels: Vec<_> = names(metric.labels).collect();
    for distribution in durations.distributions() {
        distribution_lines(text, metric.name, &labels, metric.buckets, &distribution);
    }
}

fn distribution_lines(
    text: &mut String,
    name: &str,
    labels: &[&str],
    bounds: &[f64],
    distribution: &Distribution,
) {
    let pairs = labels.iter().zip(&distribution.values);
    let own: Vec<_> = pairs
        .map(|(name, value)| format!("{name}=\"{value}\""))
        .collect();
    let with = |more: Option<String>| {
        let all: Vec<_> = own.iter().cloned().chain(more).collect();
        if all.is_empty() {
            String::new()
        } else {
            format!("{{{}}}", all.join(","))
        }
    };
    let bounds = bounds.iter().map(f64::to_string);
    let bounds = bounds.chain(["+Inf".to_owned()]);
    let mut count = 0;
    for (bound, alone) in bounds.zip(&distribution.buckets) {
        // A bucket holds all that the ones before it hold.
        count += alone;
        let labels = with(Some(format!("le=\"{bound}\"")));
        line(text, &format!("{name}_bucket"), &labels, count);
    }
    line(text, &format!("{name}_sum"), &with(None), distribution.sum);
    line(text, &format!("{name}_count"), &with(None), count);
}

// Writing to a String cannot fail.
fn head(text: &mut String, name: &str, description: &str, kind: &str) {
    let _ = write!(text, "# HELP {name} {description}\n# TYPE {name} {kind}\n");
}

fn line(text: &mut String, name: &str, labels: &str, value: impl std::fmt::Display) {
    let _ = writeln!(text, "{name}{labels} {value}");
}

#[cfg(test)]
mod tests {
    use tollkeeper_telemetry::{DurationHistogram, Label, Service};

    use super::*;

    static TOOK: DurationHistogram = DurationHistogram {
        name: "tollkeeper_test_seconds",
        description: "How long tests take",
        labels: &[Label::one("way", &["short", "long"])],
        buckets: &[0.000_002_5, 0.5, 1.0],
    };

    #[test]
    fn a_histogram_has_buckets_that_hold_those_before_them() {
        let took = Durations::of(&TOOK, Service::Api);
        for millis in [400, 500, 600, 1500] {
            took.record(0, std::time::Duration::from_millis(millis));
        }
        let mut text = String::new();
        durations(&mut text, &took);
        let expected = "\
            # HELP tollkeeper_test_seconds How long tests take\n\
            # TYPE tollkeeper_test_seconds histogram\n\
            tollkeeper_test_seconds_bucket{way=\"short\",le=\"0.0000025\"} 0\n\
            tollkeeper_test_seconds_bucket{way=\"short\",le=\"0.5\"} 2\n\
            tollkeeper_test_seconds_bucket{way=\"short\",le=\"1\"} 3\n\
            tollkeeper_test_seconds_bucket{way=\"short\",le=\"+Inf\"} 4\n\
            tollkeeper_test_seconds_sum{way=\"short\"} 3\n\
            tollkeeper_test_seconds_count{way=\"short\"} 4\n\
            tollkeeper_test_seconds_bucket{way=\"long\",le=\"0.0000025\"} 0\n\
            tollkeeper_test_seconds_bucket{way=\"long\",le=\"0.5\"} 0\n\
            tollkeeper_test_seconds_bucket{way=\"long\",le=\"1\"} 0\n\
            tollkeeper_test_seconds_bucket{way=\"long\",le=\"+Inf\"} 0\n\
            tollkeeper_test_seconds_sum{way=\"long\"} 0\n\
            tollkeeper_test_seconds_count{way=\"long\"} 0\n";
        assert_eq!(text, expected);
    }

    #[test]
    fn a_histogram_without_labels_has_none_but_its_bounds() {
        static PLAIN: DurationHistogram = DurationHistogram {
            name: "tollkeeper_test_seconds",
            description: "How long tests take",
            labels: &[],
            buckets: &[1.0],
        };
        let mut text = String::new();
        durations(&mut text, &Durations::of(&PLAIN, Service::Ingestor));
        assert!(
            text.contains("tollkeeper_test_seconds_bucket{le=\"1\"} 0\n"),
            "{text}"
        );
        assert!(text.contains("tollkeeper_test_seconds_sum 0\n"), "{text}");
    }

    #[test]
    fn a_counter_of_seconds_has_fractions() {
        static CPU: SecondsCounter = SecondsCounter {
            name: "tollkeeper_test_seconds_total",
            description: "What tests take",
        };
        let mut text = String::new();
        seconds(&mut text, &CPU, 12.25);
        let expected = "\
            # HELP tollkeeper_test_seconds_total What tests take\n\
            # TYPE tollkeeper_test_seconds_total counter\n\
            tollkeeper_test_seconds_total 12.25\n";
        assert_eq!(text, expected);
    }
}
