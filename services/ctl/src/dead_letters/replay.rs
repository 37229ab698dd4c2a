//! `tollkeeper dead-letters replay`

use std::process::ExitCode;
use std::time::Duration;

use sqlx::PgPool;
use tollkeeper_read_model::usage::dead_letters::{self, LetterRow, Letters};

use super::{Error, Filter};
use crate::client::output::plain;
use crate::out::{complain, say};

/// Some letters could not be counted, or not yet.
const NOT_ALL: u8 = 1;

/// How often it is looked what came of it.
const EVERY: Duration = Duration::from_millis(250);

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The letters' numbers, as `list` shows them
    #[arg(
        value_name = "ID",
        required_unless_present = "all",
        conflicts_with = "all"
    )]
    ids: Vec<i64>,
    /// All letters, as far as they are not narrowed down
    #[arg(long)]
    all: bool,
    #[command(flatten)]
    filter: Filter,
    /// How long to wait for an ingestor
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    wait_seconds: u64,
}

pub(super) async fn run(pool: &PgPool, arguments: &Arguments) -> Result<ExitCode, Error> {
    let ids = (!arguments.all).then(|| arguments.ids.clone());
    let letters = arguments.filter.letters(ids);
    let by = dead_letters::replay_by_login();
    let asked = dead_letters::ask_for_replay(pool, &letters, i64::MAX, &by).await?;
    let unknown = arguments.ids.iter().filter(|id| !asked.contains(id));
    let unknown: Vec<String> = unknown.map(ToString::to_string).collect();
    if !unknown.is_empty() {
        complain(&format!("there is no such letter: {}", unknown.join(", ")));
    }
    let left = settled(pool, &asked, arguments.wait_seconds).await?;
    for letter in &left {
        match &letter.replay_failure {
            Some(why) => complain(&format!("{} stays: {}", letter.id, plain(why))),
            None => complain(&format!("{} waits for an ingestor", letter.id)),
        }
    }
    say(&format!(
        "{} counted, {} left",
        asked.len() - left.len(),
        left.len()
    ));
    Ok(if left.is_empty() && unknown.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(NOT_ALL)
    })
}

/// What is left of the letters when all were tried, or the time is over.
async fn settled(pool: &PgPool, asked: &[i64], wait: u64) -> Result<Vec<LetterRow>, Error> {
    let letters = Letters {
        ids: Some(asked.to_vec()),
        ..Letters::default()
    };
    let all_tried = async {
        loop {
            let left = dead_letters::list(pool, &letters, i64::MAX).await?;
            if left.iter().all(|letter| letter.replay_asked_at.is_none()) {
                return Ok(left);
            }
            tokio::time::sleep(EVERY).await;
        }
    };
    match tokio::time::timeout(Duration::from_secs(wait), all_tried).await {
        Ok(left) => left,
        Err(_) => Ok(dead_letters::list(pool, &letters, i64::MAX).await?),
    }
}
