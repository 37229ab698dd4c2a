//! The proof: as of when everything in memory is known to be true.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use crate::config::{EngineConfig, LIVE_FOR, StalePolicy};
use crate::time::Moment;

/// How far a node's knowledge can be trusted now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Freshness {
    /// Proven within the last 2 seconds.
    Live,
    /// Older, and still answering.
    Stale,
    /// Never proven, or too old for the policy.
    Unavailable,
}

impl Freshness {
    /// `live`, `stale` or `unavailable`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::Stale => "stale",
            Self::Unavailable => "unavailable",
        }
    }
}

/// The moment as of which everything committed had been applied.
///
/// Both halves are stored without a lock. A reader that catches one half of an older proof only
/// finds the proof older than it is.
#[derive(Debug, Default)]
pub(crate) struct Proof {
    boot_nanos: AtomicU64,
    wall_micros: AtomicI64,
}

impl Proof {
    /// Sets the proof, after all it stands for has been applied.
    pub(crate) fn set(&self, moment: Moment) {
        self.wall_micros
            .store(moment.wall_micros, Ordering::Release);
        self.boot_nanos.store(moment.boot_nanos, Ordering::Release);
    }

    /// Takes the proof away.
    pub(crate) fn clear(&self) {
        self.boot_nanos.store(0, Ordering::Release);
    }

    /// The proof, to be read before the state it is to vouch for.
    pub(crate) fn get(&self) -> Option<Moment> {
        let boot_nanos = self.boot_nanos.load(Ordering::Acquire);
        let wall_micros = self.wall_micros.load(Ordering::Acquire);
        (boot_nanos != 0).then_some(Moment {
            boot_nanos,
            wall_micros,
        })
    }
}

/// The policy by which an age becomes a [`Freshness`].
#[derive(Debug, Clone, Copy)]
pub(crate) struct StaleRule {
    policy: StalePolicy,
    limit: Duration,
}

impl StaleRule {
    pub(crate) fn new(config: &EngineConfig) -> Self {
        Self {
            policy: config.stale_policy,
            limit: config.stale_limit,
        }
    }

    /// For how long after a proof there may be answers by it; `None` without an end.
    pub(crate) fn valid_for(self) -> Option<Duration> {
        match self.policy {
            StalePolicy::Deny => Some(self.limit),
            StalePolicy::Allow => None,
        }
    }

    /// What a state proven `age` ago is good for; `None` is a state never proven.
    pub(crate) fn judge(self, age: Option<Duration>) -> Freshness {
        match age {
            None => Freshness::Unavailable,
            Some(age) if age <= LIVE_FOR.min(self.limit) => Freshness::Live,
            Some(age) if age <= self.limit || self.policy == StalePolicy::Allow => Freshness::Stale,
            Some(_) => Freshness::Unavailable,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(policy: StalePolicy) -> StaleRule {
        StaleRule {
            policy,
            limit: Duration::from_secs(60),
        }
    }

    #[test]
    fn an_age_is_live_stale_or_unavailable() {
        let seconds = |age| Some(Duration::from_secs(age));
        let deny = rule(StalePolicy::Deny);
        assert_eq!(deny.judge(None), Freshness::Unavailable);
        assert_eq!(deny.judge(seconds(2)), Freshness::Live);
        assert_eq!(deny.judge(seconds(3)), Freshness::Stale);
        assert_eq!(deny.judge(seconds(60)), Freshness::Stale);
        assert_eq!(deny.judge(seconds(61)), Freshness::Unavailable);
        let allow = rule(StalePolicy::Allow);
        assert_eq!(allow.judge(seconds(61)), Freshness::Stale);
        assert_eq!(allow.judge(None), Freshness::Unavailable);
    }

    #[test]
    fn there_is_no_proof_before_the_first() {
        let proof = Proof::default();
        assert_eq!(proof.get(), None);
        let moment = Moment {
            boot_nanos: 5,
            wall_micros: 7,
        };
        proof.set(moment);
        assert_eq!(proof.get(), Some(moment));
    }
}
