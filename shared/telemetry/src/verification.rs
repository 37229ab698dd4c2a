//! The metrics of the verification engine.

use metrics::Unit;

use crate::kinds::{Counter, Gauge, Label, NO_LABEL};

/// Checks by where their answer came from.
pub const CHECKS: Counter = Counter {
    name: "tollkeeper_verification_checks_total",
    unit: Unit::Count,
    description: "Checks of tokens: from memory (hit), known to be unknown (negative_hit), read \
                  from the primary (miss), or refused by their shape (malformed)",
    label: Label {
        name: "source",
        values: &["hit", "negative_hit", "miss", "malformed"],
    },
};

/// Checks that came to no answer.
pub const UNAVAILABLE: Counter = Counter {
    name: "tollkeeper_verification_unavailable_total",
    unit: Unit::Count,
    description: "Checks answered UNAVAILABLE, because the node could not know",
    label: NO_LABEL,
};

/// Reads of the primary for tokens that are not in memory.
pub const LOOKUPS: Counter = Counter {
    name: "tollkeeper_verification_lookups_total",
    unit: Unit::Count,
    description: "Look-ups sent to the primary, each for up to 128 tokens at once",
    label: NO_LABEL,
};

/// How far the node's knowledge can be trusted.
pub const STATE: Gauge = Gauge {
    name: "tollkeeper_verification_state",
    unit: Unit::Count,
    description: "1 for the state that verification is in and 0 for the others",
    label: Label {
        name: "state",
        values: &["live", "stale", "unavailable"],
    },
};

/// Checks that a rate limit refused.
pub const RATE_LIMITED: Counter = Counter {
    name: "tollkeeper_verification_rate_limited_total",
    unit: Unit::Count,
    description: "Checks answered RATE_LIMITED",
    label: NO_LABEL,
};

/// Rate limits whose consumption is known.
pub const RATE_LIMIT_BUCKETS: Gauge = Gauge {
    name: "tollkeeper_rate_limit_buckets",
    unit: Unit::Count,
    description: "Rate limits of tokens and accounts whose consumption this node knows",
    label: NO_LABEL,
};

/// Rate limits forgotten while they still had something to say.
pub const RATE_LIMITS_FORGOTTEN: Counter = Counter {
    name: "tollkeeper_rate_limits_forgotten_total",
    unit: Unit::Count,
    description: "Rate limits forgotten, because there were too many, before what was consumed of \
                  them had come back",
    label: NO_LABEL,
};

/// Messages between nodes about rate limits.
pub const RATE_LIMIT_MESSAGES: Counter = Counter {
    name: "tollkeeper_rate_limit_messages_total",
    unit: Unit::Count,
    description: "Messages between nodes about rate limits: sent (told), taken in (heard), or not of \
                  any form that they may have (not_heeded)",
    label: Label {
        name: "what",
        values: &["told", "heard", "not_heeded"],
    },
};

/// The part of every rate limit that the node may let through.
pub const RATE_LIMIT_SHARE: Gauge = Gauge {
    name: "tollkeeper_rate_limit_share",
    unit: Unit::Count,
    description: "The part of every rate limit that this node and those it hears may let through: 1, \
                  or less where it does not hear all",
    label: NO_LABEL,
};

/// Checks that a quota refused.
pub const QUOTA_EXCEEDED: Counter = Counter {
    name: "tollkeeper_verification_quota_exceeded_total",
    unit: Unit::Count,
    description: "Checks answered QUOTA_EXCEEDED",
    label: NO_LABEL,
};

/// Balances of quotas that are known.
pub const QUOTA_BALANCES: Gauge = Gauge {
    name: "tollkeeper_quota_balances",
    unit: Unit::Count,
    description: "Quotas of tokens and accounts of which this node knows what was used",
    label: NO_LABEL,
};

/// Balances forgotten before all was counted.
pub const QUOTA_BALANCES_FORGOTTEN: Counter = Counter {
    name: "tollkeeper_quota_balances_forgotten_total",
    unit: Unit::Count,
    description: "Balances of quotas forgotten, because there were too many, before what this node let \
                  through was counted",
    label: NO_LABEL,
};

/// How long ago everything in memory was last proven.
pub const PROOF_AGE: Gauge = Gauge {
    name: "tollkeeper_verification_proof_age_seconds",
    unit: Unit::Seconds,
    description: "Time since what is in memory was last proven, 0 before the first proof",
    label: NO_LABEL,
};

/// How far the log has been applied.
pub const APPLIED_POSITION: Gauge = Gauge {
    name: "tollkeeper_verification_applied_position",
    unit: Unit::Count,
    description: "Position up to which the event log has been applied",
    label: NO_LABEL,
};

/// Memory that known tokens take.
pub const CACHE_BYTES: Gauge = Gauge {
    name: "tollkeeper_verification_cache_bytes",
    unit: Unit::Bytes,
    description: "Memory that known tokens take",
    label: NO_LABEL,
};
