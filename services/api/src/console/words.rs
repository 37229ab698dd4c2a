//! How pages write numbers and moments.

use chrono::{DateTime, TimeDelta, Utc};

/// A number with its thousands apart: `1,204`.
pub(super) fn count(number: impl Into<i128>) -> String {
    let number: i128 = number.into();
    let digits = number.unsigned_abs().to_string();
    let mut text = String::from(if number < 0 { "-" } else { "" });
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A moment, as a page shows it at another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Moment {
    /// What is shown.
    pub(super) at: DateTime<Utc>,
    /// When.
    pub(super) now: DateTime<Utc>,
}

impl Moment {
    /// For programs (RFC 3339).
    pub(super) fn machine(&self) -> String {
        self.at.to_rfc3339_opts(chrono::SecondsFormat::Secs, true)
    }

    /// In full: `22 Nov 2026, 13:05:09 UTC`.
    pub(super) fn full(&self) -> String {
        self.at.format("%-d %b %Y, %H:%M:%S UTC").to_string()
    }

    /// As people say it: `3 minutes ago`, `in 2 days`.
    pub(super) fn in_words(&self) -> String {
        let apart = self.at - self.now;
        if apart.abs() < TimeDelta::seconds(1) {
            return "now".to_owned();
        }
        let text = span(apart.abs());
        if apart > TimeDelta::zero() {
            format!("in {text}")
        } else {
            format!("{text} ago")
        }
    }
}

/// A span in its largest unit: `3 minutes`.
pub(super) fn span(span: TimeDelta) -> String {
    let units = [
        (span.num_days() / 365, "year"),
        (span.num_days() / 30, "month"),
        (span.num_days(), "day"),
        (span.num_hours(), "hour"),
        (span.num_minutes(), "minute"),
    ];
    let largest = units.into_iter().find(|(number, _)| *number > 0);
    let (number, unit) = largest.unwrap_or((span.num_seconds(), "second"));
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {unit}{plural}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_stand_apart() {
        let told = [0_i64, 7, 999, 1_000, 12_345, 1_234_567, -1_000].map(count);
        let expected = ["0", "7", "999", "1,000", "12,345", "1,234,567", "-1,000"];
        assert_eq!(told, expected);
    }

    #[test]
    fn moments_are_told_from_now_on() {
        let now = DateTime::from_timestamp(1_800_000_000, 0).expect("a moment");
        let told = |seconds: i64| {
            let at = now + TimeDelta::seconds(seconds);
            Moment { at, now }.in_words()
        };
        assert_eq!(told(0), "now");
        assert_eq!(told(-1), "1 second ago");
        assert_eq!(told(-180), "3 minutes ago");
        assert_eq!(told(2 * 86_400), "in 2 days");
        assert_eq!(told(-400 * 86_400), "1 year ago");
    }
}
