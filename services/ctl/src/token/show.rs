//! `tollkeeper token show`

use std::process::ExitCode;

use uuid::Uuid;

use crate::client::api::Api;
use crate::client::failure::Failure;
use crate::client::output::Output;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The token's id
    id: Uuid,
    /// As it was at this moment (RFC 3339)
    #[arg(long, value_name = "TIME")]
    as_of: Option<String>,
}

pub(super) async fn run(
    api: &Api,
    output: Output,
    arguments: &Arguments,
) -> Result<ExitCode, Failure> {
    let path = format!("tokens/{}", arguments.id);
    let as_of = arguments.as_of.iter().map(|time| ("as_of", time.clone()));
    let token = api.get(&path, &as_of.collect::<Vec<_>>()).await?;
    output.token(&token)?;
    Ok(ExitCode::SUCCESS)
}
