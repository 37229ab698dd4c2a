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

#[cfg(test)]
mod tests {
    use super::*;

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
