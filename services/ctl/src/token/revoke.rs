//! `tollkeeper token revoke`

use std::process::ExitCode;

use uuid::Uuid;

use super::api::Api;
use super::failure::Failure;
use super::output::Output;

/// Those that a person can have. That its account was deleted is not among them.
const REASONS: [&str; 6] = [
    "unspecified",
    "key_compromise",
    "privilege_withdrawn",
    "superseded",
    "cessation_of_operation",
    "leaked",
];

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The token's id
    id: Uuid,
    /// Why
    #[arg(long, value_parser = REASONS, default_value = "unspecified")]
    reason: String,
}

pub(super) async fn run(
    api: &Api,
    output: Output,
    arguments: &Arguments,
) -> Result<ExitCode, Failure> {
    let path = format!("tokens/{}", arguments.id);
    let reason = [("reason", arguments.reason.clone())];
    let token = api.delete(&path, &reason).await?;
    output.token(&token)?;
    Ok(ExitCode::SUCCESS)
}
