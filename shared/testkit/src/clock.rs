//! A clock that stands still until the test moves it.

use std::time::Duration;

use chrono::{DateTime, Utc};
use parking_lot::Mutex;
use tollkeeper_ambient::Clock;

/// 2026-01-01T00:00:00Z.
const START_MICROS: i64 = 1_767_225_600_000_000;

/// Both clocks, set by hand.
#[derive(Debug)]
pub struct FixedClock(Mutex<Hands>);

#[derive(Debug, Clone, Copy)]
struct Hands {
    wall_micros: i64,
    boot_time: Duration,
}

impl Default for FixedClock {
    fn default() -> Self {
        Self(Mutex::new(Hands {
            wall_micros: START_MICROS,
            boot_time: Duration::from_secs(1_000),
        }))
    }
}

impl FixedClock {
    /// A clock at this wall-clock time.
    #[must_use]
    pub fn at(time: DateTime<Utc>) -> Self {
        let clock = Self::default();
        clock.set_wall(time);
        clock
    }

    /// Time passes, on both clocks.
    pub fn advance(&self, by: Duration) {
        self.advance_wall(by);
        self.advance_boot(by);
    }

    /// Only the wall clock moves on: somebody set it.
    pub fn advance_wall(&self, by: Duration) {
        let micros = i64::try_from(by.as_micros()).expect("a test's step fits");
        self.0.lock().wall_micros += micros;
    }

    /// Only the time since boot moves on: somebody set the wall clock back by as much.
    pub fn advance_boot(&self, by: Duration) {
        self.0.lock().boot_time += by;
    }

    /// Sets the wall clock, forward or back.
    pub fn set_wall(&self, time: DateTime<Utc>) {
        self.0.lock().wall_micros = time.timestamp_micros();
    }
}

impl Clock for FixedClock {
    fn wall_micros(&self) -> i64 {
        self.0.lock().wall_micros
    }

    fn boot_time(&self) -> Duration {
        self.0.lock().boot_time
    }
}
