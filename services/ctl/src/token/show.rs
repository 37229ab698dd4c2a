//! `tollkeeper token show`

use std::process::ExitCode;

use uuid::Uuid;

use super::api::Api;
use super::failure::Failure;
use super::output::Output;

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
    let token = api.get(&format!("tokens/{}", arguments.id), &[]).await?;
    output.token(&token)?;
    Ok(ExitCode::SUCCESS)
}
