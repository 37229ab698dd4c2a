//! What limits would have made of requests that have been.

use std::sync::Arc;

use tollkeeper_domain::rate_limit::{RateLimit, RateLimits};
use uuid::Uuid;

use super::Share;
use super::bucket::{Bucket, Key, Owner};
use super::gcra::{Rate, ticks};
use super::set::{Both, LimitSet};

/// Rate limits that requests of the past are charged to, one after the other, by the rules by which an
/// engine charges them: as one node would that all requests came to.
#[derive(Debug)]
pub struct Replay {
    limits: LimitSet,
    first: Option<i64>,
}

impl Replay {
    /// A token's limits, of which nothing was taken.
    #[must_use]
    pub fn new(limits: &RateLimits) -> Self {
        let bucket = |rule: &RateLimit| {
            let key = Key {
                owner: Owner::Token(Uuid::nil()),
                name: rule.name.clone(),
            };
            Arc::new(Bucket::new(key, Rate::of(rule), 0))
        };
        Self {
            limits: LimitSet::new(limits, bucket),
            first: None,
        }
    }

    /// Whether a request passes that came at this moment, in microseconds since the Unix epoch. It is
    /// charged once to each limit if it does. Requests are asked about in the order of their moments;
    /// one of before the first counts as if it came with that.
    pub fn passes(&mut self, at_micros: i64) -> bool {
        let first = *self.first.get_or_insert(at_micros);
        let since = at_micros.saturating_sub(first).max(0).unsigned_abs();
        let now = ticks(since.saturating_mul(1000));
        let limits = Both {
            account: None,
            token: Some(&self.limits),
        };
        limits.charge(1, Share::WHOLE, now, || now) == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits(rules: &[(&str, u32, u32, u32)]) -> RateLimits {
        let rule = |&(name, limit, window, burst): &(&str, u32, u32, u32)| {
            RateLimit::new(name, limit, window, Some(burst), None)
        };
        RateLimits::try_from(rules.iter().map(rule).collect::<Vec<_>>()).unwrap()
    }

    #[test]
    fn a_burst_passes_and_then_what_comes_back() {
        let mut replay = Replay::new(&limits(&[("a", 60, 60, 3)]));
        let start = 1_700_000_000_000_000;
        let passed: Vec<bool> = [0, 0, 0, 0, 999_999, 1_000_000, 1_000_000, 10_000_000]
            .map(|after| replay.passes(start + after))
            .into();
        assert_eq!(passed, [true, true, true, false, false, true, false, true]);
    }

    #[test]
    fn what_one_limit_refuses_is_charged_to_none() {
        let mut replay = Replay::new(&limits(&[("few", 1, 3600, 1), ("many", 2, 3600, 2)]));
        assert!(replay.passes(0));
        assert!(!replay.passes(1));
        assert!(!replay.passes(2));
        // An hour later one of each is back, and of the larger one nothing more was taken.
        assert!(replay.passes(3_600_000_000));
    }

    #[test]
    fn without_limits_everything_passes() {
        let mut replay = Replay::new(&RateLimits::default());
        assert!((0..1000).all(|_| replay.passes(0)));
    }
}
