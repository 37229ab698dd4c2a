//! The verification engine inside the process, without HTTP.

use std::process::Command;

use serde_json::Value;

use crate::Failure;
use crate::report::{Report, say};

/// Runs the engine's own benchmark, which ends in one line of JSON.
pub(crate) fn measure(report: &mut Report) -> Result<(), Failure> {
    say("engine: building and running its benchmark");
    let output = Command::new("cargo")
        .args([
            "bench",
            "--quiet",
            "--package",
            "tollkeeper-authn",
            "--bench",
            "verify",
        ])
        .output()?;
    let text = String::from_utf8_lossy(&output.stdout);
    if !output.status.success() {
        return Err(format!("{text}{}", String::from_utf8_lossy(&output.stderr)).into());
    }
    let last = text.lines().last().ok_or("the benchmark printed nothing")?;
    let figures: Value = serde_json::from_str(last)?;
    let figure = |name: &str| figures[name].as_f64().ok_or(format!("no {name} in {last}"));
    report.row(
        "in-process verification, warm token",
        "≤ 1.5 µs, no allocation",
        format!(
            "**{:.2} µs**, {} allocations",
            figure("hit_ns")? / 1e3,
            figure("allocations_per_hit")?
        ),
        format!("SHA-256 alone {:.2} µs", figure("sha256_ns")? / 1e3),
    );
    report.row(
        "in-process verification, one rate limit of the token and one of its account",
        "—",
        format!("{:.2} µs", figure("hit_limited_ns")? / 1e3),
        format!("without limits {:.2} µs", figure("hit_ns")? / 1e3),
    );
    report.row(
        "in-process verification, four quotas of the token and four of its account",
        "—",
        format!("{:.2} µs", figure("hit_counted_ns")? / 1e3),
        format!("without quotas {:.2} µs", figure("hit_ns")? / 1e3),
    );
    report.row(
        "in-process verification, tokens spread over memory",
        "—",
        format!("{:.2} µs", figure("hit_spread_ns")? / 1e3),
        format!("SHA-256 alone {:.2} µs", figure("sha256_ns")? / 1e3),
    );
    Ok(())
}
