//! The latency histogram of the rollups: 24 counts, each bucket twice as wide as the one before.

/// How many buckets a histogram has. The database checks the same number.
pub const BUCKETS: usize = 24;

/// Bucket 0 ends at 2^4 = 16 microseconds.
const FIRST_BOUND_LOG2: u32 = 4;

/// The bucket that counts a call which took this many microseconds.
#[must_use]
pub const fn bucket(micros: u32) -> usize {
    let log2 = u32::BITS - micros.leading_zeros();
    let bucket = log2.saturating_sub(FIRST_BOUND_LOG2) as usize;
    if bucket < BUCKETS {
        bucket
    } else {
        BUCKETS - 1
    }
}

/// The exclusive upper bound of a bucket in microseconds; `None` for the last one, which has none.
#[must_use]
pub const fn upper_bound(bucket: usize) -> Option<u64> {
    if bucket + 1 < BUCKETS {
        Some(1 << (bucket as u32 + FIRST_BOUND_LOG2))
    } else {
        None
    }
}

/// The inclusive lower bound of a bucket and the exclusive upper one, in microseconds. The last
/// bucket, which has no upper one, is taken for a single value: its lower bound.
fn bounds(bucket: usize) -> (u64, u64) {
    let lower = bucket.checked_sub(1).and_then(upper_bound).unwrap_or(0);
    (lower, upper_bound(bucket).unwrap_or(lower))
}

/// About how many microseconds the call took that `per_mille` of all calls are no slower than, the
/// nearest rank of all: 500 is the median. `None` of no calls.
///
/// The calls of a bucket are taken to lie evenly within it, so what is told is in the bucket of the
/// exact value: less than twice that and more than half of it, and below 16 microseconds where that
/// is. Of calls that took longer than 67 seconds, in the last bucket, its lower bound is told.
#[must_use]
pub fn quantile(counts: &[i64; BUCKETS], per_mille: u16) -> Option<u64> {
    let counts = counts.map(i64::unsigned_abs);
    let calls: u128 = counts.iter().copied().map(u128::from).sum();
    if calls == 0 {
        return None;
    }
    let rank = (calls * u128::from(per_mille.min(1000)))
        .div_ceil(1000)
        .max(1);
    let mut below = 0;
    for (bucket, count) in counts.iter().copied().map(u128::from).enumerate() {
        if rank <= below + count {
            let (lower, upper) = bounds(bucket);
            // The middle of the call's own share of the bucket.
            let place = 2 * (rank - below) - 1;
            let within = u128::from(upper - lower) * place / (2 * count);
            return Some(lower + u64::try_from(within).unwrap_or(0));
        }
        below += count;
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_quantile_is_within_a_factor_of_two_of_the_exact_one(
            mut calls in prop::collection::vec(
                prop_oneof![0..64_u32, 0..100_000_u32, 0..67_108_864_u32],
                1..300,
            ),
            per_mille in 0..=1000_u16,
        ) {
            let mut counts = [0; BUCKETS];
            for micros in &calls {
                counts[bucket(*micros)] += 1;
            }
            calls.sort_unstable();
            let rank = (calls.len() * usize::from(per_mille)).div_ceil(1000).max(1);
            let exact = u64::from(calls[rank - 1]);
            let told = quantile(&counts, per_mille).unwrap();
            prop_assert_eq!(bucket(told as u32), bucket(exact as u32), "{} for {}", told, exact);
            if exact >= 16 {
                prop_assert!(told < 2 * exact && exact < 2 * told, "{told} for {exact}");
            }
        }
    }

    #[test]
    fn quantiles_of_nothing_of_one_call_and_of_the_slowest() {
        let mut counts = [0; BUCKETS];
        assert_eq!(quantile(&counts, 500), None);
        counts[bucket(100)] = 1;
        assert_eq!(quantile(&counts, 0), Some(96));
        assert_eq!(quantile(&counts, 1000), Some(96));
        counts[bucket(100)] = 0;
        counts[BUCKETS - 1] = 7;
        assert_eq!(quantile(&counts, 990), Some(1 << 26));
        counts = [i64::MAX; BUCKETS];
        assert!(quantile(&counts, 999).is_some(), "no sum is too large");
    }

    #[test]
    fn each_value_lies_under_its_bound_and_not_under_the_one_before() {
        for micros in (0..40).flat_map(|shift| {
            let edge = (1_u64 << shift).min(u64::from(u32::MAX));
            [
                edge.saturating_sub(1),
                edge,
                (edge + 1).min(u64::from(u32::MAX)),
            ]
        }) {
            let found = bucket(micros as u32);
            assert!(
                upper_bound(found).is_none_or(|bound| micros < bound),
                "{micros}"
            );
            assert!(found == 0 || upper_bound(found - 1).is_some_and(|bound| micros >= bound));
        }
        assert_eq!(bucket(0), 0);
        assert_eq!(bucket(u32::MAX), BUCKETS - 1);
    }
}
