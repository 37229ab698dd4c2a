//! Counts for the hot path, spread so that threads do not fight for one cache line.

use std::sync::atomic::{AtomicU64, Ordering};

/// Threads beyond this number share what others have.
const STRIPES: usize = 32;

/// Counts in one line.
const WIDTH: usize = 16;

/// Two cache lines, because adjacent lines are fetched in pairs.
#[derive(Debug, Default)]
#[repr(align(128))]
struct Line([AtomicU64; WIDTH]);

/// So many counts, each of which any thread may add to at the price of an uncontended addition, and
/// which are summed up when they are read. Takes no lock and allocates nothing but at its making.
#[derive(Debug)]
pub struct Striped {
    lines: Box<[Line]>,
    lines_per_stripe: usize,
}

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

impl Striped {
    /// So many counts, all zero.
    #[must_use]
    pub fn new(counts: usize) -> Self {
        let lines_per_stripe = counts.div_ceil(WIDTH);
        let lines = (0..STRIPES * lines_per_stripe).map(|_| Line::default());
        Self {
            lines: lines.collect(),
            lines_per_stripe,
        }
    }

    /// Adds to the count with this index.
    ///
    /// # Panics
    /// If there is none.
    pub fn add(&self, count: usize, number: u64) {
        debug_assert!(
            count / WIDTH < self.lines_per_stripe,
            "there is no count {count}"
        );
        self.at(stripe(), count)
            .fetch_add(number, Ordering::Relaxed);
    }

    /// The count with this index.
    ///
    /// # Panics
    /// If there is none.
    #[must_use]
    pub fn get(&self, count: usize) -> u64 {
        let each = (0..STRIPES).map(|stripe| self.at(stripe, count).load(Ordering::Relaxed));
        each.fold(0, u64::wrapping_add)
    }

    fn at(&self, stripe: usize, count: usize) -> &AtomicU64 {
        &self.lines[stripe * self.lines_per_stripe + count / WIDTH].0[count % WIDTH]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn threads_add_up_and_counts_stay_apart() {
        let counts = Striped::new(20);
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    for _ in 0..1000 {
                        counts.add(0, 1);
                        counts.add(19, 2);
                    }
                });
            }
        });
        assert_eq!(counts.get(0), 8000);
        assert_eq!(counts.get(19), 16_000);
        assert!((1..19).all(|count| counts.get(count) == 0));
    }
}
