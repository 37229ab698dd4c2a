//! The metrics of the audit log.

use metrics::Unit;

use crate::kinds::{Counter, Gauge};
use crate::labels::Label;

/// Attempts at management that were refused.
pub const REFUSALS: Counter = Counter {
    name: "tollkeeper_audit_refusals_total",
    unit: Unit::Count,
    description: "Attempts at management that were refused, by whether the audit log tells them apart \
                  (kept) or only how many they were (left_out)",
    labels: &[Label::one("outcome", &["kept", "left_out"])],
};

/// Rows that are not written yet.
pub const WAITING: Gauge = Gauge {
    name: "tollkeeper_audit_refusals_waiting",
    unit: Unit::Count,
    description: "Rows of refused attempts that wait in memory to be written",
    labels: &[],
};

/// Failures to write them.
pub const WRITE_FAILURES: Counter = Counter {
    name: "tollkeeper_audit_write_failures_total",
    unit: Unit::Count,
    description: "Batches of refused attempts that could not be written; they are tried again",
    labels: &[],
};
