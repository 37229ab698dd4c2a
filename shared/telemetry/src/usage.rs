//! The metrics of usage on its way from the request to the counted row.

use metrics::Unit;

use crate::kinds::{Counter, Gauge, Histogram, Label, NO_LABEL};

/// Disk taken by the spool's segments.
pub const SPOOL_BYTES: Gauge = Gauge {
    name: "tollkeeper_usage_spool_bytes",
    unit: Unit::Bytes,
    description: "Disk taken by the usage spool, segments made ahead included",
    label: NO_LABEL,
};

/// The age of the oldest event without an acknowledgement of the broker.
pub const SPOOL_OLDEST: Gauge = Gauge {
    name: "tollkeeper_usage_spool_oldest_seconds",
    unit: Unit::Seconds,
    description: "Age of the oldest event the broker has not acknowledged, 0 if there is none",
    label: NO_LABEL,
};

/// Sources that are not settled.
pub const SPOOL_SOURCES: Gauge = Gauge {
    name: "tollkeeper_usage_spool_sources",
    unit: Unit::Count,
    description: "Lanes in the spool folder, those of earlier runs included",
    label: NO_LABEL,
};

/// Events appended to the spool.
pub const SPOOL_APPENDED: Counter = Counter {
    name: "tollkeeper_usage_spool_appended_total",
    unit: Unit::Count,
    description: "Events appended to the spool",
    label: NO_LABEL,
};

/// Events that found the spool full.
pub const SPOOL_DROPPED: Counter = Counter {
    name: "tollkeeper_spool_dropped_total",
    unit: Unit::Count,
    description: "Events dropped because the spool was full",
    label: NO_LABEL,
};

/// Requests that were refused for a full spool.
pub const SPOOL_REFUSED: Counter = Counter {
    name: "tollkeeper_spool_refused_total",
    unit: Unit::Count,
    description: "Events refused because the spool was full",
    label: NO_LABEL,
};

/// Events the broker has acknowledged.
pub const PUBLISHED_EVENTS: Counter = Counter {
    name: "tollkeeper_usage_published_events_total",
    unit: Unit::Count,
    description: "Events in batches the broker has acknowledged",
    label: NO_LABEL,
};

/// Publishing that had to be tried again.
pub const PUBLISH_RETRIES: Counter = Counter {
    name: "tollkeeper_usage_publish_retries_total",
    unit: Unit::Count,
    description: "Tries to publish a batch that failed and are repeated",
    label: NO_LABEL,
};

/// Batches that were sent again.
pub const RESENT_BATCHES: Counter = Counter {
    name: "tollkeeper_usage_resent_batches_total",
    unit: Unit::Count,
    description: "Batches sent again because the broker has lost them, by what showed that",
    label: Label {
        name: "reason",
        values: &["stream_changed", "stream_went_back", "passed_over"],
    },
};

/// Segments given up to the broker.
pub const RELEASED_SEGMENTS: Counter = Counter {
    name: "tollkeeper_usage_released_segments_total",
    unit: Unit::Count,
    description: "Segments that the broker had acknowledged and a full spool gave up unsettled",
    label: NO_LABEL,
};

/// Failed reads of the ledger.
pub const LEDGER_READ_FAILURES: Counter = Counter {
    name: "tollkeeper_usage_ledger_read_failures_total",
    unit: Unit::Count,
    description: "Reads of the usage ledger by the publisher that failed",
    label: NO_LABEL,
};

/// Marks of how far the lanes have got that were not made.
pub const MARK_FAILURES: Counter = Counter {
    name: "tollkeeper_usage_mark_failures_total",
    unit: Unit::Count,
    description: "Times that the database could not be told how far the usage spool has got",
    label: NO_LABEL,
};

/// Batches by what the ingestor made of them.
pub const INGESTED_BATCHES: Counter = Counter {
    name: "tollkeeper_usage_ingested_batches_total",
    unit: Unit::Count,
    description: "Batch messages settled by the ingestor, by outcome",
    label: Label {
        name: "outcome",
        values: &[
            "counted",
            "duplicate",
            "overlap",
            "undecodable",
            "close",
            "dropped",
            "refused",
        ],
    },
};

/// Events counted by the ingestor.
pub const INGESTED_EVENTS: Counter = Counter {
    name: "tollkeeper_usage_ingested_events_total",
    unit: Unit::Count,
    description: "Events counted into the usage tables",
    label: NO_LABEL,
};

/// Events that were reported over the API.
pub const REPORTED_EVENTS: Counter = Counter {
    name: "tollkeeper_usage_reported_events_total",
    unit: Unit::Count,
    description: "Calls reported over the API, by outcome",
    label: Label {
        name: "outcome",
        values: &["accepted", "duplicate", "rejected"],
    },
};

/// How long the oldest report has waited to be counted.
pub const REPORTS_OLDEST: Gauge = Gauge {
    name: "tollkeeper_usage_reports_oldest_seconds",
    unit: Unit::Seconds,
    description: "Age of the oldest call that was reported over the API and is not counted, 0 if there is none",
    label: NO_LABEL,
};

/// Questions about usage.
pub const QUESTIONS: Counter = Counter {
    name: "tollkeeper_usage_questions_total",
    unit: Unit::Count,
    description: "Questions about usage, by who was asked: the replica, the primary because there is no replica, or the primary instead of a replica that is away or too far behind",
    label: Label {
        name: "server",
        values: &["replica", "primary", "primary_instead"],
    },
};

/// How far the replica is behind.
pub const REPLICA_LAG: Gauge = Gauge {
    name: "tollkeeper_usage_replica_lag_seconds",
    unit: Unit::Seconds,
    description: "How far the replica for questions about usage was behind the primary when both were last seen",
    label: NO_LABEL,
};

/// Events that reporters told to be dropped.
pub const DROPPED_EVENTS: Counter = Counter {
    name: "tollkeeper_usage_dropped_events_total",
    unit: Unit::Count,
    description: "Events reported as dropped by full spools; some may be counted after all",
    label: NO_LABEL,
};

/// Dead letters that were tried again, by what came of it.
pub const DEAD_LETTERS_REPLAYED: Counter = Counter {
    name: "tollkeeper_usage_dead_letters_replayed_total",
    unit: Unit::Count,
    description: "Dead letters that were tried again, by outcome",
    label: Label {
        name: "outcome",
        values: &["counted", "failed"],
    },
};

/// Dead letters by reason.
pub const DEAD_LETTERS: Counter = Counter {
    name: "tollkeeper_usage_dead_letters_total",
    unit: Unit::Count,
    description: "Messages and records put into the dead letters, by reason",
    label: Label {
        name: "reason",
        values: &["undecodable", "refused", "overlap"],
    },
};

/// Events whose timestamp was out of bounds.
pub const TIMESTAMPS_REPLACED: Counter = Counter {
    name: "tollkeeper_usage_timestamps_replaced_total",
    unit: Unit::Count,
    description: "Events whose timestamp was out of bounds and replaced by the time of arrival",
    label: NO_LABEL,
};

/// Transactions that are repeated after a fault.
pub const INGEST_RETRIES: Counter = Counter {
    name: "tollkeeper_usage_ingest_retries_total",
    unit: Unit::Count,
    description: "Ingest transactions repeated after a fault of the database",
    label: NO_LABEL,
};

/// Sums that an audit found wrong.
pub const AUDIT_DIFFERING: Gauge = Gauge {
    name: "tollkeeper_usage_audit_differing",
    unit: Unit::Count,
    description: "Hours, days and totals of tokens that the last audit found not to be what their \
        rows say",
    label: Label {
        name: "sums",
        values: &["hours", "days", "totals"],
    },
};

/// How much an audit covered.
pub const AUDIT_REQUESTS: Gauge = Gauge {
    name: "tollkeeper_usage_audit_requests",
    unit: Unit::Count,
    description: "Requests of the audited hour that were compared with their rows, or left out as \
        too many",
    label: Label {
        name: "outcome",
        values: &["compared", "left_out"],
    },
};

/// When an audit last came to its end.
pub const AUDITED_AT: Gauge = Gauge {
    name: "tollkeeper_usage_audit_timestamp_seconds",
    unit: Unit::Seconds,
    description: "When the last audit of usage ended, in seconds since the Unix epoch",
    label: NO_LABEL,
};

/// How long an ingest transaction took.
pub const INGEST_SECONDS: Histogram = Histogram {
    name: "tollkeeper_usage_ingest_seconds",
    unit: Unit::Seconds,
    description: "Duration of ingest transactions that were committed",
    label: NO_LABEL,
    buckets: &[
        0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0,
    ],
};

/// Time from the event to its committed row.
pub const INGEST_LAG: Histogram = Histogram {
    name: "tollkeeper_usage_ingest_lag_seconds",
    unit: Unit::Seconds,
    description: "Time from the oldest event of a transaction to its commit",
    label: NO_LABEL,
    buckets: &[
        0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 3600.0,
    ],
};
