//! Counters for the hot path, spread so that threads do not fight for one cache line.

use std::sync::atomic::{AtomicU64, Ordering};

const STRIPES: usize = 32;

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
    Restart,
}

const COUNTS: usize = Count::Restart as usize + 1;

/// Two cache lines, because adjacent lines are fetched in pairs.
#[derive(Debug, Default)]
#[repr(align(128))]
struct Stripe([AtomicU64; COUNTS]);

#[derive(Debug)]
pub(crate) struct Counters(Box<[Stripe; STRIPES]>);

thread_local! {
    /// Its address tells threads apart.
    static HERE: u8 = const { 0 };
}

/// The stripe of this thread. Thread-local storage lies at the same offset in areas that are far
/// apart, so the address is mixed before its top bits are taken.
fn stripe() -> usize {
    let address = HERE.with(|here| std::ptr::from_ref(here).addr() as u64);
    (address.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 59) as usize % STRIPES
}

impl Counters {
    pub(crate) fn new() -> Self {
        Self(Box::new(std::array::from_fn(|_| Stripe::default())))
    }

    pub(crate) fn add(&self, count: Count, number: u64) {
        self.0[stripe()].0[count as usize].fetch_add(number, Ordering::Relaxed);
    }

    pub(crate) fn get(&self, count: Count) -> u64 {
        self.0
            .iter()
            .map(|stripe| stripe.0[count as usize].load(Ordering::Relaxed))
            .sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn threads_add_up() {
        let counters = Counters::new();
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| (0..1000).for_each(|_| counters.add(Count::Hit, 1)));
            }
        });
        assert_eq!(counters.get(Count::Hit), 8000);
        assert_eq!(counters.get(Count::Miss), 0);
    }
}
