//! Large numbers.

use plotters::prelude::*;

use super::{Area, Drawn, Failure, colour, format, named, write, write_around};

pub(super) fn draw(area: &Area<'_>, drawn: &Drawn<'_>) -> Result<(), Failure> {
    let series = named(drawn);
    let (width, height) = area.dim_in_pixel();
    let count = u32::try_from(series.len().max(1))?;
    // Beside one another where they have room, else below.
    let beside = width / count > 110 || count == 1;
    let parts = if beside {
        area.split_evenly((1, count as usize))
    } else {
        area.split_evenly((count as usize, 1))
    };
    let each = if beside {
        (width / count, height)
    } else {
        (width, height / count)
    };
    if series.is_empty() {
        return write(area, "no data", (8, 8), 14, &super::FAINT);
    }
    for (part, series) in parts.iter().zip(series) {
        let Some(value) = series.last() else {
            write(part, "no data", (8, 8), 14, &super::FAINT)?;
            continue;
        };
        let frame = [(1, 1), (each.0 as i32 - 2, each.1 as i32 - 2)];
        part.draw(&Rectangle::new(frame, colour(drawn.panel, value).filled()))?;
        let text = format::value(drawn.panel, value);
        let named = !series.name.is_empty();
        let most = if named { 26 } else { 34 };
        let letters = u32::try_from(text.chars().count().max(1))?;
        let size = (each.0.saturating_sub(12) * 20 / (letters * 11)).clamp(10, most);
        let size = size.min(each.1 * 6 / 10);
        let (x, middle) = ((each.0 / 2) as i32, (each.1 / 2) as i32);
        let y = if named { middle - 9 } else { middle };
        write_around(part, &text, (x, y), size, &WHITE)?;
        if named {
            let name = format::cut(&series.name, each.0 - 8, 12);
            write_around(part, &name, (x, y + size as i32 / 2 + 11), 12, &WHITE)?;
        }
    }
    Ok(())
}
