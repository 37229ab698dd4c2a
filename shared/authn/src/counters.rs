//! What the engine counts, on the hot path too.

use tollkeeper_telemetry::Striped;

/// What is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(usize)]
pub(crate) enum Count {
    Hit,
    NegativeHit,
    Miss,
    Malformed,
    Unavailable,
    RateLimited,
    LimitsTold,
    LimitsHeard,
    LimitsNotHeeded,
    QuotaExceeded,
    ReadRefused,
    ReadFailed,
    Lookup,
    Digest,
    HeadRead,
    HeadFailed,
    Restart,
}

const COUNTS: usize = Count::Restart as usize + 1;

#[derive(Debug)]
pub(crate) struct Counters(Striped);

impl Counters {
    pub(crate) fn new() -> Self {
        Self(Striped::new(COUNTS))
    }

    pub(crate) fn add(&self, count: Count, number: u64) {
        self.0.add(count as usize, number);
    }

    pub(crate) fn get(&self, count: Count) -> u64 {
        self.0.get(count as usize)
    }
}
