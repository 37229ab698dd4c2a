//! How an engine is set up.

use std::time::Duration;

use tollkeeper_domain::legacy::Shapes;
use tollkeeper_domain::secret::Brand;
use uuid::Uuid;

/// Up to this age of the proof a node is live.
pub(crate) const LIVE_FOR: Duration = Duration::from_secs(2);

/// What to do when the state in memory was last proven longer ago than the limit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum StalePolicy {
    /// Answer `UNAVAILABLE`.
    #[default]
    Deny,
    /// Go on with what is known; a revocation once seen denies all the same.
    Allow,
}

/// The settings of an [`Engine`](crate::Engine).
#[derive(Debug, Clone)]
pub struct EngineConfig {
    /// First part of every token.
    pub brand: Brand,
    /// What tokens look like that other systems issued.
    pub legacy: Shapes,
    /// The most memory for known tokens, in bytes.
    pub cache_bytes: u64,
    /// The most digests remembered as unknown. A budget of their own, so that made-up tokens never
    /// push out real ones.
    pub negative_entries: usize,
    /// What happens beyond [`Self::stale_limit`].
    pub stale_policy: StalePolicy,
    /// How old the proof may be.
    pub stale_limit: Duration,
    /// Time between two readings of the log's head.
    pub proof_interval: Duration,
    /// How many recent events are kept to judge reads that were under way when they came.
    pub recent_events: usize,
    /// Bounds on reading tokens that are not in memory.
    pub fill: FillLimits,
    /// How many rate limits are kept, with what was consumed of them, that no token in memory has any
    /// more. Those of tokens in memory count as bytes of theirs.
    pub spare_buckets: usize,
    /// How many balances of quotas are kept, with what is not counted of them yet, that no token in
    /// memory has any more. Those of tokens in memory count as bytes of theirs.
    pub spare_balances: usize,
    /// Time between two readings of what other nodes used of quotas.
    pub balance_interval: Duration,
    /// Under which sources the usage of this node is counted: what they used is what went through here.
    pub usage_sources: Vec<Uuid>,
}

/// Bounds on reading tokens that are not in memory.
#[derive(Debug, Clone, Copy)]
pub struct FillLimits {
    /// The most digests in one look-up.
    pub batch: usize,
    /// The most look-ups under way at once.
    pub in_flight: usize,
    /// The most digests waiting or under way; beyond it the answer is `UNAVAILABLE` at once.
    pub queue: usize,
    /// How long a caller waits, and how long one look-up may take.
    pub time_limit: Duration,
}

impl EngineConfig {
    /// The documented defaults.
    #[must_use]
    pub fn new(brand: Brand) -> Self {
        Self {
            brand,
            legacy: Shapes::default(),
            cache_bytes: 256 << 20,
            negative_entries: 65_536,
            stale_policy: StalePolicy::Deny,
            stale_limit: Duration::from_secs(60),
            proof_interval: Duration::from_millis(500),
            recent_events: 16_384,
            fill: FillLimits {
                batch: 128,
                in_flight: 4,
                queue: 16_384,
                time_limit: Duration::from_secs(2),
            },
            spare_buckets: 131_072,
            spare_balances: 131_072,
            balance_interval: Duration::from_secs(1),
            usage_sources: Vec::new(),
        }
    }
}
