//! Small drawings within a line of a table: how much of the most something is, and how it went.

use askama::Template;

use super::drawing::{self, Line, Measure};
use super::scale::Scale;

/// A bar as long as something's share of the largest, and within it the part that was refused.
#[derive(Debug, Template)]
#[template(
    source = r#"<div class="bar-cell"><svg width="100%" height="8" aria-hidden="true"><rect class="track" width="100%" height="8" rx="4"/><rect class="fill" width="{{ whole }}%" height="8" rx="4"/>{% if part.0 > 0.0 %}<rect class="refused" width="{{ part }}%" height="8" rx="4"/>{% endif %}</svg></div>"#,
    ext = "html"
)]
pub(in crate::console) struct Share {
    whole: Measure,
    part: Measure,
}

impl askama::filters::HtmlSafe for Share {}

impl Share {
    /// Of `number`, of which `refused` were, beside the largest of its table.
    pub(in crate::console) fn new(number: u64, refused: u64, largest: u64) -> Self {
        let part = |number: u64| 100.0 * number.min(largest) as f64 / largest.max(1) as f64;
        Self {
            whole: Measure(part(number)),
            part: Measure(part(refused.min(number))),
        }
    }
}

/// How a number went, as a line without a scale.
#[derive(Debug, Template)]
#[template(
    source = r#"<svg class="sparkline" viewBox="0 -2 1000 204" preserveAspectRatio="none" aria-hidden="true"><path class="area" d="{{ line.path }}V200H{{ first }}Z"/><path d="{{ line.path }}"/></svg>"#,
    ext = "html"
)]
pub(in crate::console) struct Spark {
    line: Line,
    first: Measure,
}

impl askama::filters::HtmlSafe for Spark {}

impl Spark {
    /// Of these numbers; a flat line at the bottom where there is none.
    pub(in crate::console) fn new(values: &[u64]) -> Self {
        let values = if values.is_empty() { &[0] } else { values };
        let largest = values.iter().copied().max().unwrap_or(0);
        let scale = Scale::of_counts(largest);
        let known: Vec<_> = values.iter().map(|n| Some(*n as f64)).collect();
        Self {
            line: drawing::line("", &known, &scale),
            first: Measure(10.0 * drawing::center(0, values.len())),
        }
    }
}
