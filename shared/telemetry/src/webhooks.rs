//! The metrics of webhooks.

use metrics::Unit;

use crate::kinds::{Counter, Histogram};
use crate::labels::Label;

/// Attempts to deliver an event, by how they ended.
pub const ATTEMPTS: Counter = Counter {
    name: "tollkeeper_webhook_attempts_total",
    unit: Unit::Count,
    description: "Attempts to deliver an event to a webhook: taken (delivered), answered with \
                  something else than 2xx (refused), not answered in time (timed_out), not \
                  reached (unreachable), or not to be reached (address_not_allowed)",
    labels: &[Label::one(
        "outcome",
        &[
            "delivered",
            "refused",
            "timed_out",
            "unreachable",
            "address_not_allowed",
        ],
    )],
};

/// How long attempts took.
pub const ATTEMPT_SECONDS: Histogram = Histogram {
    name: "tollkeeper_webhook_attempt_seconds",
    unit: Unit::Seconds,
    description: "Time that an attempt to deliver an event to a webhook took",
    labels: &[],
    buckets: &[0.005, 0.025, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0],
};

/// Webhooks that were given up.
pub const DISABLED: Counter = Counter {
    name: "tollkeeper_webhooks_disabled_total",
    unit: Unit::Count,
    description: "Webhooks that were disabled because they answered 410 (gone) or took nothing \
                  for days (failing)",
    labels: &[Label::one("reason", &["gone", "failing"])],
};
