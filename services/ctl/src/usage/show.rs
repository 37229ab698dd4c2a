//! `tollkeeper usage show`

use std::process::ExitCode;

use serde_json::{Value, json};
use uuid::Uuid;

use super::{Range, given};
use crate::client::Failure;
use crate::client::api::{Api, Pages};
use crate::client::output::{Column, Output};

const FIGURES: [Column; 5] = [
    ("REQUESTS", "requests"),
    ("ERRORS", "errors"),
    ("P50 \u{b5}s", "p50"),
    ("P90 \u{b5}s", "p90"),
    ("P99 \u{b5}s", "p99"),
];

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Only of this token; of all that the credential may see if it is not given
    id: Option<Uuid>,
    /// Only of the tokens of this account
    #[arg(long, value_name = "ID", conflicts_with = "id")]
    account: Option<Uuid>,
    #[command(flatten)]
    range: Range,
    /// How wide the steps are
    #[arg(long, value_parser = ["minute", "hour", "day"])]
    bucket: Option<String>,
    /// Show the largest groups of the whole time instead of its steps
    #[arg(long, value_name = "WHAT", value_parser = ["endpoint", "method", "status_class", "token",
        "verdict", "user_agent_family", "ip_network"])]
    group_by: Option<String>,
    /// How many groups are told apart at most
    #[arg(long, value_name = "NUMBER", requires = "group_by")]
    limit: Option<u8>,
    /// Only requests of this endpoint
    #[arg(long)]
    endpoint: Option<String>,
    /// Only requests of this method
    #[arg(long)]
    method: Option<String>,
    /// Only requests with such a status, such as 4xx
    #[arg(long, value_name = "CLASS")]
    status_class: Option<String>,
    /// Only requests that came to this, such as REVOKED
    #[arg(long)]
    verdict: Option<String>,
}

pub(super) async fn run(
    api: &Api,
    output: Output,
    arguments: &Arguments,
) -> Result<ExitCode, Failure> {
    let query = given([
        ("account_id", arguments.account.map(|id| id.to_string())),
        ("from", arguments.range.from.clone()),
        ("to", arguments.range.to.clone()),
        ("bucket", arguments.bucket.clone()),
        ("group_by", arguments.group_by.clone()),
        ("limit", arguments.limit.map(|limit| limit.to_string())),
        ("endpoint", arguments.endpoint.clone()),
        ("method", arguments.method.clone()),
        ("status_class", arguments.status_class.clone()),
        ("verdict", arguments.verdict.clone()),
    ]);
    let path = match arguments.id {
        Some(id) => format!("tokens/{id}/usage"),
        None => "usage".to_owned(),
    };
    let series = api.get(&path, &query).await?;
    let (steps, first) = match &series["groups"] {
        Value::Array(groups) => (groups, ("GROUP", "key")),
        _ => (
            series["buckets"].as_array().ok_or_else(foreign)?,
            ("FROM", "start"),
        ),
    };
    let items = steps.iter().map(flat).collect();
    let columns: Vec<Column> = [first].into_iter().chain(FIGURES).collect();
    output.rows_of(&series, Pages { items, more: false }, &columns)?;
    Ok(ExitCode::SUCCESS)
}

/// A step or a group with its figures side by side.
fn flat(step: &Value) -> Value {
    let figures = step.get("total").unwrap_or(step);
    let latency = &figures["latency_us"];
    json!({
        "key": step["key"],
        "start": step["start"],
        "requests": figures["requests"],
        "errors": figures["errors"],
        "p50": latency["p50"],
        "p90": latency["p90"],
        "p99": latency["p99"],
    })
}

fn foreign() -> Failure {
    Failure::Foreign(reqwest::StatusCode::OK)
}
