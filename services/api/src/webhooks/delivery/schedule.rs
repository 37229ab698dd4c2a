//! When an endpoint that took nothing is tried again, and when it is given up.

use chrono::{DateTime, TimeDelta, Utc};

/// What is waited after the first, second, ... failure in a row, in seconds; the last for all that
/// follow. Each is changed by up to a fifth, so that many that failed together come back apart.
const DELAYS: [i64; 10] = [1, 5, 30, 120, 600, 1_800, 3_600, 10_800, 21_600, 43_200];

/// The longest that an endpoint may have itself waited for.
const LONGEST: TimeDelta = TimeDelta::hours(12);

/// An endpoint is given up when it has taken nothing for this long, and has failed this often.
const GIVE_UP_AFTER: TimeDelta = TimeDelta::days(3);
const GIVE_UP_FAILURES: u32 = 10;

/// Whether to give up an endpoint that has failed so often in a row since then.
pub(super) fn is_hopeless(since: DateTime<Utc>, failures: u32, now: DateTime<Utc>) -> bool {
    now - since >= GIVE_UP_AFTER && failures >= GIVE_UP_FAILURES
}

/// What to wait after the last of `failures` in a row: as the schedule says, changed by `random`,
/// and no less than the endpoint asked for.
pub(super) fn delay(failures: u32, asked: Option<TimeDelta>, random: u16) -> TimeDelta {
    let step = usize::try_from(failures.saturating_sub(1)).unwrap_or(usize::MAX);
    let seconds = DELAYS[step.min(DELAYS.len() - 1)];
    // 800 to 1,200 milliseconds of each second.
    let millis = 800 + i64::from(random) * 400 / i64::from(u16::MAX);
    let scheduled = TimeDelta::milliseconds(seconds * millis);
    scheduled.max(asked.unwrap_or_default().min(LONGEST))
}

/// The wait that a `Retry-After` asks for (RFC 9110, section 10.2.3).
pub(super) fn retry_after(value: &str, now: DateTime<Utc>) -> Option<TimeDelta> {
    let value = value.trim();
    if let Ok(seconds) = value.parse::<u32>() {
        return TimeDelta::try_seconds(seconds.into());
    }
    let until = DateTime::parse_from_rfc2822(value).ok()?;
    Some((until.to_utc() - now).max(TimeDelta::zero()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn delays_grow_and_are_bounded() {
        let middle = |failures| delay(failures, None, u16::MAX / 2 + 1).num_seconds();
        let delays: Vec<i64> = (1..=12).map(middle).collect();
        assert!(delays.is_sorted(), "{delays:?}");
        assert_eq!((delays[0], delays[11]), (1, 43_200));
    }

    #[test]
    fn an_endpoint_is_given_up_after_days_and_failures() {
        let since = DateTime::UNIX_EPOCH;
        let days = |days| since + TimeDelta::days(days);
        assert!(is_hopeless(since, 10, days(3)));
        assert!(!is_hopeless(since, 9, days(3)));
        assert!(!is_hopeless(since, 100, days(3) - TimeDelta::seconds(1)));
        // The schedule gets there: ten failures do not take longer than those days.
        let waits = (1..10).map(|failures| delay(failures, None, u16::MAX));
        assert!(waits.sum::<TimeDelta>() < GIVE_UP_AFTER);
    }

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let now = DateTime::from_timestamp(784_111_777 - 60, 0).unwrap();
        assert_eq!(retry_after("120", now), Some(TimeDelta::seconds(120)));
        let date = "Sun, 06 Nov 1994 08:49:37 GMT";
        assert_eq!(retry_after(date, now), Some(TimeDelta::seconds(60)));
        let past = now + TimeDelta::days(1);
        assert_eq!(retry_after(date, past), Some(TimeDelta::zero()));
        assert_eq!(retry_after("-1", now), None);
        assert_eq!(retry_after("soon", now), None);
    }

    proptest! {
        #[test]
        fn a_delay_is_within_a_fifth_and_what_is_asked(
            failures in 1_u32..1_000, asked in proptest::option::of(0_i64..10_000_000), random: u16,
        ) {
            let asked = asked.map(TimeDelta::seconds);
            let waited = delay(failures, asked, random);
            let step = usize::try_from(failures - 1).unwrap().min(DELAYS.len() - 1);
            let plain = TimeDelta::seconds(DELAYS[step]);
            prop_assert!(waited >= plain * 4 / 5);
            prop_assert!(waited >= asked.unwrap_or_default().min(LONGEST));
            prop_assert!(waited <= (plain * 6 / 5).max(LONGEST));
        }

        #[test]
        fn any_text_is_a_wait_or_none(value in ".{0,60}") {
            let waited = retry_after(&value, DateTime::UNIX_EPOCH);
            prop_assert!(waited.unwrap_or_default() >= TimeDelta::zero());
        }
    }
}
