//! `tollkeeper usage completeness`

use std::process::ExitCode;

use serde_json::{Value, json};

use super::given;
use crate::client::Failure;
use crate::client::api::{Api, Pages};
use crate::client::output::{Column, Output};

const COLUMNS: &[Column] = &[
    ("SOURCE", "source"),
    ("MACHINE", "machine"),
    ("STATE", "state"),
    ("COUNTED", "counted"),
    ("DEAD", "dead"),
    ("DROPPED", "dropped"),
    ("PENDING", "pending"),
    ("MISSING", "missing"),
    ("HOLES", "holes"),
    ("COMPLETE THROUGH", "complete_through"),
];

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Only sources of which something is missing or may still come
    #[arg(long)]
    incomplete: bool,
    /// How many sources are printed at most, the newest first
    #[arg(long, value_name = "NUMBER")]
    limit: Option<u8>,
}

pub(super) async fn run(
    api: &Api,
    output: Output,
    arguments: &Arguments,
) -> Result<ExitCode, Failure> {
    let query = given([
        ("incomplete", Some(arguments.incomplete.to_string())),
        ("limit", arguments.limit.map(|limit| limit.to_string())),
    ]);
    let report = api.get("usage/completeness", &query).await?;
    let Some(sources) = report["items"].as_array() else {
        return Err(Failure::Foreign(reqwest::StatusCode::OK));
    };
    let mut items = vec![json!({
        "source": "everything",
        "complete_through": report["complete_through"],
    })];
    items.extend(sources.iter().map(row));
    let more = report["next_cursor"].is_string();
    output.rows_of(&report, Pages { items, more }, COLUMNS)?;
    Ok(ExitCode::SUCCESS)
}

/// A source as a row: its machine, and its holes as `6-7 13-20`.
fn row(source: &Value) -> Value {
    let mut row = source.clone();
    row["machine"] = source["reporter"]["name"].clone();
    let holes = source["missing_ranges"].as_array().into_iter().flatten();
    row["holes"] = holes
        .map(|hole| format!("{}-{}", hole["first"], hole["last"]))
        .collect();
    row
}
