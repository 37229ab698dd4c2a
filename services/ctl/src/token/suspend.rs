//! `tollkeeper token suspend` and `resume`

use std::process::ExitCode;

use serde_json::json;
use uuid::Uuid;

use crate::client::api::Api;
use crate::client::failure::Failure;
use crate::client::output::Output;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The token's id
    id: Uuid,
}

/// `what` is the operation's name in the path.
pub(super) async fn run(
    api: &Api,
    output: Output,
    arguments: &Arguments,
    what: &str,
) -> Result<ExitCode, Failure> {
    let path = format!("tokens/{}/{what}", arguments.id);
    let token = api.post(&path, &json!({})).await?;
    output.token(&token)?;
    Ok(ExitCode::SUCCESS)
}
