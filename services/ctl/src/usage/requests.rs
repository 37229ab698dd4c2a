//! `tollkeeper usage requests`

use std::net::IpAddr;
use std::process::ExitCode;

use uuid::Uuid;

use super::{Range, given};
use crate::client::Failure;
use crate::client::api::Api;
use crate::client::output::{Column, Output};
use crate::token::Extent;

const COLUMNS: &[Column] = &[
    ("WHEN", "timestamp"),
    ("METHOD", "method"),
    ("ENDPOINT", "endpoint"),
    ("STATUS", "status"),
    ("VERDICT", "verdict"),
    ("ADDRESS", "ip"),
    ("USER AGENT", "user_agent"),
    ("\u{b5}s", "response_time_us"),
    ("REQUEST ID", "request_id"),
];

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The token's id
    id: Uuid,
    #[command(flatten)]
    range: Range,
    /// Only those that came to this, such as REVOKED
    #[arg(long)]
    verdict: Option<String>,
    /// Only those with this status
    #[arg(long)]
    status: Option<u16>,
    /// Only those of this path
    #[arg(long)]
    endpoint: Option<String>,
    /// Only those from this address
    #[arg(long, value_name = "ADDRESS")]
    ip: Option<IpAddr>,
    /// Only that with this id
    #[arg(long, value_name = "ID")]
    request_id: Option<String>,
    #[command(flatten)]
    extent: Extent,
}

pub(super) async fn run(
    api: &Api,
    output: Output,
    arguments: &Arguments,
) -> Result<ExitCode, Failure> {
    let filters = given([
        ("from", arguments.range.from.clone()),
        ("to", arguments.range.to.clone()),
        ("verdict", arguments.verdict.clone()),
        ("status", arguments.status.map(|status| status.to_string())),
        ("endpoint", arguments.endpoint.clone()),
        ("ip", arguments.ip.map(|ip| ip.to_string())),
        ("request_id", arguments.request_id.clone()),
    ]);
    let path = format!("tokens/{}/usage/requests", arguments.id);
    let requests = api.pages(&path, &filters, arguments.extent.most()).await?;
    output.rows(requests, COLUMNS)?;
    Ok(ExitCode::SUCCESS)
}
