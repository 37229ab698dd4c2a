//! A moment read from two clocks at once.

use std::time::Duration;

use tollkeeper_ambient::Clock;

/// When something was known to be true.
///
/// The monotonic clock counts while the machine is suspended, and the wall clock also moves where a
/// hypervisor froze the machine without telling it. Elapsed time is the larger of the two, so that a
/// process that was frozen by any means knows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Moment {
    /// Nanoseconds since the machine's boot, never 0.
    pub(crate) boot_nanos: u64,
    /// Microseconds since the Unix epoch.
    pub(crate) wall_micros: i64,
}

impl Moment {
    /// Reads both clocks.
    pub(crate) fn now(clock: &dyn Clock) -> Self {
        let boot = u64::try_from(clock.boot_time().as_nanos()).unwrap_or(u64::MAX);
        Self {
            boot_nanos: boot.max(1),
            wall_micros: clock.wall_micros(),
        }
    }

    /// How long ago `earlier` was. A wall clock that was set back counts as standing still.
    pub(crate) fn since(self, earlier: Self) -> Duration {
        let boot = Duration::from_nanos(self.boot_nanos.saturating_sub(earlier.boot_nanos));
        let wall = self.wall_micros.saturating_sub(earlier.wall_micros);
        boot.max(Duration::from_micros(u64::try_from(wall).unwrap_or(0)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elapsed_time_is_the_larger_of_both_clocks() {
        let start = Moment {
            boot_nanos: 5_000_000_000,
            wall_micros: 100_000_000,
        };
        let after = |boot_seconds: i64, wall_seconds: i64| Moment {
            boot_nanos: (start.boot_nanos as i64 + boot_seconds * 1_000_000_000) as u64,
            wall_micros: start.wall_micros + wall_seconds * 1_000_000,
        };
        assert_eq!(after(3, 3).since(start), Duration::from_secs(3));
        assert_eq!(after(70, 1).since(start), Duration::from_secs(70));
        assert_eq!(after(1, 70).since(start), Duration::from_secs(70));
        assert_eq!(after(2, -500).since(start), Duration::from_secs(2));
    }
}
