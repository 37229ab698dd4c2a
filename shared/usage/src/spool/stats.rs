//! What the spool counts.

use std::sync::atomic::{AtomicI64, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use tollkeeper_telemetry::usage::{
    SPOOL_APPENDED, SPOOL_BYTES, SPOOL_DROPPED, SPOOL_MAX_BYTES, SPOOL_OLDEST, SPOOL_REFUSED,
    SPOOL_SOURCES,
};

use super::lane::Padded;

/// The spool at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SpoolStats {
    /// Disk taken by all segments, those made ahead included.
    pub bytes: u64,
    /// The most it may take.
    pub max_bytes: u64,
    /// How long ago the oldest event that the broker has not acknowledged happened. `None` if there
    /// is none.
    pub oldest_age: Option<Duration>,
    /// Events appended since the start.
    pub appended: u64,
    /// Events the broker has acknowledged since the start, those of earlier runs included.
    pub published: u64,
    /// Events dropped since the start, the spool being full.
    pub dropped: u64,
    /// Events refused since the start, the spool being full.
    pub refused: u64,
    /// Sources with a folder: the running lanes and those of earlier runs that are not settled.
    pub sources: usize,
    /// Whether no further segment can be made at the moment.
    pub full: bool,
}

impl SpoolStats {
    /// Tells the metrics.
    pub(super) fn report(&self) {
        let oldest = self.oldest_age.unwrap_or_default();
        SPOOL_BYTES.handle().set(self.bytes as f64);
        SPOOL_MAX_BYTES.handle().set(self.max_bytes as f64);
        SPOOL_OLDEST.handle().set(oldest.as_secs_f64());
        SPOOL_SOURCES.handle().set(self.sources as f64);
        SPOOL_APPENDED.handle().absolute(self.appended);
        SPOOL_DROPPED.handle().absolute(self.dropped);
        SPOOL_REFUSED.handle().absolute(self.refused);
    }
}

/// The counts behind [`SpoolStats`]. The publisher writes the ones about publishing.
#[derive(Debug)]
pub(crate) struct Counters {
    refused: Box<[Padded<AtomicU64>]>,
    published: AtomicU64,
    sources: AtomicUsize,
    /// Wall clock in microseconds; `i64::MAX` if nothing waits.
    oldest: AtomicI64,
}

impl Counters {
    pub(super) fn new(lanes: usize) -> Self {
        Self {
            refused: (0..lanes).map(|_| Padded(AtomicU64::new(0))).collect(),
            published: AtomicU64::new(0),
            sources: AtomicUsize::new(lanes),
            oldest: AtomicI64::new(i64::MAX),
        }
    }

    pub(super) fn count_refused(&self, lane: usize) {
        self.refused[lane].0.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn refused(&self) -> u64 {
        let each = self.refused.iter();
        each.map(|count| count.0.load(Ordering::Relaxed)).sum()
    }

    pub(super) fn published(&self) -> u64 {
        self.published.load(Ordering::Relaxed)
    }

    pub(super) fn sources(&self) -> usize {
        self.sources.load(Ordering::Relaxed)
    }

    pub(super) fn oldest_age(&self, now_micros: i64) -> Option<Duration> {
        let oldest = self.oldest.load(Ordering::Relaxed);
        let age = now_micros.saturating_sub(oldest).max(0);
        (oldest != i64::MAX).then(|| Duration::from_micros(age.unsigned_abs()))
    }

    pub(crate) fn count_published(&self, events: u64) {
        self.published.fetch_add(events, Ordering::Relaxed);
    }

    pub(crate) fn set_sources(&self, sources: usize) {
        self.sources.store(sources, Ordering::Relaxed);
    }

    pub(crate) fn set_oldest(&self, micros: Option<i64>) {
        self.oldest
            .store(micros.unwrap_or(i64::MAX), Ordering::Relaxed);
    }
}
