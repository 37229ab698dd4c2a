use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use proptest::prelude::*;

use super::super::gcra::{rate, ticks};
use super::*;

const SECOND: u64 = ticks(1_000_000_000);

/// A bucket by the book: what is in it, in parts of a unit that both time and charges are whole
/// numbers of.
struct Model {
    level: u128,
    at: u64,
}

impl Model {
    fn take(&mut self, rate: Rate, units: u64, now: u64) -> bool {
        let passed = u128::from(now - self.at);
        self.at = now;
        self.level = self.level.saturating_sub(passed);
        let (interval, units) = (u128::from(rate.interval), u128::from(units));
        let passes = self.level + units * interval <= u128::from(rate.burst) * interval;
        if passes {
            self.level += units * interval;
        }
        passes
    }
}

#[test]
fn a_burst_passes_at_once_and_then_one_by_one() {
    let rate = rate(10, 1, 5);
    let bucket = bucket(rate);
    let now = SECOND;
    for _ in 0..5 {
        assert!(bucket.take(rate.interval, now).is_some());
    }
    assert!(bucket.take(rate.interval, now).is_none());
    assert_eq!(bucket.wait(rate.interval, now), rate.interval);
    let next = now + rate.interval;
    assert!(bucket.take(rate.interval, next - 1).is_none());
    assert!(bucket.take(rate.interval, next).is_some());
    assert!(bucket.take(rate.interval, next).is_none());
    // Long after, it is as good as new and holds no more than a burst.
    let later = now + 100 * SECOND;
    assert_eq!(
        (bucket.debt(later), bucket.wait(rate.tolerance(), later)),
        (0, 0)
    );
    assert!(bucket.take(rate.tolerance(), later).is_some());
    assert!(bucket.take(rate.interval, later).is_none());
}

#[test]
fn what_weighs_more_than_a_burst_passes_alone() {
    let rate = rate(1, 1, 1);
    let bucket = bucket(rate);
    let charge = 3 * rate.interval;
    assert!(bucket.take(charge, SECOND).is_some());
    assert!(bucket.take(charge, SECOND).is_none());
    assert_eq!(bucket.wait(charge, SECOND), charge);
    assert!(bucket.take(charge, SECOND + charge).is_some());
}

#[test]
fn what_is_given_back_was_never_taken() {
    let rate = rate(10, 1, 10);
    let bucket = bucket(rate);
    bucket.take(3 * rate.interval, SECOND).unwrap();
    let before = bucket.arrival();
    let taken = bucket.take(rate.interval, SECOND).unwrap();
    bucket.give_back(taken, SECOND + 7);
    assert_eq!(bucket.arrival(), before);

    // With another charge on top, all but the time that has passed comes back.
    let taken = bucket.take(rate.interval, SECOND).unwrap();
    bucket.take(rate.interval, SECOND).unwrap();
    bucket.give_back(taken, SECOND + 7);
    assert_eq!(bucket.arrival(), before + rate.interval + 7);

    // What has come back by itself is not given back again.
    let later = SECOND + 100 * rate.interval;
    let taken = bucket.take(rate.interval, later).unwrap();
    let much_later = later + 5 * rate.interval;
    bucket.take(rate.interval, much_later).unwrap();
    bucket.give_back(taken, much_later);
    assert_eq!(bucket.debt(much_later), rate.interval);
}

#[test]
fn what_others_let_through_counts_up_to_a_bound() {
    let rate = rate(10, 1, 10);
    let bucket = bucket(rate);
    let bound = 2 * rate.tolerance();
    bucket.take_over(15 * rate.interval, SECOND, bound);
    assert_eq!(bucket.debt(SECOND), 15 * rate.interval);
    assert_eq!(bucket.wait(rate.interval, SECOND), 6 * rate.interval);
    bucket.take_over(u64::MAX, SECOND, bound);
    assert_eq!(bucket.debt(SECOND), bound);
    // A smaller bound takes nothing away.
    bucket.take_over(1, SECOND, rate.tolerance());
    assert_eq!(bucket.debt(SECOND), bound);
}

#[test]
fn a_changed_rate_keeps_what_was_taken() {
    let (old, new) = (rate(10, 60, 10), rate(4, 3600, 20));
    let bucket = bucket(old);
    bucket.take(7 * old.interval, SECOND).unwrap();
    assert!(bucket.note(7));
    let changed = bucket.at_rate(new, SECOND);
    assert_eq!(changed.debt(SECOND), 7 * new.interval);
    assert_eq!((changed.take_untold(), bucket.take_untold()), (7, 0));
    let fresh = bucket.at_rate(new, SECOND + 7 * old.interval);
    assert_eq!(fresh.arrival(), 0);
}

#[test]
fn the_end_of_time_refuses() {
    let rate = rate(1, 1, 1);
    let bucket = bucket(rate);
    assert!(bucket.take(rate.interval, u64::MAX).is_none());
    bucket.take_over(u64::MAX, u64::MAX, u64::MAX);
    assert!(bucket.take(rate.interval, 0).is_none());
}

proptest! {
    /// Decides as the model does, and never lets more through than the limit itself says, between any
    /// two requests.
    #[test]
    fn it_is_the_bucket_of_the_book(
        limit in 1_u32..=1_000_000_000,
        window in 1_u32..=100_000,
        burst in 1_u32..=1_000,
        requests in prop::collection::vec((0_u64..=4_000, 0_u64..=1_100), 1..60),
    ) {
        let rate = rate(limit, window, burst);
        let bucket = bucket(rate);
        let mut model = Model { level: 0, at: 0 };
        let mut now = 0;
        let mut admitted: Vec<(u64, u64)> = Vec::new();
        for (pause, units) in requests {
            // Pauses of up to four intervals.
            now += (u128::from(rate.interval) * u128::from(pause) / 1_000) as u64;
            let units = units.clamp(1, burst.into());
            let passes = bucket.take(units * rate.interval, now).is_some();
            prop_assert_eq!(passes, model.take(rate, units, now));
            if passes {
                admitted.push((now, units));
            }
        }
        for (index, (begin, _)) in admitted.iter().enumerate() {
            let mut sum = 0_u128;
            for (end, units) in &admitted[index..] {
                sum += u128::from(*units);
                // sum ≤ burst + limit × elapsed ÷ window, in whole numbers.
                let window = u128::from(window) * u128::from(SECOND);
                let elapsed = u128::from(end - begin);
                let most = u128::from(burst) * window + u128::from(limit) * elapsed;
                prop_assert!(sum * window <= most);
            }
        }
    }
}

/// Threads take as fast as they can while time goes on: never more than a burst and what has come
/// back since.
#[test]
fn threads_never_take_more_than_there_is() {
    let rate = rate(1_000, 1, 100);
    let bucket = bucket(rate);
    let clock = AtomicU64::new(SECOND);
    let kept = AtomicU64::new(0);
    thread::scope(|scope| {
        for worker in 0..4_u64 {
            let (bucket, clock, kept) = (&bucket, &clock, &kept);
            scope.spawn(move || {
                for turn in worker..20_000 {
                    let now = clock.fetch_add(rate.interval / 20, Ordering::AcqRel);
                    let Some(one) = bucket.take(rate.interval, now) else {
                        continue;
                    };
                    // Every third one is given back, later than it was taken.
                    if turn % 3 == 0 {
                        bucket.give_back(one, clock.load(Ordering::Acquire));
                    } else {
                        kept.fetch_add(1, Ordering::Relaxed);
                    }
                }
            });
        }
    });
    let kept = kept.load(Ordering::Relaxed);
    let passed = clock.load(Ordering::Relaxed) - SECOND;
    assert!(kept <= 100 + passed / rate.interval, "{kept} in {passed}");
    assert!(kept > 100, "time went on");
}
