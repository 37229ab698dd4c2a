//! Figures as pictures.

use std::path::Path;

use plotters::prelude::*;

use crate::Failure;

const SIZE: (u32, u32) = (800, 420);

/// Draws, for each named series of times in milliseconds, what share of it is below which time.
pub(crate) fn shares(file: &Path, title: &str, series: &[(&str, &[f64])]) -> Result<(), Failure> {
    let area = SVGBackend::new(file, SIZE).into_drawing_area();
    area.fill(&WHITE)?;
    let all = series.iter().flat_map(|(_, times)| times.iter());
    let most = all.copied().fold(1.0, f64::max);
    let mut chart = ChartBuilder::on(&area)
        .caption(title, ("sans-serif", 15))
        .margin(12)
        .x_label_area_size(36)
        .y_label_area_size(48)
        .build_cartesian_2d((1.0..most * 1.1).log_scale(), 0.0..1.0)?;
    chart
        .configure_mesh()
        .x_desc("milliseconds")
        .y_label_formatter(&|share| format!("{:.0} %", share * 100.0))
        .x_label_formatter(&|time| format!("{time:.0}"))
        .draw()?;
    for (number, (name, times)) in series.iter().enumerate() {
        let mut sorted = times.to_vec();
        sorted.sort_by(f64::total_cmp);
        let count = sorted.len() as f64;
        let steps = sorted.into_iter().enumerate();
        let points = steps.map(|(index, time)| (time.max(1.0), (index + 1) as f64 / count));
        let colour = Palette99::pick(number).to_rgba();
        chart
            .draw_series(LineSeries::new(points, colour.stroke_width(2)))?
            .label(*name)
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 16, y)], colour));
    }
    chart
        .configure_series_labels()
        .position(SeriesLabelPosition::LowerRight)
        .border_style(BLACK.mix(0.3))
        .background_style(WHITE.mix(0.8))
        .draw()?;
    area.present()?;
    Ok(())
}
