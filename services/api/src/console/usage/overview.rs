//! The numbers above everything else: totals with their change, and how they went.

use super::breakdown::percent;
use crate::console::chart::{self, Chart, Row, Series, Step, Steps, duration};
use crate::console::words::count;

/// A number, what it is, and how it changed.
#[derive(Debug)]
pub(in crate::console) struct Stat {
    /// What it is.
    pub(in crate::console) label: &'static str,
    /// The number.
    pub(in crate::console) value: String,
    /// How it changed; empty where that cannot be told.
    pub(in crate::console) change: String,
    /// Whether that is `good` or `bad`; empty for neither.
    pub(in crate::console) tone: &'static str,
}

/// Totals and charts.
#[derive(Debug)]
pub(super) struct Overview {
    /// The totals.
    pub(super) stats: Vec<Stat>,
    /// Requests over time.
    pub(super) requests: Chart,
    /// How long they took.
    pub(super) latency: Chart,
    /// Whether there was no request.
    pub(super) is_empty: bool,
}

impl Overview {
    /// Of a series by class of status, the one of the time before, and the steps that are shown.
    pub(super) fn new(
        series: &Series,
        before: Option<&Series>,
        steps: &Steps,
        together: usize,
    ) -> Self {
        let columns = together_steps(steps, together);
        let rows = chart::rows_by_status(series).into_iter().map(|row| Row {
            values: summed(&row.values, together),
            ..row
        });
        Self {
            stats: stats(series, before, steps),
            requests: chart::columns("Requests by status", &columns, rows.collect(), None),
            latency: latency(&series.buckets, steps),
            is_empty: series.total.requests == 0,
        }
    }
}

/// So many steps as one.
fn together_steps(steps: &Steps, together: usize) -> Steps {
    Steps {
        starts: steps
            .starts
            .iter()
            .copied()
            .step_by(together.max(1))
            .collect(),
        width: steps.width * i32::try_from(together).unwrap_or(1),
        complete_through: steps.complete_through,
    }
}

fn summed(values: &[u64], together: usize) -> Vec<u64> {
    let sum = |part: &[u64]| part.iter().fold(0, |sum: u64, n| sum.saturating_add(*n));
    values.chunks(together.max(1)).map(sum).collect()
}

fn latency(buckets: &[Step], steps: &Steps) -> Chart {
    let row = |name: &str, look, of: fn(&chart::Latency) -> u64| Row {
        name: name.to_owned(),
        look,
        values: buckets
            .iter()
            .map(|step| step.figures.latency_us.as_ref().map(of))
            .collect(),
    };
    let rows = vec![
        row("p50", "of-low", |it| it.p50),
        row("p90", "of-mid", |it| it.p90),
        row("p99", "of-high", |it| it.p99),
    ];
    chart::durations("Response time", steps, rows)
}

/// What was in the steps that are over, of both times.
struct Whole {
    requests: u64,
    errors: u64,
}

impl Whole {
    fn of(series: &Series, steps: usize) -> Self {
        let over = series.buckets.iter().take(steps);
        let add = |(requests, errors): (u64, u64), step: &Step| {
            let figures = &step.figures;
            (
                requests.saturating_add(figures.requests),
                errors.saturating_add(figures.errors),
            )
        };
        let (requests, errors) = over.fold((0, 0), add);
        Self { requests, errors }
    }
}

fn stats(series: &Series, before: Option<&Series>, steps: &Steps) -> Vec<Stat> {
    let total = &series.total;
    let is_over = |start: &&chrono::DateTime<chrono::Utc>| **start + steps.width <= series.as_of;
    let over = steps.starts.iter().take_while(is_over).count();
    let both = before
        .filter(|_| over > 0)
        .map(|before| (Whole::of(series, over), Whole::of(before, over)));
    let requests = both
        .as_ref()
        .map(|(now, then)| change(now.requests, then.requests, BEFORE));
    let errors = both.as_ref().and_then(|(now, then)| points(now, then));
    let took = |of: fn(&chart::Latency) -> u64| {
        let latency = total.latency_us.as_ref().map(of);
        latency.map_or_else(|| "–".to_owned(), duration)
    };
    let earlier = |of: fn(&chart::Latency) -> u64| {
        let latency = before
            .and_then(|before| before.total.latency_us.as_ref())
            .map(of);
        latency
            .map(|it| format!("{} before", duration(it)))
            .unwrap_or_default()
    };
    let (errors, tone) = errors.unwrap_or_default();
    vec![
        plain(
            "Requests",
            count(total.requests),
            requests.unwrap_or_default(),
        ),
        Stat {
            label: "Refused or failed",
            value: percent(total.errors, total.requests),
            change: errors,
            tone,
        },
        plain(
            "Response time, median",
            took(|it| it.p50),
            earlier(|it| it.p50),
        ),
        plain(
            "Response time, p99",
            took(|it| it.p99),
            earlier(|it| it.p99),
        ),
    ]
}

const fn plain(label: &'static str, value: String, change: String) -> Stat {
    Stat {
        label,
        value,
        change,
        tone: "",
    }
}

/// What numbers are compared with.
const BEFORE: &str = "the time before";

/// How a count changed: `+12% on the time before`.
pub(in crate::console) fn change(now: u64, then: u64, before: &str) -> String {
    if then == 0 {
        return if now == 0 {
            String::new()
        } else {
            "none before".to_owned()
        };
    }
    let change = 100.0 * (now as f64 - then as f64) / then as f64;
    match change {
        change if change.abs() < 0.5 => "as before".to_owned(),
        change if change >= 1_000.0 => {
            format!("{:.0} times as many as before", now as f64 / then as f64)
        }
        change => format!("{}{:.0}% on {before}", sign(change), change.abs()),
    }
}

fn points(now: &Whole, then: &Whole) -> Option<(String, &'static str)> {
    if now.requests == 0 || then.requests == 0 {
        return None;
    }
    let share = |whole: &Whole| 100.0 * whole.errors as f64 / whole.requests as f64;
    let change = share(now) - share(then);
    if change.abs() < 0.05 {
        return Some(("as before".to_owned(), ""));
    }
    let tone = if change > 0.0 { "bad" } else { "good" };
    Some((
        format!(
            "{}{:.1} points on the time before",
            sign(change),
            change.abs()
        ),
        tone,
    ))
}

const fn sign(change: f64) -> char {
    if change < 0.0 { '−' } else { '+' }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_are_told_in_words() {
        let change = |now, then| change(now, then, "yesterday");
        assert_eq!(change(0, 0), "");
        assert_eq!(change(5, 0), "none before");
        assert_eq!(change(1_000, 1_001), "as before");
        assert_eq!(change(112, 100), "+12% on yesterday");
        assert_eq!(change(50, 100), "−50% on yesterday");
        assert_eq!(change(5_000, 100), "50 times as many as before");
        assert_eq!(change(0, 100), "−100% on yesterday");
    }

    #[test]
    fn more_errors_are_bad() {
        let whole = |requests, errors| Whole { requests, errors };
        let told = |now, then| points(&now, &then);
        assert_eq!(told(whole(0, 0), whole(10, 1)), None);
        assert_eq!(told(whole(100, 2), whole(100, 1)).unwrap().1, "bad");
        assert_eq!(told(whole(100, 1), whole(100, 2)).unwrap().1, "good");
        assert_eq!(told(whole(100, 1), whole(200, 2)).unwrap().0, "as before");
    }

    #[test]
    fn steps_are_put_together_whole_ones_and_what_is_left() {
        assert_eq!(summed(&[1, 2, 3, 4, 5], 2), [3, 7, 5]);
        assert_eq!(summed(&[1, 2], 1), [1, 2]);
        assert_eq!(summed(&[u64::MAX, 2], 5), [u64::MAX]);
    }
}
