//! Bars.

use plotters::prelude::*;

use super::{Area, Drawn, Failure, INK, colour, format, named, write};

const EMPTY: RGBColor = RGBColor(232, 234, 237);
const TALLEST: u32 = 44;

pub(super) fn draw(area: &Area<'_>, drawn: &Drawn<'_>) -> Result<(), Failure> {
    let series = named(drawn);
    let (width, height) = area.dim_in_pixel();
    let count = u32::try_from(series.len().max(1))?;
    let each = (height / count).min(TALLEST);
    let values = series.iter().filter_map(super::Named::last);
    let largest = values.fold(f64::MIN_POSITIVE, f64::max);
    let most = drawn.panel.field_config.defaults.max.unwrap_or(largest);
    for (index, series) in series.iter().enumerate() {
        let top = i32::try_from(index)? * each as i32;
        let value = series.last().unwrap_or(f64::NAN);
        let text = format::value(drawn.panel, value);
        let name = format::cut(&series.name, width * 3 / 5, 11);
        write(area, &name, (2, top + 2), 11, &INK)?;
        let x = width.saturating_sub(format::width(&text, 12) + 6) as i32;
        write(area, &text, (x, top + 1), 12, &INK)?;
        let (upper, lower) = (top + 17, top + each as i32 - 4);
        if lower <= upper {
            continue;
        }
        let right = width as i32 - 4;
        area.draw(&Rectangle::new(
            [(2, upper), (right, lower)],
            EMPTY.filled(),
        ))?;
        let share = (value / most).clamp(0.0, 1.0);
        let filled = 2 + (share * f64::from(right - 2)) as i32;
        let style = colour(drawn.panel, value).filled();
        area.draw(&Rectangle::new([(2, upper), (filled.max(3), lower)], style))?;
    }
    Ok(())
}
