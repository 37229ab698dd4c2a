//! `tollkeeper token refill`

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
    /// The quota's name
    #[arg(value_parser = name)]
    quota: String,
}

pub(super) async fn run(
    api: &Api,
    output: Output,
    arguments: &Arguments,
) -> Result<ExitCode, Failure> {
    let path = format!("tokens/{}/quotas/{}/refill", arguments.id, arguments.quota);
    let token = api.post(&path, &json!({})).await?;
    output.token(&token)?;
    Ok(ExitCode::SUCCESS)
}

/// It is part of a path, so that nothing else may stand there.
fn name(text: &str) -> Result<String, String> {
    let known =
        |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"._-".contains(&byte);
    if text.bytes().all(known) && text.bytes().any(|it| it.is_ascii_alphanumeric()) {
        Ok(text.to_owned())
    } else {
        Err("no quota has such a name".to_owned())
    }
}
