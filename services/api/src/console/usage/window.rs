//! The time that a page tells of, in whole steps by UTC.

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};

use crate::console::chart::Width;

/// The longest time of which single requests are read, of all tokens and of one.
const READ_OF_MANY: TimeDelta = TimeDelta::days(7);
const READ_OF_ONE: TimeDelta = TimeDelta::days(31);

/// A time and its steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::console) struct Window {
    /// When the first step begins.
    pub(in crate::console) from: DateTime<Utc>,
    /// When the last one ends.
    pub(in crate::console) to: DateTime<Utc>,
    /// How wide the steps are that are asked for.
    pub(in crate::console) width: Width,
    /// How many of them make one column.
    pub(in crate::console) together: usize,
}

impl Window {
    /// So many columns, of which the last holds this moment.
    pub(in crate::console) fn ending(
        now: DateTime<Utc>,
        width: Width,
        together: usize,
        columns: i32,
    ) -> Self {
        let column = width.span() * i32::try_from(together).unwrap_or(1);
        let to = floor(now, column) + column;
        Self {
            from: to - column * columns,
            to,
            width,
            together,
        }
    }

    /// From one moment to another, in columns that are neither too many nor too few.
    pub(in crate::console) fn between(from: DateTime<Utc>, to: DateTime<Utc>) -> Self {
        let (width, together) = match to - from {
            span if span <= TimeDelta::hours(3) => (Width::Minute, 1),
            span if span <= TimeDelta::hours(12) => (Width::Minute, 5),
            span if span <= TimeDelta::days(8) => (Width::Hour, 1),
            _ => (Width::Day, 1),
        };
        let column = width.span() * i32::try_from(together).unwrap_or(1);
        let end = floor(to, column);
        Self {
            from: floor(from, column),
            to: if end < to { end + column } else { end },
            width,
            together,
        }
    }

    /// The same length of time right before.
    pub(in crate::console) fn before(self) -> Self {
        Self {
            from: self.from - (self.to - self.from),
            to: self.from,
            ..self
        }
    }

    /// Whether single requests of so long a time are read.
    pub(in crate::console) fn is_read_singly(self, of_one_token: bool) -> bool {
        let longest = if of_one_token {
            READ_OF_ONE
        } else {
            READ_OF_MANY
        };
        self.to - self.from <= longest
    }
}

/// A moment as a question has it.
pub(in crate::console) fn machine(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Micros, true)
}

fn floor(at: DateTime<Utc>, step: TimeDelta) -> DateTime<Utc> {
    let seconds = at.timestamp().rem_euclid(step.num_seconds().max(1));
    let part = TimeDelta::nanoseconds(i64::from(at.timestamp_subsec_nanos()));
    at - TimeDelta::seconds(seconds) - part
}

#[cfg(test)]
mod tests {
    use super::*;

    fn time(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    #[test]
    fn the_last_column_holds_now() {
        let now = time("2026-11-21T13:07:09.5Z");
        let hour = Window::ending(now, Width::Minute, 1, 60);
        assert_eq!(
            (hour.from, hour.to),
            (time("2026-11-21T12:08:00Z"), time("2026-11-21T13:08:00Z"))
        );
        let six = Window::ending(now, Width::Minute, 5, 72);
        assert_eq!(
            (six.from, six.to),
            (time("2026-11-21T07:10:00Z"), time("2026-11-21T13:10:00Z"))
        );
        let days = Window::ending(now, Width::Day, 1, 30);
        assert_eq!(
            (days.from, days.to),
            (time("2026-10-23T00:00:00Z"), time("2026-11-22T00:00:00Z"))
        );
        assert_eq!(days.before().to, days.from);
        assert_eq!(days.before().to - days.before().from, days.to - days.from);
        assert!(days.is_read_singly(true) && !days.is_read_singly(false));
        assert!(Window::ending(now, Width::Hour, 1, 168).is_read_singly(false));
    }

    #[test]
    fn a_time_of_ones_own_is_widened_to_whole_columns() {
        let to = time("2026-11-21T13:07:09Z");
        for (minutes, width, together) in [
            (10, Width::Minute, 1),
            (6 * 60, Width::Minute, 5),
            (24 * 60, Width::Hour, 1),
            (60 * 24 * 60, Width::Day, 1),
        ] {
            let window = Window::between(to - TimeDelta::minutes(minutes), to);
            assert_eq!((window.width, window.together), (width, together));
            assert!(window.from <= to - TimeDelta::minutes(minutes) && window.to >= to);
        }
        let whole = Window::between(time("2026-11-20T00:00:00Z"), time("2026-11-21T00:00:00Z"));
        assert_eq!(whole.to, time("2026-11-21T00:00:00Z"));
    }
}
