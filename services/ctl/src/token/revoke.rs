//! `tollkeeper token revoke`

use std::process::ExitCode;

use uuid::Uuid;

use crate::client::api::Api;
use crate::client::failure::Failure;
use crate::client::output::Output;
use crate::out::complain;

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
    /// End all tokens that were issued with it too, directly or through others
    #[arg(long)]
    cascade: bool,
}

pub(super) async fn run(
    api: &Api,
    output: Output,
    arguments: &Arguments,
) -> Result<ExitCode, Failure> {
    let path = format!("tokens/{}", arguments.id);
    let query = [
        ("reason", arguments.reason.clone()),
        ("cascade", arguments.cascade.to_string()),
    ];
    let token = api.delete(&path, &query).await?;
    output.token(&token)?;
    if token["cascade"]["pending"].as_i64() > Some(0) {
        complain("the server goes on to revoke what was issued with it");
    }
    Ok(ExitCode::SUCCESS)
}
