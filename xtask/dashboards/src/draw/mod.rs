//! Dashboards as pictures: each panel where Grafana would put it, with what it was answered.

mod bars;
mod chart;
mod format;
mod heatmap;
mod stat;
mod table;

use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use crate::answers::Answer;
use crate::files::{Dashboard, Panel, Place, Property};
use crate::grafana::Range;
use crate::prometheus::Series;

/// Why a picture cannot be drawn.
pub type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Where something is drawn.
type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;

/// The size of a cell of Grafana's grid, and of what stands above the panels.
const COLUMN: u32 = 66;
const ROW: u32 = 32;
const HEAD: u32 = 58;
const GAP: u32 = 4;

const PAGE: RGBColor = RGBColor(244, 245, 245);
const BORDER: RGBColor = RGBColor(214, 217, 222);
const INK: RGBColor = RGBColor(36, 41, 46);
const FAINT: RGBColor = RGBColor(110, 118, 128);

/// What is drawn of a panel.
pub struct Drawn<'a> {
    /// The panel.
    pub panel: &'a Panel,
    /// The answer to each of its questions; none for a heading.
    pub answers: Vec<Answer>,
}

/// The page of a dashboard as SVG, with its size.
///
/// # Errors
/// When something cannot be drawn.
pub fn page(
    dashboard: &Dashboard,
    panels: &[Drawn<'_>],
    range: &Range,
) -> Result<(String, (u32, u32)), Failure> {
    let bottom = panels
        .iter()
        .map(|it| it.panel.grid_pos.y + it.panel.grid_pos.h)
        .max();
    let size = (24 * COLUMN, HEAD + bottom.unwrap_or(0) * ROW + GAP);
    let mut svg = String::new();
    {
        let area = SVGBackend::with_string(&mut svg, size).into_drawing_area();
        area.fill(&PAGE)?;
        write(&area, &dashboard.title, (12, 10), 20, &INK)?;
        let from = range.from.format("%Y-%m-%d %H:%M:%S");
        let what = format!(
            "{} {from} to {} UTC.",
            dashboard.description,
            range.to.format("%Y-%m-%d %H:%M:%S")
        );
        write(&area, &what, (12, 36), 13, &FAINT)?;
        for drawn in panels {
            let Place { x, y, w, h } = drawn.panel.grid_pos;
            let corner = (x * COLUMN + GAP, HEAD + y * ROW + GAP);
            let inside = area
                .clone()
                .shrink(corner, (w * COLUMN - GAP, h * ROW - GAP));
            panel(&inside, drawn, range)?;
        }
        area.present()?;
    }
    Ok((svg, size))
}

fn panel(area: &Area<'_>, drawn: &Drawn<'_>, range: &Range) -> Result<(), Failure> {
    let (width, height) = area.dim_in_pixel();
    if drawn.panel.kind == "row" {
        return write(area, &drawn.panel.title, (4, 6), 15, &INK);
    }
    let (right, bottom) = (width as i32 - 1, height as i32 - 1);
    let frame = [(0, 0), (right, bottom)];
    area.draw(&Rectangle::new(frame, WHITE.filled()))?;
    area.draw(&Rectangle::new(frame, BORDER.stroke_width(1)))?;
    write(
        area,
        &format::cut(&drawn.panel.title, width, 13),
        (8, 6),
        13,
        &INK,
    )?;
    let inside = area.clone().shrink((6, 26), (width - 12, height - 32));
    match drawn.panel.kind.as_str() {
        "stat" => stat::draw(&inside, drawn),
        "timeseries" => chart::draw(&inside, drawn, range),
        "bargauge" => bars::draw(&inside, drawn),
        "heatmap" => heatmap::draw(&inside, drawn, range),
        "table" => table::draw(&inside, drawn),
        other => Err(format!("nobody knows how to draw a {other}").into()),
    }
}

fn write(
    area: &Area<'_>,
    text: &str,
    at: (i32, i32),
    size: u32,
    colour: &RGBColor,
) -> Result<(), Failure> {
    let style = ("sans-serif", size).into_font().color(colour);
    Ok(area.draw(&Text::new(text.to_owned(), at, style))?)
}

/// Writes a text around a point.
fn write_around(
    area: &Area<'_>,
    text: &str,
    at: (i32, i32),
    size: u32,
    colour: &RGBColor,
) -> Result<(), Failure> {
    let middle = Pos::new(HPos::Center, VPos::Center);
    let style = ("sans-serif", size).into_font().color(colour).pos(middle);
    Ok(area.draw(&Text::new(text.to_owned(), at, style))?)
}

/// A series with the name that its legend gives it.
struct Named {
    name: String,
    points: Vec<(f64, f64)>,
}

impl Named {
    fn last(&self) -> Option<f64> {
        let known = self.points.iter().rev().map(|(_, value)| *value);
        known.into_iter().find(|value| value.is_finite())
    }
}

/// Everything a panel is to show as series, rows of Postgres among it.
fn named(drawn: &Drawn<'_>) -> Vec<Named> {
    let mut all = Vec::new();
    for (target, answer) in drawn.panel.targets.iter().zip(&drawn.answers) {
        match answer {
            Answer::Series(series) => all.extend(series.iter().map(|it| Named {
                name: legend(&target.legend_format, it),
                points: it.points.clone(),
            })),
            Answer::Rows(rows) => all.extend(table::series(rows)),
        }
    }
    all
}

/// A legend's format with the labels of a series.
fn legend(format: &str, series: &Series) -> String {
    let mut name = format.to_owned();
    for (label, value) in &series.labels {
        name = name.replace(&format!("{{{{{label}}}}}"), value);
    }
    name
}

/// The colour of a value: by its mapping, or by the last threshold that it has reached.
fn colour(panel: &Panel, value: f64) -> RGBColor {
    if let Some(says) = format::says(panel, value) {
        return by_name(&says.color);
    }
    let steps = &panel.field_config.defaults.thresholds.steps;
    let reached = steps
        .iter()
        .rev()
        .find(|step| step.value.is_none_or(|from| value >= from));
    reached.map_or(FAINT, |step| by_name(&step.color))
}

fn by_name(name: &str) -> RGBColor {
    match name {
        "green" => RGBColor(55, 135, 45),
        "yellow" => RGBColor(204, 157, 0),
        "orange" => RGBColor(255, 120, 10),
        "red" => RGBColor(196, 22, 42),
        "blue" => RGBColor(31, 96, 196),
        _ => RGBColor(92, 100, 110),
    }
}

/// The colour of a series: the one that its name means, or the next one.
fn of_series(panel: &Panel, name: &str, index: usize) -> RGBColor {
    let meant = panel.field_config.of(name).find_map(|it| match it {
        Property::Color(colour) => Some(by_name(&colour.fixed_color)),
        Property::Unit(_) => None,
    });
    meant.unwrap_or_else(|| in_turn(index))
}

/// The colours of series, one after another.
fn in_turn(index: usize) -> RGBColor {
    const COLOURS: [RGBColor; 12] = [
        RGBColor(86, 166, 75),
        RGBColor(242, 204, 12),
        RGBColor(50, 116, 217),
        RGBColor(255, 120, 10),
        RGBColor(224, 47, 68),
        RGBColor(163, 82, 204),
        RGBColor(0, 150, 160),
        RGBColor(140, 110, 60),
        RGBColor(90, 90, 110),
        RGBColor(150, 190, 60),
        RGBColor(230, 100, 160),
        RGBColor(120, 160, 230),
    ];
    COLOURS[index % COLOURS.len()]
}
