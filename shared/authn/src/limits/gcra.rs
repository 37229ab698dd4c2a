//! The arithmetic of the generic cell rate algorithm (ITU-T I.371, annex A; ATM Forum, Traffic
//! Management 4.1, normative annex B) in whole numbers.
//!
//! Time is counted in ticks of a 64th of a nanosecond, so that even a thousand million units a second
//! have an interval of 64 ticks. The interval is rounded up once, when the limit is made: a limit may
//! so be stricter than it says by a part in 64 thousand at a million units a second, and by less at
//! lower rates. All that follows is exact, and so there is no drift.

use std::time::Duration;

use tollkeeper_domain::rate_limit::RateLimit;

/// Ticks of a nanosecond. 64 bits hold nine years of them, counted from the start of the process.
const TICKS: u64 = 64;

/// Nanoseconds of a second.
const NANOS: u128 = 1_000_000_000;

/// Nanoseconds as ticks.
pub(crate) const fn ticks(nanos: u64) -> u64 {
    nanos.saturating_mul(TICKS)
}

/// Ticks as time, rounded up.
pub(crate) const fn time(ticks: u64) -> Duration {
    Duration::from_nanos(ticks.div_ceil(TICKS))
}

/// How fast a bucket empties, and how much it holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Rate {
    /// Ticks in which one unit comes back: the emission interval.
    pub(crate) interval: u64,
    /// Units that may be taken at once.
    pub(crate) burst: u32,
}

impl Rate {
    pub(crate) fn of(limit: &RateLimit) -> Self {
        let window = u128::from(limit.window_seconds) * NANOS * u128::from(TICKS);
        let interval = window.div_ceil(u128::from(limit.limit.max(1)));
        Self {
            interval: u64::try_from(interval).unwrap_or(u64::MAX),
            burst: limit.burst,
        }
    }

    /// How far the theoretical arrival time may lie ahead: what a whole burst takes to come back.
    pub(crate) fn tolerance(self) -> u64 {
        self.interval.saturating_mul(self.burst.into())
    }

    /// What a debt of so many ticks is at another rate, unit for unit; never more than a whole burst,
    /// so that nobody waits longer than for an empty bucket.
    pub(crate) fn convert(self, debt: u64, to: Self) -> u64 {
        let debt = u128::from(debt) * u128::from(to.interval);
        let debt = debt.div_ceil(u128::from(self.interval.max(1)));
        u64::try_from(debt).map_or(to.tolerance(), |debt| debt.min(to.tolerance()))
    }
}

#[cfg(test)]
pub(crate) fn rate(limit: u32, window_seconds: u32, burst: u32) -> Rate {
    Rate::of(&RateLimit {
        name: "a".into(),
        limit,
        window_seconds,
        burst,
        cost: 1,
    })
}

#[cfg(test)]
mod tests {
    use tollkeeper_domain::rate_limit::{MAX_UNITS, MAX_WINDOW_SECONDS};

    use super::*;

    #[test]
    fn the_interval_is_never_shorter_than_the_limit_says() {
        assert_eq!(rate(1, 1, 1).interval, 64_000_000_000);
        assert_eq!(rate(MAX_UNITS, 1, 1).interval, 64);
        assert_eq!(rate(3, 1, 3).interval, 21_333_333_334);
        assert_eq!(rate(3, 1, 3).tolerance(), 64_000_000_002);
        // The largest that there may be leave room for the time itself.
        let longest = rate(1, MAX_WINDOW_SECONDS, 1);
        let widest = rate(MAX_UNITS, MAX_WINDOW_SECONDS, MAX_UNITS);
        for rate in [longest, widest] {
            assert!(rate.tolerance() < 1 << 58, "{rate:?}");
        }
    }

    #[test]
    fn units_stay_when_the_rate_changes() {
        let (slow, fast) = (rate(10, 60, 10), rate(100, 60, 100));
        assert_eq!(slow.convert(5 * slow.interval, fast), 5 * fast.interval);
        assert_eq!(fast.convert(5 * fast.interval, slow), 5 * slow.interval);
        assert_eq!(fast.convert(90 * fast.interval, slow), slow.tolerance());
        assert_eq!(
            slow.convert(1, fast),
            1,
            "less than a unit is not forgotten"
        );
        assert_eq!(fast.convert(u64::MAX, slow), slow.tolerance());
    }

    #[test]
    fn ticks_are_time_rounded_up() {
        assert_eq!(time(ticks(7)), Duration::from_nanos(7));
        assert_eq!(time(ticks(7) + 1), Duration::from_nanos(8));
        assert_eq!(ticks(u64::MAX), u64::MAX);
    }
}
