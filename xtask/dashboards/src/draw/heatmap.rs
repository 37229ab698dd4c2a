//! How a distribution changes over time.

use plotters::prelude::*;

use super::{Area, Drawn, FAINT, Failure, format, write};
use crate::answers::Answer;
use crate::grafana::Range;

const LABELS: u32 = 58;
const FOOT: u32 = 18;

pub(super) fn draw(area: &Area<'_>, drawn: &Drawn<'_>, range: &Range) -> Result<(), Failure> {
    let mut buckets = Vec::new();
    for answer in &drawn.answers {
        if let Answer::Series(series) = answer {
            for one in series {
                let bound = one.labels.get("le").map_or("", String::as_str);
                buckets.push((bound.parse().unwrap_or(f64::INFINITY), &one.points));
            }
        }
    }
    buckets.sort_by(|(one, _), (other, _)| f64::total_cmp(one, other));
    let count = u32::try_from(buckets.len().max(1))?;
    let (width, height) = area.dim_in_pixel();
    let (tall, wide) = (
        f64::from(height - FOOT) / f64::from(count),
        f64::from(width - LABELS),
    );
    let from = range.from.timestamp_millis() as f64 / 1e3;
    let length = (range.to - range.from).num_milliseconds() as f64 / 1e3;
    let step = range.step().num_seconds() as f64;
    // What is in a bucket and in none below it.
    let mut cells = Vec::new();
    for (index, (_, points)) in buckets.iter().enumerate() {
        for (place, (time, upto)) in points.iter().enumerate() {
            let below = index.checked_sub(1).and_then(|it| buckets[it].1.get(place));
            cells.push((index, *time, upto - below.map_or(0.0, |(_, value)| *value)));
        }
    }
    let most = cells
        .iter()
        .fold(f64::MIN_POSITIVE, |most, cell| most.max(cell.2));
    for (index, time, value) in cells {
        if value.is_nan() || value <= most / 1e4 {
            continue;
        }
        let left = f64::from(LABELS) + (time - from) / length * wide;
        let lower = f64::from(height - FOOT) - index as f64 * tall;
        let right = (left + (step / length * wide - 1.0).max(1.5)).min(f64::from(width));
        let place = [
            (left as i32, (lower - tall + 1.0) as i32),
            (right as i32, lower as i32),
        ];
        area.draw(&Rectangle::new(place, heat((value / most).sqrt()).filled()))?;
    }
    let every = (14.0 / tall).ceil().max(1.0) as usize;
    for (index, (bound, _)) in buckets.iter().enumerate().step_by(every) {
        let text = if bound.is_finite() {
            format::in_unit(*bound, &drawn.panel.field_config.defaults.unit, None)
        } else {
            "more".to_owned()
        };
        let y = f64::from(height - FOOT) - (index as f64 + 0.5) * tall - 6.0;
        write(area, &text, (2, y as i32), 11, &FAINT)?;
    }
    for (x, time) in [(LABELS, range.from), (width - 60, range.to)] {
        let text = time.format("%H:%M:%S").to_string();
        write(
            area,
            &text,
            (x as i32, (height - FOOT + 4) as i32),
            11,
            &FAINT,
        )?;
    }
    Ok(())
}

/// From a pale yellow to a dark red.
fn heat(share: f64) -> RGBColor {
    let between = |from: f64, to: f64| (from + (to - from) * share) as u8;
    RGBColor(
        between(255.0, 150.0),
        between(236.0, 30.0),
        between(200.0, 10.0),
    )
}
