//! A node's share of every limit: all of it, as long as it hears what the other nodes let through.

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
    }
}
