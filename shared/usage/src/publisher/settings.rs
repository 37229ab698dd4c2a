//! How the publisher works.

use std::time::Duration;

/// How the publisher works. The defaults suit production.
#[derive(Debug, Clone)]
pub struct PublisherSettings {
    /// How long an event may wait for others to share its batch.
    pub linger: Duration,
    /// How often the lanes are looked at.
    pub poll_every: Duration,
    /// The most batches on their way to the broker at once.
    pub max_in_flight: usize,
    /// How long to wait for an acknowledgement before trying again.
    pub ack_timeout: Duration,
    /// How often the ledger is asked what has been settled.
    pub ledger_every: Duration,
    /// The longest pause between two tries.
    pub max_backoff: Duration,
}

impl Default for PublisherSettings {
    fn default() -> Self {
        Self {
            linger: Duration::from_millis(100),
            poll_every: Duration::from_millis(10),
            max_in_flight: 64,
            ack_timeout: Duration::from_secs(5),
            ledger_every: Duration::from_secs(1),
            max_backoff: Duration::from_secs(5),
        }
    }
}
