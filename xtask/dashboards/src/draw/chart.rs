//! Lines over time.

use std::collections::BTreeMap;

use chrono::DateTime;
use plotters::prelude::*;

use super::{
    Area, BORDER, Drawn, FAINT, Failure, INK, Named, by_name, format, named, of_series, write,
};
use crate::grafana::Range;

const LEGEND: u32 = 16;

pub(super) fn draw(area: &Area<'_>, drawn: &Drawn<'_>, range: &Range) -> Result<(), Failure> {
    let mut series = named(drawn);
    series.retain(|it| it.last().is_some());
    let (width, height) = area.dim_in_pixel();
    let lines = legend_lines(&series, width);
    let room = height - LEGEND * u32::try_from(lines.len())?;
    let stacked = drawn.panel.field_config.defaults.custom.stacking.mode == "normal";
    let shown = if stacked {
        stack(&series)
    } else {
        series.iter().map(|it| it.points.clone()).collect()
    };
    let all = shown.iter().flatten().map(|(_, value)| *value);
    let largest = all.filter(|value| value.is_finite()).fold(0.0, f64::max);
    let top = if largest > 0.0 { largest * 1.12 } else { 1.0 };
    let from = range.from.timestamp_millis() as f64 / 1e3;
    let (earliest, latest) = shown.iter().flatten().fold(
        (from, range.to.timestamp_millis() as f64 / 1e3),
        |(first, last), (time, _)| (first.min(*time), last.max(*time)),
    );
    let chart_area = area.clone().shrink((0, 0), (width, room));
    let mut chart = ChartBuilder::on(&chart_area)
        .margin(4)
        .x_label_area_size(20)
        .y_label_area_size(62)
        .build_cartesian_2d(earliest..latest, 0.0..top)?;
    let defaults = &drawn.panel.field_config.defaults;
    let long = latest - earliest > 86_400.0;
    chart
        .configure_mesh()
        .x_labels(6)
        .y_labels(5)
        .light_line_style(TRANSPARENT)
        .bold_line_style(BORDER.mix(0.6))
        .axis_style(BORDER)
        .label_style(("sans-serif", 11).into_font().color(&FAINT))
        .y_label_formatter(&|value| format::in_unit(*value, &defaults.unit, None))
        .x_label_formatter(&|time| moment(*time, long))
        .draw()?;
    for step in &defaults.thresholds.steps {
        if let Some(value) = step.value.filter(|value| *value < top) {
            let line = [(earliest, value), (latest, value)];
            let style = by_name(&step.color).mix(0.6).stroke_width(1);
            chart.draw_series(std::iter::once(PathElement::new(line, style)))?;
        }
    }
    // The topmost of a stack is drawn first, and the others on it.
    for (index, points) in shown.iter().enumerate().rev() {
        let colour = of_series(drawn.panel, &series[index].name, index);
        for part in unbroken(points) {
            if stacked {
                let mut around = part.clone();
                let ends = (part.last().map(|it| it.0), part.first().map(|it| it.0));
                if let (Some(last), Some(first)) = ends {
                    around.extend([(last, 0.0), (first, 0.0)]);
                }
                let fill = std::iter::once(Polygon::new(around, mixed(colour).filled()));
                chart.draw_series(fill)?;
            }
            if part.len() == 1 {
                let dot = Circle::new(part[0], 2, colour.filled());
                chart.draw_series(std::iter::once(dot))?;
            } else {
                chart.draw_series(LineSeries::new(part, colour.stroke_width(2)))?;
            }
        }
    }
    for (line, entries) in lines.iter().enumerate() {
        let y = (room + LEGEND * u32::try_from(line)?) as i32;
        for (x, index, name) in entries {
            let square = [(*x, y + 3), (*x + 9, y + 11)];
            let colour = of_series(drawn.panel, &series[*index].name, *index);
            area.draw(&Rectangle::new(square, colour.filled()))?;
            write(area, name, (*x + 13, y), 11, &INK)?;
        }
    }
    Ok(())
}

/// A light colour that covers what is behind it.
fn mixed(RGBColor(red, green, blue): RGBColor) -> RGBColor {
    let lighter = |part: u8| part / 2 + 127;
    RGBColor(lighter(red), lighter(green), lighter(blue))
}

fn moment(time: f64, long: bool) -> String {
    let time = DateTime::from_timestamp(time as i64, 0).unwrap_or_default();
    let form = if long { "%d %b %H:%M" } else { "%H:%M:%S" };
    time.format(form).to_string()
}

/// The parts of a line between moments without a value.
fn unbroken(points: &[(f64, f64)]) -> Vec<Vec<(f64, f64)>> {
    let parts = points.split(|(_, value)| !value.is_finite());
    parts
        .filter(|part| !part.is_empty())
        .map(<[_]>::to_vec)
        .collect()
}

/// Each series on top of those before it.
fn stack(series: &[Named]) -> Vec<Vec<(f64, f64)>> {
    let mut below: BTreeMap<i64, f64> = BTreeMap::new();
    let times = series.iter().flat_map(|it| &it.points);
    for (time, _) in times {
        below.insert((time * 1e3) as i64, 0.0);
    }
    let mut stacked = Vec::with_capacity(series.len());
    for one in series {
        let own: BTreeMap<i64, f64> = one
            .points
            .iter()
            .map(|(time, value)| ((time * 1e3) as i64, *value))
            .collect();
        for (time, sum) in &mut below {
            let value = own.get(time).copied().unwrap_or(0.0);
            *sum += if value.is_finite() { value } else { 0.0 };
        }
        let points = below.iter().map(|(time, sum)| (*time as f64 / 1e3, *sum));
        stacked.push(points.collect());
    }
    stacked
}

type Entry = (i32, usize, String);

/// The names of series, as far as two lines have room for them.
fn legend_lines(series: &[Named], width: u32) -> Vec<Vec<Entry>> {
    let mut lines: Vec<Vec<Entry>> = vec![Vec::new()];
    let mut x = 4;
    for (index, one) in series.iter().enumerate() {
        let name = format::cut(&one.name, 190, 11);
        let taken = format::width(&name, 11) + 26;
        if x + taken > width {
            if lines.len() == 2 {
                break;
            }
            lines.push(Vec::new());
            x = 4;
        }
        if let Some(line) = lines.last_mut() {
            line.push((x as i32, index, name));
        }
        x += taken;
    }
    lines
}
