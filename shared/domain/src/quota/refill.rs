//! When a quota is full again. Days and months are those of UTC.

use chrono::{DateTime, Datelike, Days, Months, NaiveDate, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

/// How often a quota is full again by itself. The order is how much may be used over time with one
/// limit: the rarer is the less.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum QuotaRefill {
    /// Never: its uses are all there are until somebody refills it.
    #[default]
    None,
    /// At the first moment of each calendar month, UTC.
    Monthly,
    /// At the first moment of each day, UTC.
    Daily,
}

/// The day, month or eternity that a use counts in, as the days from 1970-01-01 to its first day. What
/// is never refilled has one period, which is 0.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct QuotaPeriod(pub i32);

impl QuotaPeriod {
    /// The first day of the period; for what is never refilled, 1970-01-01. A day beyond the calendar
    /// is on its edge.
    #[must_use]
    pub fn first_day(self) -> NaiveDate {
        let days = TimeDelta::days(self.0.into());
        let edge = if self.0 < 0 {
            NaiveDate::MIN
        } else {
            NaiveDate::MAX
        };
        NaiveDate::default()
            .checked_add_signed(days)
            .unwrap_or(edge)
    }
}

impl QuotaRefill {
    /// The refill as it stands in JSON.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Monthly => "monthly",
            Self::Daily => "daily",
        }
    }

    /// The period that a use at this moment counts in. The moment is in microseconds since the Unix
    /// epoch.
    #[must_use]
    pub fn period(self, at_micros: i64) -> QuotaPeriod {
        let first = match self {
            Self::None => return QuotaPeriod::default(),
            Self::Daily => day(at_micros),
            Self::Monthly => first_of_month(day(at_micros)),
        };
        let days = first.signed_duration_since(NaiveDate::default()).num_days();
        QuotaPeriod(i32::try_from(days).unwrap_or_default())
    }

    /// The first moment after the period that a use at this moment counts in; open if there is none.
    #[must_use]
    pub fn ends(self, at_micros: i64) -> Option<DateTime<Utc>> {
        let day = day(at_micros);
        let next = match self {
            Self::None => return None,
            Self::Daily => day.checked_add_days(Days::new(1)),
            Self::Monthly => first_of_month(day).checked_add_months(Months::new(1)),
        };
        Some(next?.and_time(chrono::NaiveTime::MIN).and_utc())
    }
}

/// The day of a moment. Moments beyond the calendar are on its edge.
fn day(at_micros: i64) -> NaiveDate {
    let edge = if at_micros < 0 {
        DateTime::<Utc>::MIN_UTC
    } else {
        DateTime::<Utc>::MAX_UTC
    };
    DateTime::from_timestamp_micros(at_micros)
        .unwrap_or(edge)
        .date_naive()
}

fn first_of_month(day: NaiveDate) -> NaiveDate {
    day - Days::new(day.day0().into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn micros(time: &str) -> i64 {
        time.parse::<DateTime<Utc>>().unwrap().timestamp_micros()
    }

    #[test]
    fn a_period_holds_its_first_moment_and_not_the_one_after_its_last() {
        let cases = [
            (QuotaRefill::Daily, "2026-11-21", "2026-11-21", "2026-11-22"),
            (QuotaRefill::Daily, "2026-12-31", "2026-12-31", "2027-01-01"),
            (QuotaRefill::Daily, "2028-02-28", "2028-02-28", "2028-02-29"),
            (
                QuotaRefill::Monthly,
                "2026-11-21",
                "2026-11-01",
                "2026-12-01",
            ),
            (
                QuotaRefill::Monthly,
                "2026-12-31",
                "2026-12-01",
                "2027-01-01",
            ),
            (
                QuotaRefill::Monthly,
                "2028-02-29",
                "2028-02-01",
                "2028-03-01",
            ),
            (QuotaRefill::Daily, "1969-12-31", "1969-12-31", "1970-01-01"),
            (
                QuotaRefill::Monthly,
                "1969-12-31",
                "1969-12-01",
                "1970-01-01",
            ),
        ];
        for (refill, day, first, next) in cases {
            let name = refill.as_str();
            let noon = micros(&format!("{day}T12:00:00Z"));
            let begins = micros(&format!("{first}T00:00:00Z"));
            let ends = micros(&format!("{next}T00:00:00Z"));
            let period = refill.period(noon);
            assert_eq!(period.first_day().to_string(), first, "{name} {day}");
            assert_eq!(refill.period(begins), period, "{name} {day}");
            assert_eq!(refill.period(ends - 1), period, "{name} {day}");
            assert!(refill.period(begins - 1) < period, "{name} {day}");
            assert!(refill.period(ends) > period, "{name} {day}");
            for at in [begins, noon, ends - 1] {
                let end = refill.ends(at).unwrap();
                assert_eq!(end.timestamp_micros(), ends, "{name} {day}");
            }
        }
    }

    #[test]
    fn what_is_never_refilled_has_one_period_without_an_end() {
        for at in [i64::MIN, -1, 0, micros("2026-11-21T12:00:00Z"), i64::MAX] {
            assert_eq!(QuotaRefill::None.period(at), QuotaPeriod(0));
            assert_eq!(QuotaRefill::None.ends(at), None);
        }
        assert_eq!(QuotaPeriod(0).first_day().to_string(), "1970-01-01");
    }

    #[test]
    fn moments_beyond_the_calendar_have_a_period_too() {
        for refill in [QuotaRefill::Daily, QuotaRefill::Monthly] {
            let (first, last) = (refill.period(i64::MIN), refill.period(i64::MAX));
            assert!(first < refill.period(0) && refill.period(0) < last);
            assert!(refill.ends(i64::MIN).is_some() && refill.ends(i64::MAX).is_none());
        }
    }

    #[test]
    fn the_rarer_is_the_less() {
        assert!(QuotaRefill::None < QuotaRefill::Monthly);
        assert!(QuotaRefill::Monthly < QuotaRefill::Daily);
        for refill in [QuotaRefill::None, QuotaRefill::Monthly, QuotaRefill::Daily] {
            let name = serde_json::to_value(refill).unwrap();
            assert_eq!(name, refill.as_str());
            assert_eq!(serde_json::from_value::<QuotaRefill>(name).unwrap(), refill);
        }
    }
}
