//! Where the shapes of a chart stand: across in per cent of the width, down in pixels.

use std::fmt;

use super::scale::Scale;
use super::{HEIGHT, Row, Steps};

/// A number as markup has it: two decimals at most.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Measure(pub(super) f64);

impl fmt::Display for Measure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = format!("{:.2}", self.0);
        f.write_str(text.trim_end_matches('0').trim_end_matches('.'))
    }
}

/// A mark of the scale.
#[derive(Debug)]
pub(super) struct Rule {
    pub(super) y: Measure,
    pub(super) text: String,
}

/// A time below the drawing.
#[derive(Debug)]
pub(super) struct Label {
    pub(super) x: f64,
    pub(super) text: String,
    pub(super) anchor: &'static str,
    /// Whether it is left out where there is little room.
    pub(super) is_minor: bool,
}

impl Label {
    /// Where it stands.
    pub(super) fn left(&self) -> Measure {
        Measure(self.x)
    }
}

/// A part of a column.
#[derive(Debug)]
pub(super) struct Bar {
    pub(super) look: &'static str,
    pub(super) x: Measure,
    pub(super) width: Measure,
    pub(super) y: Measure,
    pub(super) height: Measure,
}

/// A line, in a box of 1,000 by [`HEIGHT`] that is stretched.
#[derive(Debug)]
pub(super) struct Line {
    pub(super) look: &'static str,
    pub(super) path: String,
}

/// From where to how far.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) x: Measure,
    pub(super) width: Measure,
}

/// Where the pointer is told about a step.
#[derive(Debug)]
pub(super) struct Hit {
    pub(super) place: Place,
    pub(super) text: String,
}

/// The middle of one of so many steps.
pub(super) fn center(place: usize, count: usize) -> f64 {
    (place as f64 + 0.5) * 100.0 / count as f64
}

/// All rows of each step together.
pub(super) fn sums(steps: usize, rows: &[Row<u64>]) -> Vec<u64> {
    let value = |row: &Row<u64>, at: usize| row.values.get(at).copied().unwrap_or(0);
    let sum = |at| {
        rows.iter()
            .fold(0, |sum: u64, row| sum.saturating_add(value(row, at)))
    };
    (0..steps).map(sum).collect()
}

/// The marks of a scale.
pub(super) fn rules(scale: &Scale) -> Vec<Rule> {
    let rule = |(at, text): &(f64, String)| Rule {
        y: Measure(HEIGHT * (1.0 - scale.part(*at))),
        text: text.clone(),
    };
    scale.marks.iter().map(rule).collect()
}

/// The parts of all columns.
pub(super) fn bars(rows: &[Row<u64>], scale: &Scale) -> Vec<Bar> {
    let count = rows.iter().map(|row| row.values.len()).max().unwrap_or(0);
    let whole = 100.0 / count.max(1) as f64;
    let width = whole * if count > 100 { 0.9 } else { 0.76 };
    let mut bars = Vec::new();
    for at in 0..count {
        let mut bottom = 0.0;
        for row in rows {
            let value = row.values.get(at).copied().unwrap_or(0) as f64;
            if value <= 0.0 {
                continue;
            }
            // What is there is seen, however little it is beside the rest.
            let height = (HEIGHT * scale.part(value)).max(1.0);
            let top = (HEIGHT - bottom - height).max(0.0);
            bars.push(Bar {
                look: row.look,
                x: Measure(whole * at as f64 + (whole - width) / 2.0),
                width: Measure(width),
                y: Measure(top),
                height: Measure(height.min(HEIGHT)),
            });
            bottom += height;
        }
    }
    bars
}

/// The way from step to step; broken where nothing is known.
pub(super) fn line(look: &'static str, values: &[Option<f64>], scale: &Scale) -> Line {
    let mut path = String::new();
    let mut is_drawing = false;
    for (at, value) in values.iter().enumerate() {
        let Some(value) = value else {
            is_drawing = false;
            continue;
        };
        let x = Measure(10.0 * center(at, values.len()));
        let y = Measure(HEIGHT * (1.0 - scale.part(*value)));
        if is_drawing {
            path.push_str(&format!("L{x} {y}"));
        } else {
            // So that a step alone is a dot.
            path.push_str(&format!("M{x} {y}h.1"));
        }
        is_drawing = true;
    }
    Line { look, path }
}

/// What may still grow: from the step on that is not complete.
pub(super) fn waiting(steps: &Steps) -> Option<Place> {
    let is_complete = |end| end <= steps.complete_through;
    let complete = steps
        .starts
        .iter()
        .take_while(|start| is_complete(**start + steps.width));
    let (complete, count) = (complete.count(), steps.starts.len());
    let x = 100.0 * complete as f64 / count.max(1) as f64;
    (complete < count).then_some(Place {
        x: Measure(x),
        width: Measure(100.0 - x),
    })
}

/// One for each line of the table, with what it says.
pub(super) fn hits(head: &[String], rows: &[(String, Vec<String>)]) -> Vec<Hit> {
    let width = 100.0 / rows.len().max(1) as f64;
    let hit = |(at, (name, cells)): (usize, &(String, Vec<String>))| {
        let told = head
            .iter()
            .zip(cells)
            .map(|(head, cell)| format!("\n{head}: {cell}"));
        Hit {
            place: Place {
                x: Measure(width * at as f64),
                width: Measure(width),
            },
            text: format!("{name} UTC{}", told.collect::<String>()),
        }
    };
    rows.iter().enumerate().map(hit).collect()
}
