//! The shipped rules with shorter times: what takes hours is shown in seconds. Expressions, thresholds and
//! conditions stay as they are; only how far they look back, and how long they must hold, is shorter.

use std::sync::LazyLock;

use regex::{Captures, Regex};

/// How often processes are asked, and rules worked out.
pub const SCRAPES: &str = "1s";

/// What stands for each window that rules look back. Longer ones stay longer, and the shortest still holds
/// several scrapes on a busy machine.
const WINDOWS: [(&str, &str); 9] = [
    ("5m", "8s"),
    // Some figures are read every ten seconds only.
    ("10m", "25s"),
    ("15m", "25s"),
    ("30m", "25s"),
    ("1h", "28s"),
    ("2h", "28s"),
    ("6h", "30s"),
    ("1d", "35s"),
    ("3d", "40s"),
];

/// And for each time that a condition must hold.
const WAITS: [(&str, &str); 6] = [
    ("30s", "1s"),
    ("1m", "2s"),
    ("2m", "2s"),
    ("5m", "3s"),
    ("10m", "3s"),
    ("15m", "3s"),
];

/// The configuration, with everything asked every second.
#[must_use]
pub fn configuration(text: &str) -> String {
    text.replace("_interval: 15s", &format!("_interval: {SCRAPES}"))
}

/// Rules with shorter times.
///
/// # Panics
/// When they use a time for which none is written down here.
#[must_use]
pub fn rules(text: &str) -> String {
    static TIME: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r"\[(\w+)\]|(?m:^( *)(for|interval): (\w+)$)").expect("a valid expression")
    });
    let shorter = |table: &[(&'static str, &'static str)], time: &str| {
        let found = table.iter().find(|(long, _)| *long == time);
        found.unwrap_or_else(|| panic!("what stands for {time}?")).1
    };
    let replaced = TIME.replace_all(text, |found: &Captures<'_>| {
        match (found.get(1), found.get(3).map(|it| it.as_str())) {
            // It is read by no alert.
            (Some(window), _) if window.as_str() == "30d" => "[30d]".to_owned(),
            (Some(window), _) => format!("[{}]", shorter(&WINDOWS, window.as_str())),
            (None, Some("for")) => format!("{}for: {}", &found[2], shorter(&WAITS, &found[4])),
            (None, _) => format!("{}interval: {SCRAPES}", &found[2]),
        }
    });
    replaced.into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_times_are_shorter() {
        let text = "    interval: 30s\n    expr: rate(a[5m]) > 60 and b > 3 * 3600\n    for: 10m\n";
        let shorter =
            "    interval: 1s\n    expr: rate(a[8s]) > 60 and b > 3 * 3600\n    for: 3s\n";
        assert_eq!(rules(text), shorter);
    }

    #[test]
    fn longer_stays_longer() {
        for table in [&WINDOWS[..], &WAITS[..]] {
            let lengths = table
                .iter()
                .map(|(_, short)| short.trim_end_matches('s').parse::<u32>().unwrap());
            assert!(lengths.is_sorted());
        }
    }
}
