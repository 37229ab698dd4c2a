//! `tollkeeper usage exposure`

use std::process::ExitCode;

use serde_json::json;
use uuid::Uuid;

use super::given;
use crate::client::Failure;
use crate::client::api::{Api, Pages};
use crate::client::output::{Column, Output};

const COLUMNS: &[Column] = &[
    ("OF", "of"),
    ("WHAT", "key"),
    ("REQUESTS", "requests"),
    ("PASSED", "allowed"),
    ("FIRST", "first_seen"),
    ("LAST", "last_seen"),
];

/// The kinds of a report, and what each tells of.
const KINDS: [(&str, &str); 5] = [
    ("verdicts", "verdict"),
    ("endpoints", "endpoint"),
    ("methods", "method"),
    ("addresses", "address"),
    ("networks", "network"),
];

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The token's id
    id: Uuid,
    /// From when on (RFC 3339); from its beginning if it is not given
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
}

pub(super) async fn run(
    api: &Api,
    output: Output,
    arguments: &Arguments,
) -> Result<ExitCode, Failure> {
    let path = format!("tokens/{}/exposure", arguments.id);
    let query = given([("since", arguments.since.clone())]);
    let report = api.get(&path, &query).await?;
    let mut items = vec![json!({
        "of": "everything",
        "requests": report["requests"],
        "allowed": report["allowed"],
        "first_seen": report["first_seen"],
        "last_seen": report["last_seen"],
    })];
    let revocation = &report["revocation"];
    if revocation.is_object() {
        items.push(json!({
            "of": "revocation",
            "key": if revocation["applied_everywhere"] == true { "in force" } else { "pending" },
            "allowed": revocation["allowed_after"],
            "first_seen": revocation["revoked_at"],
        }));
    }
    items.push(json!({
        "of": "complete through",
        "last_seen": report["usage_complete_through"],
    }));
    for (kind, name) in KINDS {
        for trace in report[kind]["items"].as_array().into_iter().flatten() {
            let mut item = trace.clone();
            item["of"] = name.into();
            items.push(item);
        }
    }
    output.rows_of(&report, Pages { items, more: false }, COLUMNS)?;
    Ok(ExitCode::SUCCESS)
}
