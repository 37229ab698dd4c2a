//! `tollkeeper token issue`

use std::process::ExitCode;

use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::client::api::Api;
use crate::client::failure::Failure;
use crate::client::output::Output;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// What people call it
    name: String,
    /// Whose it is; not needed by those who have an account of their own
    #[arg(long, value_name = "ID")]
    account: Option<Uuid>,
    /// What it may be used for; may be repeated
    #[arg(long = "scope", value_name = "SCOPE")]
    scopes: Vec<String>,
    /// What kind of traffic it is for
    #[arg(long, value_parser = ["live", "test"], default_value = "live")]
    environment: String,
    /// First moment at which it works (RFC 3339)
    #[arg(long, value_name = "TIME")]
    not_before: Option<String>,
    /// First moment at which it works no more (RFC 3339)
    #[arg(long, value_name = "TIME", conflicts_with = "expires_in_minutes")]
    expires_at: Option<String>,
    /// How long it works
    #[arg(long, value_name = "MINUTES")]
    expires_in_minutes: Option<u32>,
    /// A network that it may be used from, or an address; may be repeated. If none is given, from
    /// anywhere, or from where the token that you use may be used
    #[arg(long = "allowed-cidr", value_name = "NETWORK")]
    allowed_cidrs: Vec<String>,
    /// How much it may do in how much time, as
    /// `name=requests,limit=600,window_seconds=60[,burst=100][,cost=1]`; may be repeated. If none is
    /// given, as much as it will, or as much as the token that you use
    #[arg(long = "rate-limit", value_name = "LIMIT", value_parser = fields)]
    rate_limits: Vec<Value>,
    /// How many uses it has, as `name=month,limit=100000[,refill=daily|monthly|none]`; may be
    /// repeated. If none is given, as many as it will, or as many as the token that you use
    #[arg(long = "quota", value_name = "QUOTA", value_parser = fields)]
    quotas: Vec<Value>,
    /// What is kept with it: a JSON object
    #[arg(long, value_name = "JSON")]
    metadata: Option<String>,
    /// Print the secret and nothing else
    #[arg(long, short)]
    quiet: bool,
}

pub(super) async fn run(
    api: &Api,
    output: Output,
    arguments: &Arguments,
) -> Result<ExitCode, Failure> {
    let mut body = json!({
        "name": arguments.name,
        "scopes": arguments.scopes,
        "environment": arguments.environment,
    });
    let metadata: Option<Map<String, Value>> = match &arguments.metadata {
        Some(text) => Some(serde_json::from_str(text).map_err(|_| Failure::Metadata)?),
        None => None,
    };
    for (member, value) in [
        (
            "account_id",
            arguments.account.map(|id| json!(id.to_string())),
        ),
        (
            "not_before",
            arguments.not_before.as_ref().map(|it| json!(it)),
        ),
        (
            "expires_at",
            arguments.expires_at.as_ref().map(|it| json!(it)),
        ),
        (
            "expires_in_minutes",
            arguments.expires_in_minutes.map(|it| json!(it)),
        ),
        (
            "allowed_cidrs",
            Some(&arguments.allowed_cidrs)
                .filter(|it| !it.is_empty())
                .map(|it| json!(it)),
        ),
        (
            "rate_limits",
            Some(&arguments.rate_limits)
                .filter(|it| !it.is_empty())
                .map(|it| json!(it)),
        ),
        (
            "quotas",
            Some(&arguments.quotas)
                .filter(|it| !it.is_empty())
                .map(|it| json!(it)),
        ),
        ("metadata", metadata.map(Value::Object)),
    ] {
        // What is not given is left to the server.
        if let Some(value) = value {
            body[member] = value;
        }
    }
    let issued = api.post("tokens", &body).await?;
    secret(output, &issued, arguments.quiet)
}

/// A limit or a quota as the API takes it. What the fields are and may be is the server's to say.
pub(crate) fn fields(text: &str) -> Result<Value, String> {
    let field = |pair: &str| {
        let (field, value) = pair
            .split_once('=')
            .ok_or_else(|| format!("`{pair}` is not a field with its value, such as limit=600"))?;
        let value =
            match field {
                "name" | "refill" => json!(value),
                _ => json!(value.parse::<u64>().map_err(|_| format!(
                    "`{value}` is not a whole number that `{field}` may be"
                ))?),
            };
        Ok((field.to_owned(), value))
    };
    let fields: Result<Map<String, Value>, String> = text.split(',').map(field).collect();
    fields.map(Value::Object)
}

/// Prints a token together with its secret.
pub(super) fn secret(output: Output, token: &Value, quiet: bool) -> Result<ExitCode, Failure> {
    match token["token"].as_str().filter(|_| quiet) {
        Some(secret) => Output::text(secret)?,
        None => output.token(token)?,
    }
    Ok(ExitCode::SUCCESS)
}
