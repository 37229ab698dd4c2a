//! `tollkeeper token verify`

use std::fs::File;
use std::io::{Read, stdin};
use std::net::IpAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use serde_json::{Value, json};
use zeroize::Zeroizing;

use crate::client::api::Api;
use crate::client::failure::Failure;
use crate::client::output::Output;

/// Longer than any token, and than the line break after it.
const MOST_BYTES: u64 = 4096;

/// The exit code for a token that may not pass.
const NOT_VALID: u8 = 4;

/// The exit code where the server cannot know.
const CANNOT_KNOW: u8 = 5;

const MEMBERS: &[&str] = &[
    "valid",
    "code",
    "token_id",
    "account_id",
    "environment",
    "scopes",
    "expires_at",
    "rate_limits",
    "version",
    "age_ms",
    "cache",
];

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Read the token from this file and not from standard input
    #[arg(long, value_name = "PATH")]
    file: Option<PathBuf>,
    /// A scope that it must hold; may be repeated
    #[arg(long = "scope", value_name = "SCOPE")]
    scopes: Vec<String>,
    /// The kind of traffic it must be for
    #[arg(long, value_parser = ["live", "test"])]
    environment: Option<String>,
    /// The address that it came from
    #[arg(long, value_name = "ADDRESS")]
    ip: Option<IpAddr>,
    /// How much it uses of rate limits, if it may pass: 1 if nothing is said, and 0 only looks
    #[arg(long, value_name = "UNITS")]
    cost: Option<u32>,
}

pub(super) async fn run(
    api: &Api,
    output: Output,
    arguments: &Arguments,
) -> Result<ExitCode, Failure> {
    let token = read(arguments)?;
    let mut question = json!({ "token": token.as_str(), "scopes": arguments.scopes });
    if let Some(environment) = &arguments.environment {
        question["environment"] = json!(environment);
    }
    if let Some(ip) = arguments.ip {
        question["ip"] = json!(ip);
    }
    if let Some(cost) = arguments.cost {
        question["cost"] = json!(cost);
    }
    let told = api.post("verify", &question).await?;
    output.members(&told, MEMBERS)?;
    Ok(match (&told["valid"], told["code"].as_str()) {
        (Value::Bool(true), _) => ExitCode::SUCCESS,
        (_, Some("UNAVAILABLE")) => ExitCode::from(CANNOT_KNOW),
        _ => ExitCode::from(NOT_VALID),
    })
}

/// The token, without the line break that editors and `echo` end a file with.
fn read(arguments: &Arguments) -> Result<Zeroizing<String>, Failure> {
    let mut text = Zeroizing::new(String::new());
    let source = match &arguments.file {
        Some(path) => {
            let read = |file: File| file.take(MOST_BYTES + 1).read_to_string(&mut text);
            File::open(path)
                .and_then(read)
                .map_err(|reason| Failure::File {
                    path: path.clone(),
                    reason,
                })?;
            path.display().to_string()
        }
        None => {
            let read = stdin().take(MOST_BYTES + 1).read_to_string(&mut text);
            read.map_err(Failure::Input)?;
            "standard input".to_owned()
        }
    };
    if u64::try_from(text.len()).is_ok_and(|length| length > MOST_BYTES) {
        return Err(Failure::TooLong(source));
    }
    let token = text.trim_end_matches(['\r', '\n']);
    if token.is_empty() {
        return Err(Failure::NoToken(source));
    }
    Ok(Zeroizing::new(token.to_owned()))
}
