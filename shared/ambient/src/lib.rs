//! The ambient world, passed in: the clock and the randomness.
//!
//! Everything that needs the time or a random number takes one of these, so that a test can decide
//! both. The ambient functions of the standard library are banned by lint everywhere else.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use rand::TryRng;
use rand::rngs::SysRng;
use rustix::time::{ClockId, clock_gettime};
use uuid::Uuid;

/// Reads the time in the three ways Tollkeeper needs.
pub trait Clock: Send + Sync + 'static {
    /// Wall-clock time in microseconds since the Unix epoch.
    fn wall_micros(&self) -> i64;

    /// Time since an arbitrary start that never jumps and goes on while the machine is suspended
    /// (`CLOCK_BOOTTIME`). A process that was frozen can tell by it that it was.
    fn boot_time(&self) -> Duration;

    /// Wall-clock time cut to microseconds, the resolution everything is stored in.
    fn now(&self) -> DateTime<Utc> {
        DateTime::from_timestamp_micros(self.wall_micros()).unwrap_or(DateTime::UNIX_EPOCH)
    }
}

/// The operating system's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn wall_micros(&self) -> i64 {
        let at = clock_gettime(ClockId::Realtime);
        at.tv_sec * 1_000_000 + at.tv_nsec / 1_000
    }

    fn boot_time(&self) -> Duration {
        let at = clock_gettime(ClockId::Boottime);
        Duration::new(at.tv_sec.unsigned_abs(), at.tv_nsec.unsigned_abs() as u32)
    }
}

/// A source of unpredictable bytes.
pub trait Entropy: Send + Sync + 'static {
    /// Fills `bytes` completely, or panics: a process without randomness must not issue secrets.
    fn fill(&self, bytes: &mut [u8]);

    /// A new time-ordered id (UUIDv7, RFC 9562) for the moment `at`.
    fn uuid_v7(&self, at: DateTime<Utc>) -> Uuid {
        let mut random = [0_u8; 10];
        self.fill(&mut random);
        let millis = u64::try_from(at.timestamp_millis()).unwrap_or(0);
        uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid()
    }
}

/// The operating system's randomness.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemEntropy;

impl Entropy for SystemEntropy {
    fn fill(&self, bytes: &mut [u8]) {
        SysRng
            .try_fill_bytes(bytes)
            .expect("the operating system provides randomness");
    }
}

/// A clock that can be shared between tasks.
pub type SharedClock = Arc<dyn Clock>;

/// Randomness that can be shared between tasks.
pub type SharedEntropy = Arc<dyn Entropy>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_uuid_carries_the_time_it_was_made_for() {
        let at = DateTime::from_timestamp_millis(1_700_000_000_123).unwrap();
        let id = SystemEntropy.uuid_v7(at);
        assert_eq!(id.get_version_num(), 7);
        let (seconds, nanos) = id.get_timestamp().unwrap().to_unix();
        assert_eq!((seconds, nanos), (1_700_000_000, 123_000_000));
    }

    #[test]
    fn the_boot_clock_never_goes_back() {
        let first = SystemClock.boot_time();
        assert!(SystemClock.boot_time() >= first);
    }
}
