//! The requests of today beside those of yesterday, by UTC.

use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;

use crate::console::api::Api;
use crate::console::chart::{self, Chart, Row, Series, Step, Steps, Width};
use crate::console::usage::{self, Card, Stat, Window};
use crate::console::words::count;

/// The hours of a day.
const HOURS: usize = 24;

#[derive(Debug, Serialize)]
struct Question {
    from: String,
    bucket: &'static str,
    group_by: &'static str,
}

/// What tokens were used for today.
#[derive(Debug)]
pub(super) struct Today {
    /// The numbers.
    pub(super) stats: Vec<Stat>,
    /// The hours of today, and those of yesterday as a line.
    pub(super) chart: Chart,
}

/// Reads it.
pub(super) async fn read(api: &Api, now: DateTime<Utc>) -> Card<Today> {
    let today = Window::ending(now, Width::Day, 1, 1).from;
    let question = Question {
        from: usage::machine(today - TimeDelta::days(1)),
        bucket: Width::Hour.as_str(),
        group_by: "status_class",
    };
    let series: Series = usage::read(api, "/v1/usage", &question).await?;
    Ok(Today::new(&series, today))
}

impl Today {
    fn new(series: &Series, today: DateTime<Utc>) -> Self {
        let hour = Width::Hour.span();
        let starts = (0..HOURS as i32).map(|at| today + hour * at).collect();
        let steps = Steps {
            starts,
            width: hour,
            complete_through: series.as_of,
        };
        let rows = chart::rows_by_status(series).into_iter().filter_map(|row| {
            let values: Vec<u64> = padded(row.values.into_iter().skip(HOURS));
            values
                .iter()
                .any(|n| *n > 0)
                .then_some(Row { values, ..row })
        });
        let requests = |step: &Step| step.figures.requests;
        let yesterday = Row {
            name: "Yesterday".to_owned(),
            look: "of-other",
            values: padded(series.buckets.iter().take(HOURS).map(requests)),
        };
        Self {
            stats: stats(&series.buckets, series.as_of),
            chart: chart::columns("Requests today", &steps, rows.collect(), Some(yesterday)),
        }
    }
}

/// So many as a day has hours.
fn padded(values: impl Iterator<Item = u64>) -> Vec<u64> {
    values.chain(std::iter::repeat(0)).take(HOURS).collect()
}

fn stats(hours: &[Step], as_of: DateTime<Utc>) -> Vec<Stat> {
    let (yesterday, today) = hours.split_at(hours.len().min(HOURS));
    let requests = |steps: &[Step]| -> u64 { steps.iter().map(|it| it.figures.requests).sum() };
    let errors = |steps: &[Step]| -> u64 { steps.iter().map(|it| it.figures.errors).sum() };
    let is_over = |step: &&Step| step.start + Width::Hour.span() <= as_of;
    let over = today.iter().take_while(is_over).count();
    let change = match over {
        0 => String::new(),
        over => {
            let then = yesterday.get(..over).map_or(0, requests);
            usage::change(requests(&today[..over]), then, "yesterday by then")
        }
    };
    let stat = |label, value, change| Stat {
        label,
        value,
        change,
        tone: "",
    };
    let share = |steps: &[Step]| usage::percent(errors(steps), requests(steps));
    vec![
        stat("Requests today", count(requests(today)), change),
        stat(
            "Refused or failed today",
            share(today),
            format!("{} yesterday", share(yesterday)),
        ),
        stat(
            "Requests yesterday",
            count(requests(yesterday)),
            String::new(),
        ),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    #[test]
    fn hours_that_are_over_are_compared_with_the_same_of_yesterday() {
        let midnight: DateTime<Utc> = "2026-11-20T00:00:00Z".parse().unwrap();
        let hour = |at: i32| -> Step {
            let requests = if at < 24 { 10 } else { 20 };
            let start = midnight + TimeDelta::hours(1) * at;
            let step = serde_json::json!({
                "start": start, "requests": requests, "errors": 1, "latency_us": null,
            });
            serde_json::from_value(step).unwrap()
        };
        let hours: Vec<Step> = (0..27).map(hour).collect();
        let told = stats(&hours, midnight + TimeDelta::minutes(26 * 60 + 30));
        assert_eq!(
            (told[0].value.as_str(), told[0].change.as_str()),
            ("60", "+100% on yesterday by then")
        );
        assert_eq!(
            (told[1].value.as_str(), told[1].change.as_str()),
            ("5.0%", "10% yesterday")
        );
        assert_eq!(told[2].value, "240");
        assert_eq!(stats(&[], midnight)[0].value, "0");
    }
}
