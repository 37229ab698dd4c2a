//! How times are written below a drawing. All of them are by UTC.

use chrono::{DateTime, TimeDelta, Timelike, Utc};

use super::Steps;
use super::drawing::{Label, center};

/// So many labels fit beside one another on a wide screen; every third of them on a phone.
const MOST_LABELS: usize = 8;

/// How far labels may be apart, in minutes: what divides an hour, a day, or some days.
const APART: [i64; 17] = [
    1, 2, 5, 10, 15, 30, 60, 120, 180, 360, 720, 1_440, 2_880, 7_200, 14_400, 20_160, 43_200,
];

/// What a step is called: `22 Nov 2026, 13:05`, and of a day `22 Nov 2026`.
pub(super) fn name(at: DateTime<Utc>, width: TimeDelta) -> String {
    let form = if width < TimeDelta::days(1) {
        "%-d %b %Y, %H:%M"
    } else {
        "%-d %b %Y"
    };
    at.format(form).to_string()
}

/// One step, for a sentence.
pub(super) fn step(width: TimeDelta) -> String {
    match width.num_minutes() {
        1 => "in a minute".to_owned(),
        60 => "in an hour".to_owned(),
        1_440 => "in a day".to_owned(),
        minutes => format!("in {minutes} minutes"),
    }
}

/// The whole time, for a sentence.
pub(super) fn range(steps: &Steps) -> String {
    match (steps.starts.first(), steps.starts.last()) {
        (Some(first), Some(last)) if first != last => format!(
            "{} to {} UTC",
            name(*first, steps.width),
            name(*last, steps.width)
        ),
        (Some(first), _) => format!("{} UTC", name(*first, steps.width)),
        _ => "no time".to_owned(),
    }
}

/// What is written below: where a round time begins.
pub(super) fn labels(steps: &Steps) -> Vec<Label> {
    let apart = apart(steps);
    let round =
        |at: &DateTime<Utc>| at.timestamp().rem_euclid(60 * apart) < steps.width.num_seconds();
    let found = steps.starts.iter().enumerate().filter(|(_, at)| round(at));
    let count = steps.starts.len();
    let label = |(nth, (place, at)): (usize, (usize, &DateTime<Utc>))| {
        let x = center(place, count);
        Label {
            x,
            text: short(*at, steps.width),
            anchor: match x {
                x if x < 2.0 => "start",
                x if x > 98.0 => "end",
                _ => "middle",
            },
            is_minor: nth % 3 != 0,
        }
    };
    found.enumerate().map(label).collect()
}

/// How many minutes labels are apart: as few as gives not too many of them.
fn apart(steps: &Steps) -> i64 {
    let (Some(first), Some(last)) = (steps.starts.first(), steps.starts.last()) else {
        return 1;
    };
    let minutes = (*last - *first).num_minutes();
    let fits =
        |apart: &i64| minutes / *apart < MOST_LABELS as i64 && *apart >= steps.width.num_minutes();
    let found = APART.into_iter().find(fits);
    found.unwrap_or_else(|| 43_200 * (minutes / 43_200 / MOST_LABELS as i64 + 1))
}

/// A midnight is told by its day.
fn short(at: DateTime<Utc>, width: TimeDelta) -> String {
    let is_midnight = at.hour() == 0 && at.minute() == 0;
    let form = if is_midnight || width >= TimeDelta::days(1) {
        "%-d %b"
    } else {
        "%H:%M"
    };
    at.format(form).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn steps(from: &str, width: TimeDelta, count: i32) -> Steps {
        let from: DateTime<Utc> = from.parse().unwrap();
        Steps {
            starts: (0..count).map(|at| from + width * at).collect(),
            width,
            complete_through: from + width * count,
        }
    }

    fn told(steps: &Steps) -> Vec<String> {
        labels(steps).into_iter().map(|label| label.text).collect()
    }

    #[test]
    fn labels_stand_at_round_times() {
        let day = steps("2026-11-21T14:00:00Z", TimeDelta::hours(1), 24);
        assert_eq!(
            told(&day),
            [
                "15:00", "18:00", "21:00", "22 Nov", "03:00", "06:00", "09:00", "12:00"
            ]
        );
        let hour = steps("2026-11-21T13:07:00Z", TimeDelta::minutes(1), 60);
        assert_eq!(
            told(&hour),
            ["13:10", "13:20", "13:30", "13:40", "13:50", "14:00"]
        );
        let month = steps("2026-10-23T00:00:00Z", TimeDelta::days(1), 31);
        assert_eq!(told(&month).len(), 6);
        let merged = steps("2026-11-21T13:05:00Z", TimeDelta::minutes(5), 72);
        assert_eq!(told(&merged)[0], "14:00");
    }

    #[test]
    fn there_are_never_too_many_labels_and_one_step_has_its_own() {
        for (width, count) in [
            (TimeDelta::minutes(1), 1),
            (TimeDelta::minutes(1), 15),
            (TimeDelta::minutes(1), 360),
            (TimeDelta::hours(1), 168),
            (TimeDelta::days(1), 90),
            (TimeDelta::days(1), 1_000),
        ] {
            let told = told(&steps("2026-01-01T00:00:00Z", width, count));
            assert!(
                (1..=MOST_LABELS + 1).contains(&told.len()),
                "{count}: {told:?}"
            );
        }
        assert_eq!(
            told(&steps("2026-01-01T00:00:00Z", TimeDelta::hours(1), 0)).len(),
            0
        );
    }

    #[test]
    fn times_are_told_as_people_read_them() {
        let day = steps("2026-11-21T14:00:00Z", TimeDelta::hours(1), 2);
        assert_eq!(range(&day), "21 Nov 2026, 14:00 to 21 Nov 2026, 15:00 UTC");
        let days = steps("2026-11-21T00:00:00Z", TimeDelta::days(1), 1);
        assert_eq!(range(&days), "21 Nov 2026 UTC");
        assert_eq!(step(TimeDelta::minutes(5)), "in 5 minutes");
    }
}
