//! `tollkeeper token quotas`

use std::process::ExitCode;

use serde_json::Value;
use uuid::Uuid;

use crate::client::api::{Api, Pages};
use crate::client::failure::Failure;
use crate::client::output::{Column, Output};

const COLUMNS: &[Column] = &[
    ("NAME", "name"),
    ("LIMIT", "limit"),
    ("REFILL", "refill"),
    ("USED", "used"),
    ("REMAINING", "remaining"),
    ("RESETS", "resets_at"),
];

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The token's id
    id: Uuid,
}

pub(super) async fn run(
    api: &Api,
    output: Output,
    arguments: &Arguments,
) -> Result<ExitCode, Failure> {
    let path = format!("tokens/{}/quotas", arguments.id);
    let mut quotas = api.get(&path, &[]).await?;
    let Some(Value::Array(items)) = quotas.get_mut("items").map(Value::take) else {
        return Err(Failure::Foreign(reqwest::StatusCode::OK));
    };
    output.rows(Pages { items, more: false }, COLUMNS)?;
    Ok(ExitCode::SUCCESS)
}
