//! The metrics of the verification engine.

use metrics::Unit;

use crate::kinds::{Counter, DurationHistogram, Gauge, Histogram};
use crate::labels::Label;

/// Verdicts that were given, by code.
pub const VERIFICATIONS: Counter = Counter {
    name: "tollkeeper_verifications_total",
    unit: Unit::Count,
    description: "Verdicts given to proxies and to programs that ask about tokens, by code; \
                  UNAVAILABLE also where a full spool let nothing be counted",
    labels: &[Label::one(
        "code",
        &[
            "VALID",
            "MALFORMED",
            "NOT_FOUND",
            "REVOKED",
            "ACCOUNT_SUSPENDED",
            "SUSPENDED",
            "NOT_YET_VALID",
            "EXPIRED",
            "WRONG_ENVIRONMENT",
            "IP_NOT_ALLOWED",
            "INSUFFICIENT_SCOPE",
            "RATE_LIMITED",
            "QUOTA_EXCEEDED",
            "UNAVAILABLE",
        ],
    )],
};

/// How long verdicts took.
pub const VERIFICATION_SECONDS: DurationHistogram = DurationHistogram {
    name: "tollkeeper_verification_seconds",
    description: "Time that the verdicts given to proxies and programs took, from reading the \
                  credential to the verdict",
    labels: &[],
    buckets: &[
        0.000_001,
        0.000_002_5,
        0.000_005,
        0.000_01,
        0.000_025,
        0.000_05,
        0.000_1,
        0.000_25,
        0.000_5,
        0.001,
        0.002_5,
        0.005,
        0.01,
        0.025,
        0.1,
        0.25,
        1.0,
    ],
};

/// Checks by where their answer came from.
pub const CHECKS: Counter = Counter {
    name: "tollkeeper_verification_checks_total",
    unit: Unit::Count,
    description: "Checks of tokens: from memory (hit), known to be unknown (negative_hit), read \
                  from the primary (miss), or refused by their shape (malformed)",
    labels: &[Label::one(
        "source",
        &["hit", "negative_hit", "miss", "malformed"],
    )],
};

/// Checks that came to no answer.
pub const UNAVAILABLE: Counter = Counter {
    name: "tollkeeper_verification_unavailable_total",
    unit: Unit::Count,
    description: "Checks answered UNAVAILABLE, because the node could not know",
    labels: &[],
};

/// Reads of the primary for tokens that are not in memory.
pub const LOOKUPS: Counter = Counter {
    name: "tollkeeper_verification_lookups_total",
    unit: Unit::Count,
    description: "Look-ups sent to the primary, each for up to 128 tokens at once",
    labels: &[],
};

/// How far the node's knowledge can be trusted.
pub const STATE: Gauge = Gauge {
    name: "tollkeeper_verification_state",
    unit: Unit::Count,
    description: "1 for the state that verification is in and 0 for the others",
    labels: &[Label::one("state", &["live", "stale", "unavailable"])],
};

/// Checks that a rate limit refused.
pub const RATE_LIMITED: Counter = Counter {
    name: "tollkeeper_verification_rate_limited_total",
    unit: Unit::Count,
    description: "Checks answered RATE_LIMITED",
    labels: &[],
};

/// Rate limits whose consumption is known.
pub const RATE_LIMIT_BUCKETS: Gauge = Gauge {
    name: "tollkeeper_rate_limit_buckets",
    unit: Unit::Count,
    description: "Rate limits of tokens and accounts whose consumption this node knows",
    labels: &[],
};

/// Rate limits forgotten while they still had something to say.
pub const RATE_LIMITS_FORGOTTEN: Counter = Counter {
    name: "tollkeeper_rate_limits_forgotten_total",
    unit: Unit::Count,
    description: "Rate limits forgotten, because there were too many, before what was consumed of \
                  them had come back",
    labels: &[],
};

/// Messages between nodes about rate limits.
pub const RATE_LIMIT_MESSAGES: Counter = Counter {
    name: "tollkeeper_rate_limit_messages_total",
    unit: Unit::Count,
    description: "Messages between nodes about rate limits: sent (told), taken in (heard), or not of \
                  any form that they may have (not_heeded)",
    labels: &[Label::one("what", &["told", "heard", "not_heeded"])],
};

/// The part of every rate limit that the node may let through.
pub const RATE_LIMIT_SHARE: Gauge = Gauge {
    name: "tollkeeper_rate_limit_share",
    unit: Unit::Count,
    description: "The part of every rate limit that this node and those it hears may let through: 1, \
                  or less where it does not hear all",
    labels: &[],
};

/// Checks that a quota refused.
pub const QUOTA_EXCEEDED: Counter = Counter {
    name: "tollkeeper_verification_quota_exceeded_total",
    unit: Unit::Count,
    description: "Checks answered QUOTA_EXCEEDED",
    labels: &[],
};

/// Balances of quotas that are known.
pub const QUOTA_BALANCES: Gauge = Gauge {
    name: "tollkeeper_quota_balances",
    unit: Unit::Count,
    description: "Quotas of tokens and accounts of which this node knows what was used",
    labels: &[],
};

/// Balances forgotten before all was counted.
pub const QUOTA_BALANCES_FORGOTTEN: Counter = Counter {
    name: "tollkeeper_quota_balances_forgotten_total",
    unit: Unit::Count,
    description: "Balances of quotas forgotten, because there were too many, before what this node let \
                  through was counted",
    labels: &[],
};

/// How long ago everything in memory was last proven.
pub const PROOF_AGE: Gauge = Gauge {
    name: "tollkeeper_verification_proof_age_seconds",
    unit: Unit::Seconds,
    description: "Time since what is in memory was last proven, 0 before the first proof",
    labels: &[],
};

/// Readings of the log's head.
pub const HEAD_READS: Counter = Counter {
    name: "tollkeeper_verification_head_reads_total",
    unit: Unit::Count,
    description: "Readings of the log up to its head that moved the proof (ok) or did not (failed)",
    labels: &[Label::one("outcome", &["ok", "failed"])],
};

/// How long it takes until a token that has ended is denied.
pub const REVOCATION_APPLIED: Histogram = Histogram {
    name: "tollkeeper_verification_revocation_applied_seconds",
    unit: Unit::Seconds,
    description: "Time from when an event that ends or suspends a token or an account was recorded \
                  until this node heeded it, by how it first heard of it: by committing it, by a \
                  message, or by reading the log",
    labels: &[Label::one("way", &["commit", "message", "log"])],
    buckets: &[
        0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 5.0, 10.0, 60.0,
    ],
};

/// How far the log has been applied.
pub const APPLIED_POSITION: Gauge = Gauge {
    name: "tollkeeper_verification_applied_position",
    unit: Unit::Count,
    description: "Position up to which the event log has been applied",
    labels: &[],
};

/// Memory that known tokens take.
pub const CACHE_BYTES: Gauge = Gauge {
    name: "tollkeeper_verification_cache_bytes",
    unit: Unit::Bytes,
    description: "Memory that known tokens take",
    labels: &[],
};

/// The most memory that known tokens may take.
pub const CACHE_MAX_BYTES: Gauge = Gauge {
    name: "tollkeeper_verification_cache_max_bytes",
    unit: Unit::Bytes,
    description: "Memory that known tokens may take",
    labels: &[],
};

/// How many tokens are known.
pub const CACHE_ENTRIES: Gauge = Gauge {
    name: "tollkeeper_verification_cache_entries",
    unit: Unit::Count,
    description: "Secrets of known tokens in memory",
    labels: &[],
};

/// Known tokens that had to make room.
pub const CACHE_EVICTIONS: Counter = Counter {
    name: "tollkeeper_verification_cache_evictions_total",
    unit: Unit::Count,
    description: "Secrets of known tokens that were forgotten to make room for others",
    labels: &[],
};
