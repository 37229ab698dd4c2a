//! The metrics of usage on its way from the request to the counted row.

use metrics::Unit;

use crate::kinds::{Counter, Gauge, Histogram};
use crate::labels::Label;

/// Disk taken by the spool's segments.
pub const SPOOL_BYTES: Gauge = Gauge {
    name: "tollkeeper_usage_spool_bytes",
    unit: Unit::Bytes,
    description: "Disk taken by the usage spool, segments made ahead included",
    labels: &[],
};

/// The most disk that the spool may take.
pub const SPOOL_MAX_BYTES: Gauge = Gauge {
    name: "tollkeeper_usage_spool_max_bytes",
    unit: Unit::Bytes,
    description: "Disk that the usage spool may take",
    labels: &[],
};

/// The age of the oldest event without an acknowledgement of the broker.
pub const SPOOL_OLDEST: Gauge = Gauge {
    name: "tollkeeper_usage_spool_oldest_seconds",
    unit: Unit::Seconds,
    description: "Age of the oldest event the broker has not acknowledged, 0 if there is none",
    labels: &[],
};

/// Sources that are not settled.
pub const SPOOL_SOURCES: Gauge = Gauge {
    name: "tollkeeper_usage_spool_sources",
    unit: Unit::Count,
    description: "Lanes in the spool folder, those of earlier runs included",
    labels: &[],
};

/// Events appended to the spool.
pub const SPOOL_APPENDED: Counter = Counter {
    name: "tollkeeper_usage_spool_appended_total",
    unit: Unit::Count,
    description: "Events appended to the spool",
    labels: &[],
};

/// Events that found the spool full.
pub const SPOOL_DROPPED: Counter = Counter {
    name: "tollkeeper_spool_dropped_total",
    unit: Unit::Count,
    description: "Events dropped because the spool was full",
    labels: &[],
};

/// Requests that were refused for a full spool.
pub const SPOOL_REFUSED: Counter = Counter {
    name: "tollkeeper_spool_refused_total",
    unit: Unit::Count,
    description: "Events refused because the spool was full",
    labels: &[],
};

/// Events the broker has acknowledged.
pub const PUBLISHED_EVENTS: Counter = Counter {
    name: "tollkeeper_usage_published_events_total",
    unit: Unit::Count,
    description: "Events in batches the broker has acknowledged",
    labels: &[],
};

/// Batches the broker has acknowledged.
pub const PUBLISHED_BATCHES: Counter = Counter {
    name: "tollkeeper_usage_published_batches_total",
    unit: Unit::Count,
    description: "Batches of events the broker has acknowledged, those sent again not counted twice",
    labels: &[],
};

/// Publishing that had to be tried again.
pub const PUBLISH_RETRIES: Counter = Counter {
    name: "tollkeeper_usage_publish_retries_total",
    unit: Unit::Count,
    description: "Tries to publish a batch that failed and are repeated",
    labels: &[],
};

/// Batches that were sent again.
pub const RESENT_BATCHES: Counter = Counter {
    name: "tollkeeper_usage_resent_batches_total",
    unit: Unit::Count,
    description: "Batches sent again because the broker or the ledger has lost them, by what showed that",
    labels: &[Label::one(
        "reason",
        &[
            "stream_changed",
            "stream_went_back",
            "passed_over",
            "ledger_went_back",
        ],
    )],
};

/// Segments given up to the broker.
pub const RELEASED_SEGMENTS: Counter = Counter {
    name: "tollkeeper_usage_released_segments_total",
    unit: Unit::Count,
    description: "Segments that the broker had acknowledged and a full spool gave up unsettled",
    labels: &[],
};

/// Failed reads of the ledger.
pub const LEDGER_READ_FAILURES: Counter = Counter {
    name: "tollkeeper_usage_ledger_read_failures_total",
    unit: Unit::Count,
    description: "Reads of the usage ledger by the publisher that failed",
    labels: &[],
};

/// Marks of how far the lanes have got that were not made.
pub const MARK_FAILURES: Counter = Counter {
    name: "tollkeeper_usage_mark_failures_total",
    unit: Unit::Count,
    description: "Times that the database could not be told how far the usage spool has got",
    labels: &[],
};

/// Batches by what the ingestor made of them.
pub const INGESTED_BATCHES: Counter = Counter {
    name: "tollkeeper_usage_ingested_batches_total",
    unit: Unit::Count,
    description: "Batch messages settled by the ingestor, by outcome",
    labels: &[Label::one(
        "outcome",
        &[
            "counted",
            "duplicate",
            "overlap",
            "undecodable",
            "close",
            "dropped",
            "refused",
        ],
    )],
};

/// Events counted by the ingestor.
pub const INGESTED_EVENTS: Counter = Counter {
    name: "tollkeeper_usage_ingested_events_total",
    unit: Unit::Count,
    description: "Events counted into the usage tables",
    labels: &[],
};

/// Events that were reported over the API.
pub const REPORTED_EVENTS: Counter = Counter {
    name: "tollkeeper_usage_reported_events_total",
    unit: Unit::Count,
    description: "Calls reported over the API, by outcome",
    labels: &[Label::one(
        "outcome",
        &["accepted", "duplicate", "rejected"],
    )],
};

/// How long the oldest report has waited to be counted.
pub const REPORTS_OLDEST: Gauge = Gauge {
    name: "tollkeeper_usage_reports_oldest_seconds",
    unit: Unit::Seconds,
    description: "Age of the oldest call that was reported over the API and is not counted, 0 if there is none",
    labels: &[],
};

/// Questions about usage.
pub const QUESTIONS: Counter = Counter {
    name: "tollkeeper_usage_questions_total",
    unit: Unit::Count,
    description: "Questions about usage, by who was asked: the replica, the primary because there is no replica, or the primary instead of a replica that is away or too far behind",
    labels: &[Label::one(
        "server",
        &["replica", "primary", "primary_instead"],
    )],
};

/// How far the replica is behind.
pub const REPLICA_LAG: Gauge = Gauge {
    name: "tollkeeper_usage_replica_lag_seconds",
    unit: Unit::Seconds,
    description: "How far the replica for questions about usage was behind the primary when both were last seen",
    labels: &[],
};

/// Events that reporters told to be dropped.
pub const DROPPED_EVENTS: Counter = Counter {
    name: "tollkeeper_usage_dropped_events_total",
    unit: Unit::Count,
    description: "Events reported as dropped by full spools; some may be counted after all",
    labels: &[],
};

/// Dead letters that were tried again, by what came of it.
pub const DEAD_LETTERS_REPLAYED: Counter = Counter {
    name: "tollkeeper_usage_dead_letters_replayed_total",
    unit: Unit::Count,
    description: "Dead letters that were tried again, by outcome",
    labels: &[Label::one("outcome", &["counted", "failed"])],
};

/// Dead letters by reason.
pub const DEAD_LETTERS: Counter = Counter {
    name: "tollkeeper_usage_dead_letters_total",
    unit: Unit::Count,
    description: "Messages and records put into the dead letters, by reason",
    labels: &[Label::one("reason", &["undecodable", "refused", "overlap"])],
};

/// Events whose timestamp was out of bounds.
pub const TIMESTAMPS_REPLACED: Counter = Counter {
    name: "tollkeeper_usage_timestamps_replaced_total",
    unit: Unit::Count,
    description: "Events whose timestamp was out of bounds and replaced by the time of arrival",
    labels: &[],
};

/// Transactions that are repeated after a fault.
pub const INGEST_RETRIES: Counter = Counter {
    name: "tollkeeper_usage_ingest_retries_total",
    unit: Unit::Count,
    description: "Ingest transactions repeated after a fault of the database",
    labels: &[],
};

/// Sums that an audit found wrong.
pub const AUDIT_DIFFERING: Gauge = Gauge {
    name: "tollkeeper_usage_audit_differing",
    unit: Unit::Count,
    description: "Sums of tokens and accounts that the last audit found not to be what their rows say",
    labels: &[Label::one(
        "sums",
        &[
            "hours",
            "days",
            "totals",
            "token_days",
            "account_hours",
            "account_days",
        ],
    )],
};

/// How much an audit covered.
pub const AUDIT_REQUESTS: Gauge = Gauge {
    name: "tollkeeper_usage_audit_requests",
    unit: Unit::Count,
    description: "Requests of the audited hour that were compared with their rows, or left out as \
        too many",
    labels: &[Label::one("outcome", &["compared", "left_out"])],
};

/// When an audit last came to its end.
pub const AUDITED_AT: Gauge = Gauge {
    name: "tollkeeper_usage_audit_timestamp_seconds",
    unit: Unit::Seconds,
    description: "When the last audit of usage ended, in seconds since the Unix epoch",
    labels: &[],
};

/// How long an ingest transaction took.
pub const INGEST_SECONDS: Histogram = Histogram {
    name: "tollkeeper_usage_ingest_seconds",
    unit: Unit::Seconds,
    description: "Duration of ingest transactions that were committed",
    labels: &[],
    buckets: &[
        0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0,
    ],
};

/// Time from the event to its committed row.
pub const INGEST_LAG: Histogram = Histogram {
    name: "tollkeeper_usage_ingest_lag_seconds",
    unit: Unit::Seconds,
    description: "Time from the oldest event of a transaction to its commit",
    labels: &[],
    buckets: &[
        0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 3600.0,
    ],
};

/// Messages that no ingestor has been given yet.
pub const CONSUMER_PENDING: Gauge = Gauge {
    name: "tollkeeper_usage_consumer_pending",
    unit: Unit::Count,
    description: "Messages in the stream of usage that no ingestor has been given yet",
    labels: &[],
};

/// Messages under way to the database.
pub const CONSUMER_ACK_PENDING: Gauge = Gauge {
    name: "tollkeeper_usage_consumer_ack_pending",
    unit: Unit::Count,
    description: "Messages that ingestors were given and have not acknowledged yet",
    labels: &[],
};

/// Messages that were given out again.
pub const CONSUMER_REDELIVERED: Gauge = Gauge {
    name: "tollkeeper_usage_consumer_redelivered",
    unit: Unit::Count,
    description: "Messages that ingestors were given more than once and have not acknowledged yet",
    labels: &[],
};

/// The size of the stream.
pub const STREAM_BYTES: Gauge = Gauge {
    name: "tollkeeper_usage_stream_bytes",
    unit: Unit::Bytes,
    description: "Size of the stream of usage at the broker",
    labels: &[],
};

/// The most that the stream may hold.
pub const STREAM_MAX_BYTES: Gauge = Gauge {
    name: "tollkeeper_usage_stream_max_bytes",
    unit: Unit::Bytes,
    description: "Size that the stream of usage may have, 0 if it has no bound",
    labels: &[],
};

/// Events that are not in the ledger and not on their way.
pub const LEDGER_MISSING: Gauge = Gauge {
    name: "tollkeeper_usage_ledger_missing_events",
    unit: Unit::Count,
    description: "Events that processes gave out which have ended or vanished, and that the ledger \
                  does not hold; of the last 1000 such sources",
    labels: &[],
};

/// Sources whose process vanished.
pub const VANISHED_SOURCES: Gauge = Gauge {
    name: "tollkeeper_usage_vanished_sources",
    unit: Unit::Count,
    description: "Incomplete sources of processes that vanished: what they did last is not known \
                  until they start again with their spool",
    labels: &[],
};

/// Up to when usage is complete.
pub const COMPLETENESS_LAG: Gauge = Gauge {
    name: "tollkeeper_usage_completeness_lag_seconds",
    unit: Unit::Seconds,
    description: "How long ago it was that every answered call is known to be counted, dropped or set \
                  aside",
    labels: &[],
};

/// Dead letters that wait for somebody.
pub const DEAD_LETTERS_WAITING: Gauge = Gauge {
    name: "tollkeeper_usage_dead_letters_waiting",
    unit: Unit::Count,
    description: "Dead letters that nobody has dealt with, at most 10000 of them",
    labels: &[],
};

/// Days that raw usage can be written to.
pub const PARTITIONS_AHEAD: Gauge = Gauge {
    name: "tollkeeper_usage_partitions_ahead",
    unit: Unit::Count,
    description: "Days after today, one after the other, that have a partition of raw usage",
    labels: &[],
};

/// Readings for the gauges that failed.
pub const WATCH_FAILURES: Counter = Counter {
    name: "tollkeeper_usage_watch_failures_total",
    unit: Unit::Count,
    description: "Readings of the database and of the broker that failed, so that gauges about them \
                  stayed as they were",
    labels: &[Label::one("server", &["postgres", "nats"])],
};
