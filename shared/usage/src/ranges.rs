//! Sets of sequence numbers as sorted, disjoint ranges.

use std::ops::RangeInclusive;

/// A set of numbers, kept as the fewest possible ranges. A source has few: the ledger merges them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RangeSet {
    /// Sorted; no two overlap or touch.
    ranges: Vec<(u64, u64)>,
}

impl RangeSet {
    /// Adds all numbers from `first` to `last`.
    pub fn insert(&mut self, first: u64, last: u64) {
        debug_assert!(first <= last);
        let begin = self
            .ranges
            .partition_point(|&(_, end)| end.saturating_add(1) < first);
        let end = self
            .ranges
            .partition_point(|&(start, _)| start <= last.saturating_add(1));
        let merged = self.ranges[begin..end]
            .iter()
            .fold((first, last), |all, range| {
                (all.0.min(range.0), all.1.max(range.1))
            });
        self.ranges.splice(begin..end, [merged]);
    }

    /// Takes all numbers from `first` to `last` out.
    pub fn remove(&mut self, first: u64, last: u64) {
        debug_assert!(first <= last);
        let begin = self.ranges.partition_point(|&(_, end)| end < first);
        let end = self.ranges.partition_point(|&(start, _)| start <= last);
        let touched = &self.ranges[begin..end];
        let before = touched.first().filter(|range| range.0 < first);
        let after = touched.last().filter(|range| range.1 > last);
        let left: Vec<(u64, u64)> = before
            .map(|range| (range.0, first - 1))
            .into_iter()
            .chain(after.map(|range| (last + 1, range.1)))
            .collect();
        self.ranges.splice(begin..end, left);
    }

    /// Whether every number from `first` to `last` is in the set.
    #[must_use]
    pub fn covers(&self, first: u64, last: u64) -> bool {
        let at = self.ranges.partition_point(|&(_, end)| end < first);
        self.ranges
            .get(at)
            .is_some_and(|&(start, end)| start <= first && last <= end)
    }

    /// The parts of `first..=last` that are not in the set, in order.
    #[must_use]
    pub fn gaps(&self, first: u64, last: u64) -> Vec<(u64, u64)> {
        let mut gaps = Vec::new();
        let mut next = first;
        for &(start, end) in &self.ranges {
            if end < next {
                continue;
            }
            if start > last {
                break;
            }
            if start > next {
                gaps.push((next, start - 1));
            }
            next = end.saturating_add(1);
        }
        if next <= last {
            gaps.push((next, last));
        }
        gaps
    }

    /// The ranges, sorted.
    pub fn iter(&self) -> impl Iterator<Item = RangeInclusive<u64>> + '_ {
        self.ranges.iter().map(|&(first, last)| first..=last)
    }

    /// How many numbers are in the set.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.ranges
            .iter()
            .map(|(first, last)| last - first + 1)
            .sum()
    }

    /// Whether the set is empty.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ranges.is_empty()
    }
}

impl FromIterator<(u64, u64)> for RangeSet {
    fn from_iter<T: IntoIterator<Item = (u64, u64)>>(ranges: T) -> Self {
        let mut set = Self::default();
        for (first, last) in ranges {
            set.insert(first, last);
        }
        set
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn it_behaves_as_a_set_of_numbers(
            changes in prop::collection::vec((1_u64..60, 0_u64..12, prop::bool::weighted(0.7)), 0..24),
            probe in (1_u64..70, 0_u64..12),
        ) {
            let mut model = BTreeSet::new();
            let mut set = RangeSet::default();
            for (first, more, is_insert) in changes {
                if is_insert {
                    model.extend(first..=first + more);
                    set.insert(first, first + more);
                } else {
                    model.retain(|number| !(first..=first + more).contains(number));
                    set.remove(first, first + more);
                }
            }
            let listed: BTreeSet<u64> = set.iter().flatten().collect();
            prop_assert_eq!(&listed, &model);
            prop_assert_eq!(set.count(), model.len() as u64);
            let ends: Vec<_> = set.iter().collect();
            prop_assert!(ends.windows(2).all(|pair| pair[0].end() + 1 < *pair[1].start()));

            let (first, last) = (probe.0, probe.0 + probe.1);
            prop_assert_eq!(set.covers(first, last), (first..=last).all(|n| model.contains(&n)));
            let missing: Vec<u64> =
                set.gaps(first, last).into_iter().flat_map(|(a, b)| a..=b).collect();
            let expected: Vec<u64> = (first..=last).filter(|n| !model.contains(n)).collect();
            prop_assert_eq!(missing, expected);
        }
    }
}
