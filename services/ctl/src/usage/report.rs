//! `tollkeeper usage report`

use std::fs::File;
use std::io::{BufRead, BufReader, stdin};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use serde_json::{Value, json};

use crate::client::Failure;
use crate::client::api::{Api, Pages};
use crate::client::output::{Column, Output};

/// What the API takes at once: so many calls, and with room for what is around them so many bytes.
const MOST_CALLS: usize = 1000;
const MOST_BYTES: usize = 1_000_000;

const COLUMNS: &[Column] = &[
    ("LINE", "line"),
    ("OUTCOME", "outcome"),
    ("CALLS", "calls"),
    ("CODE", "code"),
    ("WHY", "why"),
];

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// A file of calls, each a line of JSON as `POST /v1/usage` takes it; `-` is standard input. What was
    /// reported before under the same id counts no second time, so a run that was cut off is repeated
    file: PathBuf,
}

/// What became of the calls.
#[derive(Debug, Default)]
struct Summary {
    accepted: u64,
    duplicates: u64,
    /// Each with its line.
    rejected: Vec<Value>,
}

/// Calls that are reported together.
#[derive(Debug, Default)]
struct Batch {
    calls: Vec<Value>,
    /// The line of each.
    lines: Vec<usize>,
    bytes: usize,
}

pub(super) async fn run(
    api: &Api,
    output: Output,
    arguments: &Arguments,
) -> Result<ExitCode, Failure> {
    let path = &arguments.file;
    let mut summary = Summary::default();
    let mut batch = Batch::default();
    for (number, line) in open(path)?.lines().enumerate() {
        let line = line.map_err(|reason| unread(path, reason))?;
        if line.trim().is_empty() {
            continue;
        }
        let call = serde_json::from_str(&line).map_err(|_| Failure::Line(number + 1))?;
        if batch.calls.len() == MOST_CALLS || batch.bytes + line.len() > MOST_BYTES {
            summary.add(api, std::mem::take(&mut batch)).await?;
        }
        batch.calls.push(call);
        batch.lines.push(number + 1);
        // And a comma.
        batch.bytes += line.len() + 1;
    }
    summary.add(api, batch).await?;
    summary.print(output)
}

fn open(path: &Path) -> Result<Box<dyn BufRead>, Failure> {
    if path == Path::new("-") {
        return Ok(Box::new(stdin().lock()));
    }
    let file = File::open(path).map_err(|reason| unread(path, reason))?;
    Ok(Box::new(BufReader::new(file)))
}

fn unread(path: &Path, reason: std::io::Error) -> Failure {
    if path == Path::new("-") {
        return Failure::Input(reason);
    }
    let path = path.to_owned();
    Failure::File { path, reason }
}

impl Summary {
    /// Reports the calls, and notes what became of them.
    async fn add(&mut self, api: &Api, batch: Batch) -> Result<(), Failure> {
        if batch.calls.is_empty() {
            return Ok(());
        }
        let told = api.post("usage", &json!({ "events": batch.calls })).await?;
        let foreign = || Failure::Foreign(reqwest::StatusCode::OK);
        let results = told["results"].as_array().ok_or_else(foreign)?;
        if results.len() != batch.lines.len() {
            return Err(foreign());
        }
        for (line, result) in batch.lines.into_iter().zip(results) {
            match result["outcome"].as_str() {
                Some("accepted") => self.accepted += 1,
                Some("duplicate") => self.duplicates += 1,
                _ => {
                    let mut rejected = result.clone();
                    rejected["line"] = line.into();
                    self.rejected.push(rejected);
                }
            }
        }
        Ok(())
    }

    fn print(self, output: Output) -> Result<ExitCode, Failure> {
        let mut items = vec![
            json!({ "outcome": "accepted", "calls": self.accepted }),
            json!({ "outcome": "duplicate", "calls": self.duplicates }),
            json!({ "outcome": "rejected", "calls": self.rejected.len() }),
        ];
        items.extend(self.rejected.iter().map(|rejected| {
            let mut row = rejected.clone();
            let errors = rejected["errors"].as_array().into_iter().flatten();
            row["why"] = errors.map(why).collect();
            row
        }));
        let answer = json!({
            "accepted": self.accepted,
            "duplicates": self.duplicates,
            "rejected": self.rejected,
        });
        output.rows_of(&answer, Pages { items, more: false }, COLUMNS)?;
        Ok(if self.rejected.is_empty() {
            ExitCode::SUCCESS
        } else {
            ExitCode::FAILURE
        })
    }
}

/// A fault with the field that has it: its place among the calls that were sent together is nobody's
/// concern.
fn why(error: &Value) -> Value {
    let pointer = error["pointer"].as_str().unwrap_or_default();
    let field = pointer.splitn(4, '/').nth(3).unwrap_or_default();
    let detail = error["detail"].as_str().unwrap_or_default();
    json!(format!("{field}: {detail}"))
}
