//! Which time is asked about: whole buckets that hold what was asked for.

use chrono::{DateTime, Datelike, TimeDelta, Utc};
use tollkeeper_read_model::usage::{Range, Width};

use crate::http::problem::Problem;

/// The most buckets in an answer.
const MOST: i64 = 1000;

/// As many as are given where nobody says how wide they should be.
const PLENTY: i64 = 200;

/// What is told of where only an end is given, or nothing.
const USUAL: TimeDelta = TimeDelta::days(1);

/// A time that usage can be of, as `name` gives it.
pub(crate) fn moment(name: &str, asked: DateTime<Utc>) -> Result<DateTime<Utc>, Problem> {
    if (1970..=9999).contains(&asked.year()) {
        Ok(asked)
    } else {
        let detail = format!("`{name}` is a time of the years 1970 to 9999");
        Err(Problem::bad_request("INVALID_QUERY", detail))
    }
}

/// What was asked for, without what is still to come.
pub(super) fn range(
    now: DateTime<Utc>,
    from: Option<DateTime<Utc>>,
    to: Option<DateTime<Utc>>,
) -> Result<Range, Problem> {
    let to = to.map(|it| moment("to", it)).transpose()?;
    let to = to.unwrap_or(now).min(now);
    let from = from.map(|it| moment("from", it)).transpose()?;
    let from = from.unwrap_or_else(|| (to - USUAL).max(DateTime::UNIX_EPOCH));
    if from < to {
        Ok(Range { from, to })
    } else {
        let detail = "`from` lies before `to`, and both not in the future";
        Err(Problem::bad_request("INVALID_QUERY", detail))
    }
}

/// The first of these widths, from narrow to wide, with which there are not too many buckets.
pub(super) fn usual_width(range: Range, widths: &[Width]) -> Width {
    let fits = |width: &&Width| count(widened(range, **width), **width) <= PLENTY;
    widths.iter().find(fits).copied().unwrap_or(Width::Day)
}

/// The whole buckets that hold the range.
///
/// # Errors
/// 400 if they are too many.
pub(super) fn buckets(range: Range, width: Width) -> Result<Range, Problem> {
    let whole = widened(range, width);
    let count = count(whole, width);
    if count <= MOST {
        return Ok(whole);
    }
    let better = match width {
        Width::Minute => "ask for `bucket=hour` or `bucket=day`, or a shorter range",
        Width::Hour => "ask for `bucket=day`, or a shorter range",
        Width::Day => "ask for a shorter range",
    };
    let detail = format!("the range has {count} buckets, and {MOST} are told at most: {better}");
    Err(too_large(detail))
}

/// 400: it would take more than is read at once.
pub(super) fn too_large(detail: impl std::fmt::Display) -> Problem {
    Problem::bad_request("RANGE_TOO_LARGE", detail)
}

/// The beginnings of all buckets.
pub(super) fn starts(range: Range, width: Width) -> impl Iterator<Item = DateTime<Utc>> {
    let next = move |start: &DateTime<Utc>| Some(*start + width.span());
    std::iter::successors(Some(range.from), next).take_while(move |start| *start < range.to)
}

fn widened(range: Range, width: Width) -> Range {
    let past_start = |at: DateTime<Utc>| {
        let micros = at.timestamp_micros().rem_euclid(span_micros(width));
        TimeDelta::microseconds(micros)
    };
    // Less than a microsecond is nothing to a table.
    let to = range.to + TimeDelta::nanoseconds(999);
    let from = whole_micros(range.from);
    let to = whole_micros(to);
    let over = past_start(to);
    Range {
        from: from - past_start(from),
        to: if over.is_zero() {
            to
        } else {
            to - over + width.span()
        },
    }
}

fn whole_micros(at: DateTime<Utc>) -> DateTime<Utc> {
    DateTime::from_timestamp_micros(at.timestamp_micros()).unwrap_or(at)
}

fn span_micros(width: Width) -> i64 {
    width.span().num_seconds() * 1_000_000
}

fn count(whole: Range, width: Width) -> i64 {
    (whole.to - whole.from).num_seconds() / width.span().num_seconds()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn time(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    #[test]
    fn a_range_is_widened_to_whole_buckets() {
        let asked = Range {
            from: time("2026-11-21T10:59:59.999999Z"),
            to: time("2026-11-21T12:00:00.000000001Z"),
        };
        let hours = buckets(asked, Width::Hour).unwrap();
        assert_eq!(hours.from, time("2026-11-21T10:00:00Z"));
        assert_eq!(hours.to, time("2026-11-21T13:00:00Z"));
        assert_eq!(starts(hours, Width::Hour).count(), 3);
        assert_eq!(buckets(hours, Width::Hour).unwrap(), hours, "as it is");
        let days = buckets(asked, Width::Day).unwrap();
        assert_eq!(starts(days, Width::Day).count(), 1);
    }

    #[test]
    fn the_usual_width_gives_plenty_of_buckets_and_not_too_many() {
        let all = [Width::Minute, Width::Hour, Width::Day];
        let to = time("2026-11-21T12:00:00Z");
        for (hours, width) in [
            (3, Width::Minute),
            (4, Width::Hour),
            (200, Width::Hour),
            (201, Width::Day),
            (24 * 400, Width::Day),
        ] {
            let from = to - TimeDelta::hours(hours);
            assert_eq!(
                usual_width(Range { from, to }, &all),
                width,
                "{hours} hours"
            );
        }
    }

    #[test]
    fn what_is_asked_for_has_been_and_lasts() {
        let now = time("2026-11-21T12:00:00Z");
        let usual = range(now, None, None).unwrap();
        assert_eq!((usual.to - usual.from, usual.to), (USUAL, now));
        let cut = range(now, None, Some(now + TimeDelta::days(9))).unwrap();
        assert_eq!(cut, usual);
        assert!(range(now, Some(now), None).is_err());
        assert!(range(now, Some(time("1969-12-31T23:59:59Z")), None).is_err());
        let years = range(now, Some(DateTime::UNIX_EPOCH), None).unwrap();
        assert!(buckets(years, Width::Day).is_err());
        let first = range(now, None, Some(time("1970-01-01T01:00:00Z"))).unwrap();
        assert_eq!(first.from, DateTime::UNIX_EPOCH);
    }
}
