//! How values are written.

use crate::files::{Panel, Says};

/// The text that a panel has in place of this value.
pub(super) fn says(panel: &Panel, value: f64) -> Option<&Says> {
    let mappings = panel.field_config.defaults.mappings.iter();
    mappings
        .flat_map(|mapping| &mapping.options)
        .find(|(written, _)| written.parse() == Ok(value))
        .map(|(_, says)| says)
}

/// A value as a panel writes it.
pub(super) fn value(panel: &Panel, value: f64) -> String {
    let defaults = &panel.field_config.defaults;
    match says(panel, value) {
        Some(says) => says.text.clone(),
        None => in_unit(value, &defaults.unit, defaults.decimals),
    }
}

/// A value in a unit by Grafana's name.
pub(super) fn in_unit(value: f64, unit: &str, decimals: Option<usize>) -> String {
    if !value.is_finite() {
        return "-".to_owned();
    }
    match unit {
        "percentunit" => format!("{} %", digits(value * 100.0, decimals)),
        "s" => seconds(value, decimals),
        "bytes" => scaled(value, 1024.0, &["B", "KiB", "MiB", "GiB", "TiB"], decimals),
        "reqps" => format!("{} req/s", scaled(value, 1000.0, &["", "K", "M"], decimals)),
        "cps" => format!("{} /s", scaled(value, 1000.0, &["", "K", "M"], decimals)),
        _ => scaled(value, 1000.0, &["", "K", "M", "G"], decimals),
    }
}

fn seconds(value: f64, decimals: Option<usize>) -> String {
    let size = value.abs();
    let (by, name) = match size {
        _ if size == 0.0 => (1.0, "s"),
        _ if size < 1e-3 => (1e-6, "µs"),
        _ if size < 1.0 => (1e-3, "ms"),
        _ if size < 120.0 => (1.0, "s"),
        _ if size < 7200.0 => (60.0, "min"),
        _ if size < 172_800.0 => (3600.0, "h"),
        _ => (86400.0, "days"),
    };
    format!("{} {name}", digits(value / by, decimals))
}

fn scaled(value: f64, step: f64, names: &[&str], decimals: Option<usize>) -> String {
    let mut value = value;
    let mut name = 0;
    while value.abs() >= step && name + 1 < names.len() {
        value /= step;
        name += 1;
    }
    let text = digits(value, decimals);
    if names[name].is_empty() {
        text
    } else {
        format!("{text} {}", names[name])
    }
}

/// As many digits as there are to be, or about three that count.
fn digits(value: f64, decimals: Option<usize>) -> String {
    let shown = decimals.unwrap_or(match value.abs() {
        size if size >= 100.0 || value.fract() == 0.0 => 0,
        size if size >= 10.0 => 1,
        _ => 2,
    });
    format!("{value:.shown$}")
}

/// About as many pixels as a text takes.
pub(super) fn width(text: &str, size: u32) -> u32 {
    u32::try_from(text.chars().count()).unwrap_or(u32::MAX) * size * 11 / 20
}

/// As much of a text as has room.
pub(super) fn cut(text: &str, room: u32, size: u32) -> String {
    if width(text, size) <= room {
        return text.to_owned();
    }
    let most = (room * 20 / (size * 11)).saturating_sub(1) as usize;
    text.chars().take(most).chain(['…']).collect()
}
