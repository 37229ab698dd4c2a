//! `tollkeeper usage dry-run`

use std::process::ExitCode;

use serde_json::{Value, json};
use uuid::Uuid;

use crate::client::Failure;
use crate::client::api::{Api, Pages};
use crate::client::output::{Column, Output};
use crate::token::fields;

const COLUMNS: &[Column] = &[
    ("WHAT", "what"),
    ("REQUESTS", "requests"),
    ("WHEN", "timestamp"),
    ("METHOD", "method"),
    ("ENDPOINT", "endpoint"),
    ("STATUS", "status"),
    ("ADDRESS", "ip"),
    ("USER AGENT", "user_agent"),
];

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The token's id
    id: Uuid,
    /// How many days back requests are judged again
    #[arg(long, value_name = "NUMBER")]
    days: Option<u8>,
    /// As if it could have been used from this network alone; may be repeated
    #[arg(long = "allowed-cidr", value_name = "NETWORK")]
    allowed_cidrs: Vec<String>,
    /// As if this had been its rate limit, as
    /// `name=requests,limit=600,window_seconds=60[,burst=100][,cost=1]`; may be repeated
    #[arg(long = "rate-limit", value_name = "LIMIT", value_parser = fields)]
    rate_limits: Vec<Value>,
    /// As if it had begun then (RFC 3339)
    #[arg(long, value_name = "TIME")]
    not_before: Option<String>,
    /// As if it had ended then (RFC 3339)
    #[arg(long, value_name = "TIME")]
    expires_at: Option<String>,
}

impl Arguments {
    /// What is not given is not tried.
    fn body(&self) -> Value {
        let some = |list: Value| Some(list).filter(|it| it != &json!([]));
        let fields = [
            ("days", self.days.map(|it| json!(it))),
            ("allowed_cidrs", some(json!(self.allowed_cidrs))),
            ("rate_limits", some(json!(self.rate_limits))),
            ("not_before", self.not_before.as_ref().map(|it| json!(it))),
            ("expires_at", self.expires_at.as_ref().map(|it| json!(it))),
        ];
        let given = fields.into_iter();
        let given = given.filter_map(|(name, value)| Some((name.to_owned(), value?)));
        Value::Object(given.collect())
    }
}

pub(super) async fn run(
    api: &Api,
    output: Output,
    arguments: &Arguments,
) -> Result<ExitCode, Failure> {
    let path = format!("tokens/{}/dry-run", arguments.id);
    let report = api.post(&path, &arguments.body()).await?;
    let mut items = vec![json!({
        "what": if report["cut"] == true { "the newest" } else { "everything" },
        "requests": report["judged"],
        "timestamp": report["since"],
    })];
    for refused in report["verdicts"].as_array().into_iter().flatten() {
        items.push(json!({ "what": refused["verdict"], "requests": refused["requests"] }));
        let examples = refused["examples"].as_array().into_iter().flatten();
        items.extend(examples.cloned());
    }
    output.rows_of(&report, Pages { items, more: false }, COLUMNS)?;
    Ok(ExitCode::SUCCESS)
}
