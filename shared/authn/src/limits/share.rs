//! A node's share of every limit: all of it, as long as it hears what the other nodes let through.

use std::sync::atomic::{AtomicU64, Ordering};

/// So many parts of so many.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Share {
    /// Nodes that hear one another, this one among them.
    pub(crate) together: u32,
    /// Nodes that there are.
    pub(crate) of: u32,
}

impl Share {
    /// All of it.
    pub(crate) const WHOLE: Self = Self { together: 1, of: 1 };

    /// What these ticks count for: of a smaller share each unit takes up more. Rounded up.
    pub(crate) fn weigh(self, ticks: u64) -> u64 {
        if self.together >= self.of {
            return ticks;
        }
        let weighed = u128::from(ticks) * u128::from(self.of);
        let weighed = weighed.div_ceil(u128::from(self.together.max(1)));
        u64::try_from(weighed).unwrap_or(u64::MAX)
    }
}

/// A share that changes while requests are judged by it.
#[derive(Debug)]
pub(crate) struct PresentShare(AtomicU64);

impl Default for PresentShare {
    fn default() -> Self {
        let present = Self(AtomicU64::new(0));
        present.set(Share::WHOLE);
        present
    }
}

impl PresentShare {
    pub(crate) fn get(&self) -> Share {
        let both = self.0.load(Ordering::Relaxed);
        Share {
            together: (both >> 32) as u32,
            of: both as u32,
        }
    }

    pub(crate) fn set(&self, share: Share) {
        let both = u64::from(share.together) << 32 | u64::from(share.of);
        self.0.store(both, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_weighs_more() {
        let share = |together, of| Share { together, of };
        assert_eq!(Share::WHOLE.weigh(7), 7);
        assert_eq!(share(3, 3).weigh(7), 7);
        assert_eq!(share(1, 3).weigh(7), 21);
        assert_eq!(share(2, 3).weigh(7), 11);
        assert_eq!(share(1, 3).weigh(u64::MAX), u64::MAX);
        assert_eq!(share(0, 3).weigh(7), 21, "it is there itself");
        let present = PresentShare::default();
        assert_eq!(present.get(), Share::WHOLE);
        present.set(share(2, 64));
        assert_eq!(present.get(), share(2, 64));
    }
}
