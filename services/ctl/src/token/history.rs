//! `tollkeeper token history`

use std::process::ExitCode;

use uuid::Uuid;

use super::list::Extent;
use crate::client::api::Api;
use crate::client::failure::Failure;
use crate::client::output::{Column, Output};

const COLUMNS: &[Column] = &[
    ("VERSION", "stream_version"),
    ("WHEN", "occurred_at"),
    ("WHAT", "type"),
    ("BY", "actor"),
    ("REQUEST", "request_id"),
    ("DETAILS", "payload"),
];

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The token's id
    id: Uuid,
    #[command(flatten)]
    extent: Extent,
}

pub(super) async fn run(
    api: &Api,
    output: Output,
    arguments: &Arguments,
) -> Result<ExitCode, Failure> {
    let path = format!("tokens/{}/events", arguments.id);
    let events = api.pages(&path, &[], arguments.extent.most()).await?;
    output.rows(events, COLUMNS)?;
    Ok(ExitCode::SUCCESS)
}
