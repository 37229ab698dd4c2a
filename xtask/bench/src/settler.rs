//! The ingestor's transactions against the same statements run by SQL alone.

use std::process::Command;

use crate::Failure;
use crate::report::{Report, say};

/// Runs the ingestor's own measurement in the scratch database at `url`, which it empties.
pub(crate) fn measure(url: &str, report: &mut Report) -> Result<(), Failure> {
    say("settler: building and running its measurement");
    let output = Command::new("cargo")
        .args([
            "run",
            "--release",
            "--quiet",
            "--package",
            "tollkeeper-ingestor",
        ])
        .args(["--example", "settle_throughput"])
        .env("DATABASE_URL", url)
        // The statements are checked by the tests, against the repository's query data.
        .env("SQLX_OFFLINE", "true")
        .output()?;
    let text = String::from_utf8_lossy(&output.stdout);
    if !output.status.success() {
        return Err(format!("{text}{}", String::from_utf8_lossy(&output.stderr)).into());
    }
    let mut ratio = None;
    let mut alone = Vec::new();
    for line in text.lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        match words.as_slice() {
            ["ratio", figure, ..] => ratio = Some((*figure).to_owned()),
            ["settler", .., figure, "events/s"] => alone.push(figure.parse::<f64>()?),
            _ => {}
        }
    }
    let ratio = ratio.ok_or("the measurement printed no ratio")?;
    report.row(
        "ingestor events/s against the same statements by SQL alone",
        "≥ 0.8",
        format!("**{ratio}**"),
        format!("{:.0} events/s", crate::report::median(alone)),
    );
    Ok(())
}
