//! `tollkeeper token list`

use std::process::ExitCode;

use uuid::Uuid;

use crate::client::api::Api;
use crate::client::failure::Failure;
use crate::client::output::{Column, Output};

const COLUMNS: &[Column] = &[
    ("ID", "id"),
    ("NAME", "name"),
    ("PREFIX", "token_prefix"),
    ("STATE", "state"),
    ("SCOPES", "scopes"),
    ("EXPIRES", "expires_at"),
    ("LAST USED", "last_used_at"),
];

const ORDERS: [&str; 8] = [
    "created_at",
    "-created_at",
    "name",
    "-name",
    "expires_at",
    "-expires_at",
    "last_used_at",
    "-last_used_at",
];

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Only those of this account
    #[arg(long, value_name = "ID")]
    account: Option<Uuid>,
    /// Only those in this state
    #[arg(long, value_parser = ["active", "suspended", "revoked", "expired"])]
    state: Option<String>,
    /// Only those for this kind of traffic
    #[arg(long, value_parser = ["live", "test"])]
    environment: Option<String>,
    /// Only those that hold exactly this scope
    #[arg(long)]
    scope: Option<String>,
    /// Only those that begin so
    #[arg(long)]
    prefix: Option<String>,
    /// Only those whose name holds this, whatever the case
    #[arg(long, value_name = "TEXT")]
    search: Option<String>,
    /// Only those that never let a call pass
    #[arg(long)]
    never_used: bool,
    /// Only those that neither let a call pass nor were issued since (RFC 3339)
    #[arg(long, value_name = "TIME")]
    unused_since: Option<String>,
    /// By what they are sorted; with a `-` from the last to the first
    #[arg(long, value_name = "ORDER", allow_hyphen_values = true, value_parser = ORDERS)]
    sort: Option<String>,
    /// Those that there were at this moment, as they were (RFC 3339)
    #[arg(long, value_name = "TIME")]
    as_of: Option<String>,
    #[command(flatten)]
    extent: Extent,
}

/// How much of a list is wanted.
#[derive(Debug, clap::Args)]
pub(crate) struct Extent {
    /// How many are printed at most
    #[arg(long, value_name = "NUMBER", default_value_t = 50,
        value_parser = clap::value_parser!(u32).range(1..), conflicts_with = "all")]
    limit: u32,
    /// Print all of them
    #[arg(long)]
    all: bool,
}

impl Extent {
    /// The most items; none if all are wanted.
    pub(crate) fn most(&self) -> Option<usize> {
        (!self.all).then(|| usize::try_from(self.limit).unwrap_or(usize::MAX))
    }
}

pub(super) async fn run(
    api: &Api,
    output: Output,
    arguments: &Arguments,
) -> Result<ExitCode, Failure> {
    let filters: Vec<(&str, String)> = [
        ("account_id", arguments.account.map(|id| id.to_string())),
        ("state", arguments.state.clone()),
        ("environment", arguments.environment.clone()),
        ("scope", arguments.scope.clone()),
        ("prefix", arguments.prefix.clone()),
        ("search", arguments.search.clone()),
        (
            "never_used",
            arguments.never_used.then(|| "true".to_owned()),
        ),
        ("unused_since", arguments.unused_since.clone()),
        ("sort", arguments.sort.clone()),
        ("as_of", arguments.as_of.clone()),
    ]
    .into_iter()
    .filter_map(|(name, value)| Some((name, value?)))
    .collect();
    let tokens = api
        .pages("tokens", &filters, arguments.extent.most())
        .await?;
    output.rows(tokens, COLUMNS)?;
    Ok(ExitCode::SUCCESS)
}
