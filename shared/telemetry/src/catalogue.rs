//! Every metric there is. To add one, write its constant beside its kin and name it in [`GROUPS`].

use crate::kinds::Metric::{self, Counter, Durations, Gauge, Histogram, Seconds};
use crate::labels::Service;
use crate::{audit, events, http, process, trace, usage, verification, webhooks};

/// Metrics that belong together.
#[derive(Debug)]
pub struct Group {
    /// What they are about.
    pub title: &'static str,
    /// Who exports them.
    pub services: &'static [Service],
    /// The metrics.
    pub metrics: &'static [Metric],
}

/// All metrics, in the order of the documentation.
pub const GROUPS: &[Group] = &[
    Group {
        title: "Process",
        services: &Service::ALL,
        metrics: &[
            Gauge(&process::BUILD_INFO),
            Gauge(&process::COMPONENT_READY),
            Seconds(&process::CPU),
            Gauge(&process::RESIDENT_MEMORY),
            Gauge(&process::VIRTUAL_MEMORY),
            Gauge(&process::OPEN_FILES),
            Gauge(&process::MOST_OPEN_FILES),
            Gauge(&process::STARTED_AT),
            Gauge(&process::THREADS),
            Gauge(&process::DATABASE_CONNECTIONS),
            Gauge(&process::MOST_DATABASE_CONNECTIONS),
            Gauge(&process::NATS_CONNECTED),
            Counter(&process::NATS_RECONNECTS),
            Gauge(&process::NATS_CREDENTIALS_EXPIRY),
        ],
    },
    Group {
        title: "Traces",
        services: &Service::ALL,
        metrics: &[
            Counter(&trace::SPANS_EXPORTED),
            Counter(&trace::SPANS_DROPPED),
        ],
    },
    Group {
        title: "Public listener",
        services: &[Service::Api],
        metrics: &[
            Counter(&http::REQUESTS),
            Durations(&http::REQUEST_SECONDS),
            Gauge(&http::CONNECTIONS),
            Gauge(&http::MOST_CONNECTIONS),
            Gauge(&http::CERTIFICATE_EXPIRY),
        ],
    },
    Group {
        title: "Verification",
        services: &[Service::Api],
        metrics: &[
            Counter(&verification::VERIFICATIONS),
            Durations(&verification::VERIFICATION_SECONDS),
            Counter(&verification::CHECKS),
            Counter(&verification::UNAVAILABLE),
            Counter(&verification::LOOKUPS),
            Gauge(&verification::STATE),
            Gauge(&verification::PROOF_AGE),
            Counter(&verification::HEAD_READS),
            Gauge(&verification::APPLIED_POSITION),
            Histogram(&verification::REVOCATION_APPLIED),
            Gauge(&verification::CACHE_BYTES),
            Gauge(&verification::CACHE_MAX_BYTES),
            Gauge(&verification::CACHE_ENTRIES),
            Counter(&verification::CACHE_EVICTIONS),
        ],
    },
    Group {
        title: "Rate limits and quotas",
        services: &[Service::Api],
        metrics: &[
            Counter(&verification::RATE_LIMITED),
            Gauge(&verification::RATE_LIMIT_BUCKETS),
            Counter(&verification::RATE_LIMITS_FORGOTTEN),
            Counter(&verification::RATE_LIMIT_MESSAGES),
            Gauge(&verification::RATE_LIMIT_SHARE),
            Counter(&verification::QUOTA_EXCEEDED),
            Gauge(&verification::QUOTA_BALANCES),
            Counter(&verification::QUOTA_BALANCES_FORGOTTEN),
        ],
    },
    Group {
        title: "Usage, from the request to the broker",
        services: &[Service::Api],
        metrics: &[
            Gauge(&usage::SPOOL_BYTES),
            Gauge(&usage::SPOOL_MAX_BYTES),
            Gauge(&usage::SPOOL_OLDEST),
            Gauge(&usage::SPOOL_SOURCES),
            Counter(&usage::SPOOL_APPENDED),
            Counter(&usage::SPOOL_DROPPED),
            Counter(&usage::SPOOL_REFUSED),
            Counter(&usage::PUBLISHED_EVENTS),
            Counter(&usage::PUBLISHED_BATCHES),
            Counter(&usage::PUBLISH_RETRIES),
            Counter(&usage::RESENT_BATCHES),
            Counter(&usage::RELEASED_SEGMENTS),
            Counter(&usage::LEDGER_READ_FAILURES),
            Counter(&usage::MARK_FAILURES),
        ],
    },
    Group {
        title: "Usage, reported and asked about",
        services: &[Service::Api],
        metrics: &[
            Counter(&usage::REPORTED_EVENTS),
            Counter(&usage::QUESTIONS),
            Gauge(&usage::REPLICA_LAG),
        ],
    },
    Group {
        title: "Usage, from the broker to the row",
        services: &[Service::Ingestor],
        metrics: &[
            Gauge(&usage::CONSUMER_PENDING),
            Gauge(&usage::CONSUMER_ACK_PENDING),
            Gauge(&usage::CONSUMER_REDELIVERED),
            Gauge(&usage::STREAM_BYTES),
            Gauge(&usage::STREAM_MAX_BYTES),
            Counter(&usage::INGESTED_BATCHES),
            Counter(&usage::INGESTED_EVENTS),
            Counter(&usage::DROPPED_EVENTS),
            Counter(&usage::DEAD_LETTERS),
            Counter(&usage::DEAD_LETTERS_REPLAYED),
            Gauge(&usage::DEAD_LETTERS_WAITING),
            Counter(&usage::TIMESTAMPS_REPLACED),
            Counter(&usage::INGEST_RETRIES),
            Histogram(&usage::INGEST_SECONDS),
            Histogram(&usage::INGEST_LAG),
            Gauge(&usage::REPORTS_OLDEST),
        ],
    },
    Group {
        title: "Usage, whether all of it is there",
        services: &[Service::Ingestor],
        metrics: &[
            Gauge(&usage::LEDGER_MISSING),
            Gauge(&usage::VANISHED_SOURCES),
            Gauge(&usage::COMPLETENESS_LAG),
            Gauge(&usage::PARTITIONS_AHEAD),
            Gauge(&usage::AUDIT_DIFFERING),
            Gauge(&usage::AUDIT_REQUESTS),
            Gauge(&usage::AUDITED_AT),
            Counter(&usage::WATCH_FAILURES),
        ],
    },
    Group {
        title: "Events and their relay",
        services: &[Service::Api],
        metrics: &[
            Counter(&events::APPENDED),
            Counter(&events::CONFLICTS),
            Gauge(&events::RELAY_LAG_EVENTS),
            Gauge(&events::RELAY_LAG),
            Counter(&events::RELAYED),
        ],
    },
    Group {
        title: "Webhooks",
        services: &[Service::Api],
        metrics: &[
            Counter(&webhooks::ATTEMPTS),
            Histogram(&webhooks::ATTEMPT_SECONDS),
            Counter(&webhooks::DISABLED),
        ],
    },
    Group {
        title: "Audit log",
        services: &[Service::Api],
        metrics: &[
            Counter(&audit::REFUSALS),
            Gauge(&audit::WAITING),
            Counter(&audit::WRITE_FAILURES),
        ],
    },
];

/// All metrics.
pub fn all() -> impl Iterator<Item = &'static Metric> {
    GROUPS.iter().flat_map(|group| group.metrics)
}

/// The metrics that a service exports.
pub fn of(service: Service) -> impl Iterator<Item = &'static Metric> {
    let groups = GROUPS.iter();
    groups
        .filter(move |group| group.services.contains(&service))
        .flat_map(|group| group.metrics)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::labels::{names, series};

    #[test]
    fn names_are_unique_and_in_the_house_form() {
        let mut seen = HashSet::new();
        for metric in all() {
            let name = metric.name();
            assert!(seen.insert(name), "{name} is listed twice");
            // The names of the process are the same everywhere.
            let ours = name.starts_with("tollkeeper_") || name.starts_with("process_");
            assert!(ours, "{name}");
            assert_eq!(
                name.ends_with("_total"),
                metric.kind() == "counter",
                "{name}"
            );
        }
    }

    #[test]
    fn what_is_measured_is_in_base_units_that_the_name_tells() {
        for metric in all() {
            let name = metric.name();
            let of_time = name.ends_with("_seconds") || name.ends_with("_seconds_total");
            let (unit, has_unit) = match metric {
                Gauge(metric) => (metric.unit, of_time),
                Histogram(metric) => (metric.unit, of_time),
                Counter(metric) => (metric.unit, of_time),
                Durations(_) | Seconds(_) => (metrics::Unit::Seconds, of_time),
            };
            assert_eq!(unit == metrics::Unit::Seconds, has_unit, "{name}");
            assert_eq!(
                unit == metrics::Unit::Bytes,
                name.ends_with("_bytes"),
                "{name}"
            );
            assert_eq!(metric.kind() == "histogram", !metric.buckets().is_empty());
        }
    }

    #[test]
    fn texts_need_no_quoting() {
        let plain = |text: &str| !text.is_empty() && !text.contains(['"', '\\', '\n', '|']);
        for metric in all() {
            assert!(plain(metric.description()), "{}", metric.name());
            for service in Service::ALL {
                for values in series(metric.labels(), service) {
                    assert!(values.iter().all(|value| plain(value)), "{}", metric.name());
                }
            }
        }
    }

    #[test]
    fn a_label_has_a_name_of_its_own_and_each_value_once() {
        for metric in all() {
            let named: Vec<_> = names(metric.labels()).collect();
            let unique: HashSet<_> = named.iter().collect();
            assert_eq!(unique.len(), named.len(), "{}", metric.name());
            for service in Service::ALL {
                let all = series(metric.labels(), service);
                let unique: HashSet<_> = all.iter().collect();
                assert_eq!(unique.len(), all.len(), "{}", metric.name());
            }
        }
    }

    #[test]
    fn every_metric_has_a_time_series_in_each_service_that_exports_it() {
        for service in Service::ALL {
            for metric in of(service) {
                assert!(
                    !series(metric.labels(), service).is_empty(),
                    "{}",
                    metric.name()
                );
            }
        }
    }

    #[test]
    fn buckets_ascend() {
        for metric in all() {
            assert!(metric.buckets().is_sorted(), "{}", metric.name());
        }
    }
}
