//! Charts, drawn by the server as SVG: the shapes in per cent of the width, so that letters stay as large as
//! they are on any screen, the colours by the classes of the styles. The same numbers stand beside as a table.

mod drawing;
mod scale;
mod series;
mod shares;
mod times;

use askama::Template;
use chrono::{DateTime, TimeDelta, Utc};

pub(super) use scale::duration;
pub(super) use series::{Group, Latency, Series, Step, Width};
pub(super) use shares::{Share, Spark};

use drawing::{Bar, Hit, Label, Line, Place, Rule};
use scale::Scale;

use super::words::count;

/// How high the part of a drawing is in which the shapes are.
const HEIGHT: f64 = 200.0;

/// What is told over time: the beginnings of equal steps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Steps {
    /// When each begins.
    pub(super) starts: Vec<DateTime<Utc>>,
    /// How long each is.
    pub(super) width: TimeDelta,
    /// Until when all is told. What comes after may grow.
    pub(super) complete_through: DateTime<Utc>,
}

/// One kind of thing that is told.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Row<T> {
    /// Its name.
    pub(super) name: String,
    /// Its look, as the styles name it.
    pub(super) look: &'static str,
    /// What is told of each step.
    pub(super) values: Vec<T>,
}

/// One entry of the legend.
#[derive(Debug)]
struct Key {
    name: String,
    look: &'static str,
    total: String,
    is_line: bool,
}

/// What the drawing tells, in words.
#[derive(Debug)]
struct Table {
    head: Vec<String>,
    rows: Vec<(String, Vec<String>)>,
}

/// A chart. It is its own markup: write it into a page as it is.
#[derive(Debug, Template)]
#[template(path = "console/chart/chart.html")]
pub(super) struct Chart {
    title: String,
    summary: String,
    keys: Vec<Key>,
    rules: Vec<Rule>,
    labels: Vec<Label>,
    bars: Vec<Bar>,
    lines: Vec<Line>,
    waiting: Option<Place>,
    hits: Vec<Hit>,
    table: Table,
    is_empty: bool,
}

// The template escapes what it shows.
impl askama::filters::HtmlSafe for Chart {}

/// The classes of a status, from the bottom of a column to its top, and how they look.
const CLASSES: [(&str, &str); 7] = [
    ("2xx", "of-success"),
    ("3xx", "of-redirect"),
    ("1xx", "of-other"),
    ("other", "of-other"),
    ("(other)", "of-other"),
    ("4xx", "of-client"),
    ("5xx", "of-server"),
];

/// How many requests came to which class of status: of a series that is grouped by `status_class`.
pub(super) fn requests_by_status(series: &Series) -> Chart {
    let steps = series.steps();
    columns("Requests by status", &steps, rows_by_status(series), None)
}

/// The same as rows, those of nothing left out.
pub(super) fn rows_by_status(series: &Series) -> Vec<Row<u64>> {
    let groups = series.groups.as_deref().unwrap_or_default();
    let row = |(name, look): &(&str, &'static str)| {
        let group = groups.iter().find(|group| group.key == *name)?;
        let values = group.buckets.iter().map(|step| step.figures.requests);
        Some(Row {
            name: (*name).to_owned(),
            look,
            values: values.collect(),
        })
    };
    CLASSES.iter().filter_map(row).collect()
}

/// Columns of counts on top of each other, and what there was a while before as a line.
pub(super) fn columns(
    title: &str,
    steps: &Steps,
    rows: Vec<Row<u64>>,
    before: Option<Row<u64>>,
) -> Chart {
    let sums = drawing::sums(steps.starts.len(), &rows);
    let earlier = before.iter().flat_map(|row| row.values.iter().copied());
    let largest = sums.iter().copied().chain(earlier).max().unwrap_or(0);
    let scale = Scale::of_counts(largest);
    let total = |row: &Row<u64>| {
        row.values
            .iter()
            .fold(0, |sum: u64, n| sum.saturating_add(*n))
    };
    let all = sums.iter().fold(0, |sum: u64, n| sum.saturating_add(*n));
    let mut keys: Vec<Key> = rows
        .iter()
        .map(|row| key(row, count(total(row)), false))
        .collect();
    keys.extend(before.iter().map(|row| key(row, count(total(row)), true)));
    let mut head: Vec<String> = rows.iter().map(|row| row.name.clone()).collect();
    head.push("All".to_owned());
    head.extend(before.iter().map(|row| row.name.clone()));
    let cells = |at: usize| {
        let of = |row: &Row<u64>| count(row.values.get(at).copied().unwrap_or(0));
        let mut cells: Vec<String> = rows.iter().map(of).collect();
        cells.push(count(sums[at]));
        cells.extend(before.iter().map(of));
        cells
    };
    let lines = before.iter().map(|row| {
        let values = row.values.iter().map(|n| Some(*n as f64));
        drawing::line(row.look, &values.collect::<Vec<_>>(), &scale)
    });
    let most = sums.iter().copied().max().unwrap_or(0);
    let unit = times::step(steps.width);
    Chart {
        summary: format!(
            "{title}, {}: {} in all, at most {} {unit}.",
            times::range(steps),
            count(all),
            count(most),
        ),
        bars: drawing::bars(&rows, &scale),
        lines: lines.collect(),
        is_empty: largest == 0,
        ..framed(title, steps, &scale, keys, head, cells)
    }
}

/// Lines of how long something took, in microseconds; none where nothing is known.
pub(super) fn durations(title: &str, steps: &Steps, rows: Vec<Row<Option<u64>>>) -> Chart {
    let known = rows.iter().flat_map(|row| row.values.iter().copied());
    let largest = known.flatten().max();
    let scale = Scale::of_durations(largest.unwrap_or(0));
    let most = |row: &Row<Option<u64>>| row.values.iter().copied().flatten().max();
    let told = |micros: Option<u64>| micros.map_or_else(|| "–".to_owned(), duration);
    let keys = rows.iter().map(|row| {
        let most = most(row).map(|it| format!("up to {}", duration(it)));
        key(row, most.unwrap_or_default(), true)
    });
    let head = rows.iter().map(|row| row.name.clone()).collect();
    let of = |row: &Row<Option<u64>>, at: usize| told(row.values.get(at).copied().flatten());
    let cells = |at: usize| rows.iter().map(|row| of(row, at)).collect();
    let lines = rows.iter().map(|row| {
        let values = row.values.iter().map(|it| it.map(|micros| micros as f64));
        drawing::line(row.look, &values.collect::<Vec<_>>(), &scale)
    });
    Chart {
        summary: format!(
            "{title}, {}: at most {}.",
            times::range(steps),
            told(largest)
        ),
        lines: lines.collect(),
        is_empty: largest.is_none(),
        ..framed(title, steps, &scale, keys.collect(), head, cells)
    }
}

fn key<T>(row: &Row<T>, total: String, is_line: bool) -> Key {
    Key {
        name: row.name.clone(),
        look: row.look,
        total,
        is_line,
    }
}

/// Everything but the shapes.
fn framed(
    title: &str,
    steps: &Steps,
    scale: &Scale,
    keys: Vec<Key>,
    head: Vec<String>,
    cells: impl Fn(usize) -> Vec<String>,
) -> Chart {
    let names: Vec<String> = steps
        .starts
        .iter()
        .map(|at| times::name(*at, steps.width))
        .collect();
    let rows: Vec<_> = names
        .into_iter()
        .enumerate()
        .map(|(at, name)| (name, cells(at)))
        .collect();
    Chart {
        title: title.to_owned(),
        summary: String::new(),
        keys,
        rules: drawing::rules(scale),
        labels: times::labels(steps),
        bars: Vec::new(),
        lines: Vec::new(),
        waiting: drawing::waiting(steps),
        hits: drawing::hits(&head, &rows),
        table: Table { head, rows },
        is_empty: true,
    }
}

#[cfg(test)]
mod tests;
