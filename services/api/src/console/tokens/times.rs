//! Moments as forms hold them.

use chrono::{DateTime, NaiveDateTime, Utc};

/// A moment as a form's field has it: `2026-11-22T13:05`, UTC.
pub(super) fn moment(text: &str) -> Option<DateTime<Utc>> {
    let text = text.trim();
    let forms = ["%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S%.f"];
    let mut read = forms
        .iter()
        .filter_map(|form| NaiveDateTime::parse_from_str(text, form).ok());
    let typed = read.next().map(|at| at.and_utc());
    typed.or_else(|| text.parse().ok())
}

/// The same, as a form's field shows it.
pub(super) fn typed(at: DateTime<Utc>) -> String {
    at.format("%Y-%m-%dT%H:%M").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_read_as_they_are_written() {
        let at = moment("2026-11-22T13:05").unwrap();
        assert_eq!(typed(at), "2026-11-22T13:05");
        assert_eq!(moment("2026-11-22T13:05:00Z"), Some(at));
        assert!(moment("2026-11-22T13:05:09.123456Z").unwrap() > at);
        assert_eq!(moment("22.11.2026"), None);
    }
}
