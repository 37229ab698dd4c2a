//! The engine's state, for `/readyz`, metrics and whoever looks after it.

use std::time::Duration;

use crate::counters::Count;
use crate::engine::Engine;
use crate::proof::Freshness;
use crate::store::MemoryUse;

/// The engine's state at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EngineStatus {
    /// How far its knowledge can be trusted.
    pub freshness: Freshness,
    /// How long ago everything in memory was proven; `None` before the first proof.
    pub proof_age: Option<Duration>,
    /// Position up to which the log has been applied.
    pub applied_position: Option<u64>,
    /// How full memory is.
    pub memory: MemoryUse,
    /// How many nodes share the rate limits and hear one another, this one among them.
    pub nodes_heard: u32,
    /// How many nodes share the rate limits, also those that are not heard at present. Where they are
    /// more, this one lets through its share alone.
    pub nodes_sharing: u32,
    /// Rate limits whose consumption is known, each of one token or account.
    pub buckets: usize,
    /// Balances of quotas that are known.
    pub balances: usize,
    /// Callers that wait for a read.
    pub waiting: usize,
    /// What has happened since the start.
    pub counts: EngineCounts,
}

/// What has happened since the start. Each only ever grows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EngineCounts {
    /// Checks answered by a token in memory.
    pub hits: u64,
    /// Checks answered by a digest remembered as unknown.
    pub negative_hits: u64,
    /// Checks that needed a read.
    pub misses: u64,
    /// Checks refused by shape or checksum.
    pub malformed: u64,
    /// Checks that ended in `UNAVAILABLE`.
    pub unavailable: u64,
    /// Checks that a rate limit refused.
    pub rate_limited: u64,
    /// Rate limits forgotten, because there were too many, before what was consumed of them had come
    /// back.
    pub buckets_forgotten: u64,
    /// Messages about limits that were sent to other nodes.
    pub limits_told: u64,
    /// Messages about limits that other nodes sent.
    pub limits_heard: u64,
    /// Messages about limits that cannot be read, or that come from more nodes than there can be.
    pub limits_not_heeded: u64,
    /// Checks that a quota refused.
    pub quota_exceeded: u64,
    /// Balances forgotten, because there were too many, before what went through here was counted.
    pub balances_forgotten: u64,
    /// Look-ups sent to the primary.
    pub lookups: u64,
    /// Digests in them.
    pub digests_read: u64,
    /// Digests whose read was overtaken by an event and made again.
    pub reads_refused: u64,
    /// Digests whose read failed.
    pub reads_failed: u64,
    /// Readings of the log up to its head that moved the proof.
    pub heads_read: u64,
    /// Readings of the log that failed, so that the proof did not move.
    pub heads_failed: u64,
    /// Times everything was forgotten because the log was another one or too far ahead.
    pub restarts: u64,
}

impl Engine {
    /// The engine's state now. Takes locks; not for the path of a request.
    #[must_use]
    pub fn status(&self) -> EngineStatus {
        let (freshness, proof_age) = self.freshness();
        let count = |count| self.counters.get(count);
        EngineStatus {
            freshness,
            proof_age,
            applied_position: self.store.applied().map(|head| head.position),
            memory: self.store.memory_use(),
            nodes_heard: self.share().together,
            nodes_sharing: self.share().of,
            buckets: self.store.buckets.len(),
            balances: self.store.balances.len(),
            waiting: self.flights.callers(),
            counts: EngineCounts {
                hits: count(Count::Hit),
                negative_hits: count(Count::NegativeHit),
                misses: count(Count::Miss),
                malformed: count(Count::Malformed),
                unavailable: count(Count::Unavailable),
                rate_limited: count(Count::RateLimited),
                limits_told: count(Count::LimitsTold),
                limits_heard: count(Count::LimitsHeard),
                limits_not_heeded: count(Count::LimitsNotHeeded),
                buckets_forgotten: self.store.buckets.forgotten(),
                quota_exceeded: count(Count::QuotaExceeded),
                balances_forgotten: self.store.balances.forgotten(),
                lookups: count(Count::Lookup),
                digests_read: count(Count::Digest),
                reads_refused: count(Count::ReadRefused),
                reads_failed: count(Count::ReadFailed),
                heads_read: count(Count::HeadRead),
                heads_failed: count(Count::HeadFailed),
                restarts: count(Count::Restart),
            },
        }
    }
}
