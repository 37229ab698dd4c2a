//! Collects the figures and prints them as the table of `docs/benchmarks.md`.

use std::fmt::Write;

use tollkeeper_ambient::{Clock, SystemClock};

use crate::Failure;

/// One line of the table.
#[derive(Debug)]
struct Row {
    figure: String,
    goal: String,
    measured: String,
    baseline: String,
}

/// All lines so far.
#[derive(Debug, Default)]
pub(crate) struct Report(Vec<Row>);

impl Report {
    /// An empty table.
    pub(crate) fn begin() -> Self {
        Self::default()
    }

    /// Adds a line, and prints it at once.
    pub(crate) fn row(&mut self, figure: &str, goal: &str, measured: String, baseline: String) {
        say(&format!(
            "{figure}: {measured} (baseline: {baseline}; goal {goal})"
        ));
        let (figure, goal) = (figure.to_owned(), goal.to_owned());
        self.0.push(Row {
            figure,
            goal,
            measured,
            baseline,
        });
    }

    /// Prints the table.
    ///
    /// # Errors
    /// None; the signature is that of a measurement.
    pub(crate) fn finish(self) -> Result<(), Failure> {
        let mut table = String::from("| figure | goal | measured | baseline of the same run |\n");
        table.push_str("|---|---|---|---|\n");
        for row in &self.0 {
            let Row {
                figure,
                goal,
                measured,
                baseline,
            } = row;
            writeln!(table, "| {figure} | {goal} | {measured} | {baseline} |")?;
        }
        let day = SystemClock.now().format("%Y-%m-%d");
        let cores = std::thread::available_parallelism()?;
        say(&format!("\n{day}, {cores} cores\n\n{table}"));
        Ok(())
    }
}

/// The middle of several figures.
pub(crate) fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures.get(figures.len() / 2).copied().unwrap_or(f64::NAN)
}

/// Smallest, middle and largest of several ratios.
pub(crate) fn spread(figures: &[f64]) -> String {
    let (least, most) = range(figures);
    format!("**{:.2}** ({least:.2}–{most:.2})", median(figures.to_vec()))
}

/// The smallest and the largest of several figures.
pub(crate) fn range(figures: &[f64]) -> (f64, f64) {
    let least = figures.iter().copied().fold(f64::INFINITY, f64::min);
    let most = figures.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    (least, most)
}

/// Prints to the person who measures.
#[allow(clippy::print_stdout, reason = "the figures are this program's output")]
pub(crate) fn say(line: &str) {
    println!("{line}");
}
