//! Which marks a scale has, and how numbers are written beside it.

/// About so many marks are above the lowest.
const MARKS: f64 = 4.0;

/// From 0 up to the highest mark.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Scale {
    /// What the highest mark stands for; above 0.
    pub(super) top: f64,
    /// What each mark stands for, and what is written there, from the lowest on.
    pub(super) marks: Vec<(f64, String)>,
}

impl Scale {
    /// Of counts up to this one: marks are whole numbers.
    pub(super) fn of_counts(largest: u64) -> Self {
        Self::new(largest, compact)
    }

    /// Of durations up to this one, in microseconds.
    pub(super) fn of_durations(largest: u64) -> Self {
        Self::new(largest, duration)
    }

    fn new(largest: u64, write: fn(u64) -> String) -> Self {
        let step = nice(largest as f64 / MARKS).max(1.0);
        let steps = (largest as f64 / step).ceil().max(1.0) as u32;
        let mark = |n: u32| {
            let at = f64::from(n) * step;
            (at, write(at as u64))
        };
        Self {
            top: f64::from(steps) * step,
            marks: (0..=steps).map(mark).collect(),
        }
    }

    /// Which part of the whole scale this is: 0 to 1.
    pub(super) fn part(&self, value: f64) -> f64 {
        (value / self.top).clamp(0.0, 1.0)
    }
}

/// The smallest of 1, 2, 5, 10, 20, … that is no less.
fn nice(least: f64) -> f64 {
    if least <= 1.0 {
        return 1.0;
    }
    let power = 10_f64.powf(least.log10().floor());
    let found = [1.0, 2.0, 5.0].map(|it| it * power);
    let found = found.into_iter().find(|it| *it >= least);
    found.unwrap_or(10.0 * power)
}

/// A count in few letters: `950`, `1.2k`, `35M`.
pub(super) fn compact(number: u64) -> String {
    let units = [(1e12, "T"), (1e9, "B"), (1e6, "M"), (1e3, "k")];
    let fits = |unit: &(f64, &str)| number as f64 >= unit.0;
    match units.into_iter().find(fits) {
        Some((unit, name)) => format!("{}{name}", short(number as f64 / unit)),
        None => number.to_string(),
    }
}

/// A number of microseconds in the unit that fits: `250 µs`, `1.5 ms`, `2 s`.
pub(in crate::console) fn duration(micros: u64) -> String {
    match micros {
        0..1_000 => format!("{micros} µs"),
        1_000..1_000_000 => format!("{} ms", short(micros as f64 / 1e3)),
        _ => format!("{} s", short(micros as f64 / 1e6)),
    }
}

/// With one decimal, where it says something.
fn short(number: f64) -> String {
    if number >= 100.0 {
        return format!("{number:.0}");
    }
    let text = format!("{number:.1}");
    text.strip_suffix(".0").map(str::to_owned).unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(scale: &Scale) -> Vec<&str> {
        scale.marks.iter().map(|(_, text)| text.as_str()).collect()
    }

    #[test]
    fn marks_are_round_and_reach_the_largest() {
        assert_eq!(told(&Scale::of_counts(0)), ["0", "1"]);
        assert_eq!(told(&Scale::of_counts(1)), ["0", "1"]);
        assert_eq!(told(&Scale::of_counts(3)), ["0", "1", "2", "3"]);
        assert_eq!(told(&Scale::of_counts(17)), ["0", "5", "10", "15", "20"]);
        assert_eq!(told(&Scale::of_counts(1_204)), ["0", "500", "1k", "1.5k"]);
        assert_eq!(
            told(&Scale::of_durations(6_144)),
            ["0 µs", "2 ms", "4 ms", "6 ms", "8 ms"]
        );
        for largest in [
            0,
            1,
            7,
            999,
            12_345,
            9_999_999,
            u64::from(u32::MAX),
            u64::MAX,
        ] {
            let scale = Scale::of_counts(largest);
            assert!(scale.top >= largest as f64, "{largest}");
            assert!((2..=7).contains(&scale.marks.len()), "{largest}: {scale:?}");
            assert!((0.0..=1.0).contains(&scale.part(largest as f64)));
        }
    }

    #[test]
    fn numbers_are_short() {
        let told = [
            0,
            950,
            1_000,
            1_249,
            35_000_000,
            2_000_000_000,
            7_400_000_000_000,
        ]
        .map(compact);
        assert_eq!(told, ["0", "950", "1k", "1.2k", "35M", "2B", "7.4T"]);
        let told = [0, 250, 1_500, 12_000, 812_345, 67_000_000].map(duration);
        assert_eq!(
            told,
            ["0 µs", "250 µs", "1.5 ms", "12 ms", "812 ms", "67 s"]
        );
    }
}
