//! The metrics of the event log and of its way to the broker.

use metrics::Unit;

use crate::kinds::{Counter, Gauge};
use crate::labels::Label;

/// Events of this process, by type.
pub const APPENDED: Counter = Counter {
    name: "tollkeeper_events_appended_total",
    unit: Unit::Count,
    description: "Events that this process has committed to the log",
    labels: &[Label::one(
        "type",
        &[
            "TokenIssued",
            "TokenImported",
            "TokenRenamed",
            "TokenScopesChanged",
            "TokenExpiryChanged",
            "TokenRestrictionsChanged",
            "TokenQuotaRefilled",
            "TokenMetadataChanged",
            "TokenRotated",
            "TokenSuspended",
            "TokenResumed",
            "TokenRevoked",
            "TokenExpiring",
            "AccountRegistered",
            "AccountChanged",
            "AccountQuotaRefilled",
            "AccountSuspended",
            "AccountResumed",
            "AccountDeleted",
        ],
    )],
};

/// Appends that came too late.
pub const CONFLICTS: Counter = Counter {
    name: "tollkeeper_event_conflicts_total",
    unit: Unit::Count,
    description: "Appends refused because the stream had moved on; they are decided again",
    labels: &[],
};

/// How many events wait for the relay.
pub const RELAY_LAG_EVENTS: Gauge = Gauge {
    name: "tollkeeper_relay_lag_events",
    unit: Unit::Count,
    description: "Events that were not relayed to the broker yet when the log was last looked at; 0 \
                  at a process that does not hold the relay's lease",
    labels: &[],
};

/// How long they have waited.
pub const RELAY_LAG: Gauge = Gauge {
    name: "tollkeeper_relay_lag_seconds",
    unit: Unit::Seconds,
    description: "Age of the oldest event that was not relayed to the broker yet; 0 if there is none, \
                  and at a process that does not hold the relay's lease",
    labels: &[],
};

/// Events that the broker has.
pub const RELAYED: Counter = Counter {
    name: "tollkeeper_relay_published_total",
    unit: Unit::Count,
    description: "Events that this process relayed and the broker acknowledged",
    labels: &[],
};
