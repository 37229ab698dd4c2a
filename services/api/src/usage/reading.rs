//! Reading usage without being in anybody's way: few connections, a bounded time, and nothing is
//! written. Where there is a replica that is not far behind, it is asked, and the primary in its place
//! where it fails.

use sqlx::{PgPool, Postgres, Transaction};
use tollkeeper_telemetry::usage::QUESTIONS;

use super::times::too_large;
use crate::app::App;
use crate::http::problem::Problem;
use crate::replica::Replica;

/// The longest that a statement may take, in seconds: less than a request may.
const PATIENCE: u8 = 5;

/// SQLSTATE of a statement that took longer.
const QUERY_CANCELED: &str = "57014";

/// What would do where a question takes too long, for most.
pub(super) const SHORTER: &str =
    "ask for a shorter range, or for what rollups hold, with `bucket=hour` or `bucket=day`";

/// A connection for a question.
pub(crate) type Reading = Transaction<'static, Postgres>;

/// Asks a question. `better` says what would do where it takes too long.
pub(super) async fn ask<T, F>(
    app: &App,
    better: &str,
    question: impl Fn(Reading) -> F,
) -> Result<T, Problem>
where
    F: Future<Output = Result<T, sqlx::Error>>,
{
    if let Some(replica) = &app.replica {
        if let Some(answer) = ask_replica(replica, &question).await {
            QUESTIONS.with("replica").increment(1);
            return answer.map_err(|error| failed(error, better));
        }
        QUESTIONS.with("primary_instead").increment(1);
    } else {
        QUESTIONS.with("primary").increment(1);
    }
    ask_primary(app, better, question).await
}

/// Asks the primary a question, as one that is not about usage and wants what was committed last.
pub(crate) async fn ask_primary<T, F>(
    app: &App,
    better: &str,
    question: impl Fn(Reading) -> F,
) -> Result<T, Problem>
where
    F: Future<Output = Result<T, sqlx::Error>>,
{
    let answer = ask_server(&app.usage_pool, &question).await;
    answer.map_err(|error| failed(error, better))
}

/// The replica's answer; none where the primary is to be asked.
async fn ask_replica<T, F>(
    replica: &Replica,
    question: &impl Fn(Reading) -> F,
) -> Option<Result<T, sqlx::Error>>
where
    F: Future<Output = Result<T, sqlx::Error>>,
{
    if !replica.is_asked() {
        return None;
    }
    let answer = tokio::select! {
        answer = ask_server(&replica.pool, question) => answer,
        // It fell silent, or far behind.
        () = replica.given_up() => return None,
    };
    match answer {
        Err(error) if is_canceled(&error) => Some(Err(error)),
        // Others ask already, as many as may.
        Err(error @ sqlx::Error::PoolTimedOut) => Some(Err(error)),
        Err(error) => {
            // What it says itself may be about this question, such as that rows are gone by now.
            let speaks = error.as_database_error().and_then(|error| error.code());
            if speaks.is_none_or(|code| code.starts_with("57") || code.starts_with("08")) {
                replica.give_up(format!("the replica failed: {error}"));
            }
            None
        }
        Ok(answer) => Some(Ok(answer)),
    }
}

async fn ask_server<T, F>(pool: &PgPool, question: &impl Fn(Reading) -> F) -> Result<T, sqlx::Error>
where
    F: Future<Output = Result<T, sqlx::Error>>,
{
    question(begin(pool).await?).await
}

/// Begins to read. Plans are made for the values at hand, and are not worth compiling.
async fn begin(pool: &PgPool) -> Result<Reading, sqlx::Error> {
    let mut transaction = pool.begin().await?;
    let timeout = format!("{PATIENCE}s");
    sqlx::query!(
        "select set_config('transaction_read_only', 'on', true) as read_only,
            set_config('statement_timeout', $1, true) as statement_timeout,
            set_config('lock_timeout', '2s', true) as lock_timeout,
            set_config('jit', 'off', true) as jit",
        timeout,
    )
    .fetch_one(&mut *transaction)
    .await?;
    Ok(transaction)
}

fn is_canceled(error: &sqlx::Error) -> bool {
    let error = error.as_database_error();
    error.is_some_and(|error| error.code().as_deref() == Some(QUERY_CANCELED))
}

/// What it means that a question was not answered.
fn failed(error: sqlx::Error, better: &str) -> Problem {
    if is_canceled(&error) {
        too_large(format_args!(
            "this was not read within {PATIENCE} seconds: {better}"
        ))
    } else {
        error.into()
    }
}
