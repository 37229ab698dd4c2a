//! `tollkeeper token rotate`

use std::process::ExitCode;

use serde_json::json;
use uuid::Uuid;

use super::issue::secret;
use crate::client::api::Api;
use crate::client::failure::Failure;
use crate::client::output::Output;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The token's id
    id: Uuid,
    /// How long the earlier secrets go on working: 7 days at most
    #[arg(long, value_name = "SECONDS", default_value_t = 0)]
    grace_seconds: u32,
    /// Print the new secret and nothing else
    #[arg(long, short)]
    quiet: bool,
}

pub(super) async fn run(
    api: &Api,
    output: Output,
    arguments: &Arguments,
) -> Result<ExitCode, Failure> {
    let path = format!("tokens/{}/rotate", arguments.id);
    let body = json!({ "grace_seconds": arguments.grace_seconds });
    let rotated = api.post(&path, &body).await?;
    secret(output, &rotated, arguments.quiet)
}
