//! `tollkeeper usage top`

use std::process::ExitCode;

use serde_json::Value;
use uuid::Uuid;

use super::{Range, given};
use crate::client::Failure;
use crate::client::api::{Api, Pages};
use crate::client::output::{Column, Output};

const COLUMNS: &[Column] = &[
    ("ID", "token_id"),
    ("NAME", "name"),
    ("PREFIX", "token_prefix"),
    ("REQUESTS", "requests"),
    ("ERRORS", "errors"),
];

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Only the tokens of this account
    #[arg(long, value_name = "ID")]
    account: Option<Uuid>,
    #[command(flatten)]
    range: Range,
    /// By what they are ordered
    #[arg(long, value_parser = ["requests", "errors"])]
    order: Option<String>,
    /// How many are printed at most
    #[arg(long, value_name = "NUMBER")]
    limit: Option<u8>,
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
        ("order", arguments.order.clone()),
        ("limit", arguments.limit.map(|limit| limit.to_string())),
    ]);
    let top = api.get("usage/tokens", &query).await?;
    let Some(Value::Array(items)) = top.get("items").cloned() else {
        return Err(Failure::Foreign(reqwest::StatusCode::OK));
    };
    output.rows_of(&top, Pages { items, more: false }, COLUMNS)?;
    Ok(ExitCode::SUCCESS)
}
