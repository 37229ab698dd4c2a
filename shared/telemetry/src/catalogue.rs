//! Every metric there is. To add one, write its constant beside its kin and name it in [`ALL`].

use metrics::Unit;

use crate::kinds::{Gauge, Label, Metric};
use crate::{usage, verification, webhooks};

/// Whether the component named by the label is ready (1) or not (0), as `/readyz` says.
pub const COMPONENT_READY: Gauge = Gauge {
    name: "tollkeeper_component_ready",
    unit: Unit::Count,
    description: "Whether a component is ready (1) or not (0)",
    label: Label {
        name: "component",
        values: &["postgres", "nats", "proof", "spool", "warm_start"],
    },
};

/// All metrics, in the order of the documentation.
pub const ALL: &[Metric] = &[
    Metric::Gauge(&COMPONENT_READY),
    Metric::Counter(&verification::CHECKS),
    Metric::Counter(&verification::UNAVAILABLE),
    Metric::Counter(&verification::LOOKUPS),
    Metric::Gauge(&verification::STATE),
    Metric::Counter(&verification::RATE_LIMITED),
    Metric::Gauge(&verification::RATE_LIMIT_BUCKETS),
    Metric::Counter(&verification::RATE_LIMITS_FORGOTTEN),
    Metric::Counter(&verification::RATE_LIMIT_MESSAGES),
    Metric::Gauge(&verification::RATE_LIMIT_SHARE),
    Metric::Counter(&verification::QUOTA_EXCEEDED),
    Metric::Gauge(&verification::QUOTA_BALANCES),
    Metric::Counter(&verification::QUOTA_BALANCES_FORGOTTEN),
    Metric::Gauge(&verification::PROOF_AGE),
    Metric::Gauge(&verification::APPLIED_POSITION),
    Metric::Gauge(&verification::CACHE_BYTES),
    Metric::Gauge(&usage::SPOOL_BYTES),
    Metric::Gauge(&usage::SPOOL_OLDEST),
    Metric::Gauge(&usage::SPOOL_SOURCES),
    Metric::Counter(&usage::SPOOL_APPENDED),
    Metric::Counter(&usage::SPOOL_DROPPED),
    Metric::Counter(&usage::SPOOL_REFUSED),
    Metric::Counter(&usage::PUBLISHED_EVENTS),
    Metric::Counter(&usage::PUBLISH_RETRIES),
    Metric::Counter(&usage::RESENT_BATCHES),
    Metric::Counter(&usage::RELEASED_SEGMENTS),
    Metric::Counter(&usage::LEDGER_READ_FAILURES),
    Metric::Counter(&usage::MARK_FAILURES),
    Metric::Counter(&usage::INGESTED_BATCHES),
    Metric::Counter(&usage::INGESTED_EVENTS),
    Metric::Counter(&usage::QUESTIONS),
    Metric::Gauge(&usage::REPLICA_LAG),
    Metric::Counter(&usage::REPORTED_EVENTS),
    Metric::Gauge(&usage::REPORTS_OLDEST),
    Metric::Counter(&usage::DROPPED_EVENTS),
    Metric::Counter(&usage::DEAD_LETTERS),
    Metric::Counter(&usage::DEAD_LETTERS_REPLAYED),
    Metric::Counter(&usage::TIMESTAMPS_REPLACED),
    Metric::Counter(&usage::INGEST_RETRIES),
    Metric::Gauge(&usage::AUDIT_DIFFERING),
    Metric::Gauge(&usage::AUDIT_REQUESTS),
    Metric::Gauge(&usage::AUDITED_AT),
    Metric::Histogram(&usage::INGEST_SECONDS),
    Metric::Histogram(&usage::INGEST_LAG),
    Metric::Counter(&webhooks::ATTEMPTS),
    Metric::Histogram(&webhooks::ATTEMPT_SECONDS),
    Metric::Counter(&webhooks::DISABLED),
];

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn names_are_unique_and_in_the_house_form() {
        let mut seen = HashSet::new();
        for metric in ALL {
            let name = metric.name();
            assert!(seen.insert(name), "{name} is listed twice");
            assert!(name.starts_with("tollkeeper_"), "{name}");
            let counts = matches!(metric, Metric::Counter(_));
            assert_eq!(name.ends_with("_total"), counts, "{name}");
        }
    }

    #[test]
    fn a_label_lists_its_values() {
        for metric in ALL {
            let label = metric.label();
            assert_eq!(
                label.name.is_empty(),
                label.values.is_empty(),
                "{}",
                metric.name()
            );
        }
    }

    #[test]
    fn buckets_ascend() {
        for (name, bounds) in crate::buckets() {
            assert!(bounds.is_sorted(), "{name}");
        }
    }
}
