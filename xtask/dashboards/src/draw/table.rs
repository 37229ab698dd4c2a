//! Rows and columns.

use plotters::prelude::*;

use chrono::{DateTime, Utc};

use super::{Area, BORDER, Drawn, FAINT, Failure, INK, Named, format, write};
use crate::answers::{Answer, Rows};
use crate::files::{Panel, Property};

const LINE: u32 = 20;
const LETTERS: u32 = 12;

pub(super) fn draw(area: &Area<'_>, drawn: &Drawn<'_>) -> Result<(), Failure> {
    let rows = rows(drawn);
    let (width, height) = area.dim_in_pixel();
    let shown = ((height / LINE) as usize).saturating_sub(1);
    let cells: Vec<Vec<String>> = rows
        .rows
        .iter()
        .take(shown)
        .map(|row| {
            let cells = rows.columns.iter().zip(row);
            cells
                .map(|(column, value)| cell(drawn.panel, column, value.as_deref()))
                .collect()
        })
        .collect();
    // Columns have room in proportion to what is in them.
    let wanted: Vec<u32> = rows
        .columns
        .iter()
        .enumerate()
        .map(|(index, name)| {
            let texts = cells.iter().filter_map(|row| row.get(index));
            let widest = texts.chain([name]).map(|text| format::width(text, LETTERS));
            widest.max().unwrap_or(0) + 14
        })
        .collect();
    let all: u32 = wanted.iter().sum::<u32>().max(1);
    let mut x = 4;
    for (index, name) in rows.columns.iter().enumerate() {
        let room = wanted[index] * width / all;
        let fits = format::cut(name, room.saturating_sub(6), LETTERS);
        write(area, &fits, (x as i32, 2), LETTERS, &FAINT)?;
        for (line, row) in cells.iter().enumerate() {
            let y = LINE * (u32::try_from(line)? + 1) + 3;
            let fits = format::cut(&row[index], room.saturating_sub(6), LETTERS);
            write(area, &fits, (x as i32, y as i32), LETTERS, &INK)?;
        }
        x += room;
    }
    for line in 1..=cells.len() {
        let y = (LINE * u32::try_from(line)?) as i32;
        let path = [(0, y), (width as i32, y)];
        area.draw(&PathElement::new(path, BORDER.stroke_width(1)))?;
    }
    Ok(())
}

/// The rows of Postgres, or labels and values of Prometheus.
fn rows(drawn: &Drawn<'_>) -> Rows {
    let mut all = Rows::default();
    for answer in &drawn.answers {
        match answer {
            Answer::Rows(rows) => all = rows.clone(),
            Answer::Series(series) => {
                let labels = series.iter().flat_map(|it| it.labels.keys());
                let mut columns: Vec<String> = labels.cloned().collect();
                columns.sort();
                columns.dedup();
                for one in series {
                    let mut row: Vec<Option<String>> = columns
                        .iter()
                        .map(|label| one.labels.get(label).cloned())
                        .collect();
                    row.push(one.points.last().map(|(_, value)| value.to_string()));
                    all.rows.push(row);
                }
                columns.push("Value".to_owned());
                all.columns = columns;
            }
        }
    }
    all
}

fn cell(panel: &Panel, column: &str, value: Option<&str>) -> String {
    let Some(value) = value else {
        return "-".to_owned();
    };
    if let Some(time) = moment(value) {
        return time.format("%Y-%m-%d %H:%M:%S").to_string();
    }
    let unit = panel.field_config.of(column).find_map(|it| match it {
        Property::Unit(unit) => Some(unit),
        Property::Color(_) => None,
    });
    match (value.parse::<f64>(), unit) {
        (Ok(number), Some(unit)) => format::in_unit(number, unit, None),
        _ => value.to_owned(),
    }
}

fn moment(text: &str) -> Option<DateTime<Utc>> {
    let time = DateTime::parse_from_str(text, "%Y-%m-%d %H:%M:%S%.f%#z").ok()?;
    Some(time.to_utc())
}

/// Rows as series: over time where there is a `time`, else the one value of the first row.
pub(super) fn series(rows: &Rows) -> Vec<Named> {
    let Some(time) = rows.columns.iter().position(|it| it == "time") else {
        let first = rows
            .rows
            .first()
            .and_then(|row| row.first())
            .cloned()
            .flatten();
        let value = first.and_then(|it| it.parse().ok()).unwrap_or(f64::NAN);
        return vec![Named {
            name: String::new(),
            points: vec![(0.0, value)],
        }];
    };
    let metric = rows.columns.iter().position(|it| it == "metric");
    let mut series: Vec<Named> = Vec::new();
    for row in &rows.rows {
        let moment = row[time].as_deref().and_then(moment);
        let moment = moment.map_or(0.0, |it| it.timestamp_millis() as f64 / 1e3);
        for (index, column) in rows.columns.iter().enumerate() {
            if index == time || Some(index) == metric {
                continue;
            }
            let told = metric.and_then(|it| row[it].clone());
            let name = told.unwrap_or_else(|| column.clone());
            let value = row[index].as_deref().and_then(|it| it.parse().ok());
            let point = (moment, value.unwrap_or(f64::NAN));
            match series.iter_mut().find(|it| it.name == name) {
                Some(known) => known.points.push(point),
                None => series.push(Named {
                    name,
                    points: vec![point],
                }),
            }
        }
    }
    series
}
