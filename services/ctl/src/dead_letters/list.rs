//! `tollkeeper dead-letters list`

use std::process::ExitCode;

use serde_json::{Value, json};
use sqlx::PgPool;
use tollkeeper_read_model::usage::dead_letters::{self, LetterRow};

use super::{Error, Filter};
use crate::client::output::{Format, plain};
use crate::out::{complain, say};

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    filter: Filter,
    /// How many are printed at most
    #[arg(long, value_name = "NUMBER", default_value_t = 50)]
    limit: u32,
    /// How they are printed
    #[arg(long, value_enum, default_value_t = Format::Table)]
    output: Format,
}

pub(super) async fn run(pool: &PgPool, arguments: &Arguments) -> Result<ExitCode, Error> {
    let letters = arguments.filter.letters(None);
    let limit = i64::from(arguments.limit);
    let mut rows = dead_letters::list(pool, &letters, limit + 1).await?;
    let more = rows.len() > arguments.limit as usize;
    rows.truncate(arguments.limit as usize);
    match arguments.output {
        Format::Json => {
            let items: Vec<Value> = rows.iter().map(json_of).collect();
            say(&format!("{:#}", Value::Array(items)));
        }
        Format::Table => rows.iter().for_each(|row| say(&line(row))),
    }
    if more {
        complain("there are more: see --limit");
    }
    Ok(ExitCode::SUCCESS)
}

fn json_of(row: &LetterRow) -> Value {
    json!({
        "id": row.id,
        "received_at": row.received_at,
        "reason": row.reason,
        "detail": row.detail,
        "kind": row.kind,
        "source": row.source,
        "first": row.first,
        "last": row.last,
        "bytes": row.bytes,
        "replay_asked_at": row.replay_asked_at,
        "replay_failure": row.replay_failure,
    })
}

fn line(row: &LetterRow) -> String {
    let LetterRow {
        id,
        reason,
        kind,
        bytes,
        ..
    } = row;
    let at = row.received_at.format("%Y-%m-%dT%H:%M:%SZ");
    let range = match (row.source, row.first, row.last) {
        (Some(source), Some(first), Some(last)) => format!("{source} {first}-{last}"),
        _ => "of nobody known".to_owned(),
    };
    let replay = match (&row.replay_asked_at, &row.replay_failure) {
        (Some(_), _) => "; is to be tried again".to_owned(),
        (None, Some(why)) => format!("; tried again: {}", plain(why)),
        (None, None) => String::new(),
    };
    // What is wrong with a message may be in the words of whoever sent it.
    let detail = plain(&row.detail);
    format!("{id} {at} {reason} {kind} of {bytes} bytes, {range}: {detail}{replay}")
}
