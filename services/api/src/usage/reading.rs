//! Reading usage without being in anybody's way: few connections, a bounded time, and nothing is
//! written.

use sqlx::{Postgres, Transaction};

use super::times::too_large;
use crate::app::App;
use crate::http::problem::Problem;

/// The longest that a statement may take, in seconds: less than a request may.
const PATIENCE: u8 = 5;

/// SQLSTATE of a statement that took longer.
const QUERY_CANCELED: &str = "57014";

/// A connection for a question. Plans are made for the values at hand, and are not worth compiling.
pub(super) async fn begin(app: &App) -> Result<Transaction<'static, Postgres>, Problem> {
    let mut transaction = app.usage_pool.begin().await?;
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

/// What it means that a question was not answered.
pub(super) fn failed(error: sqlx::Error) -> Problem {
    failed_with(
        error,
        "ask for a shorter range, or for what rollups hold, with `bucket=hour` or `bucket=day`",
    )
}

/// As [`failed`], with what would do.
pub(super) fn failed_with(error: sqlx::Error, better: &str) -> Problem {
    let canceled = error
        .as_database_error()
        .is_some_and(|error| error.code().as_deref() == Some(QUERY_CANCELED));
    if canceled {
        too_large(format_args!(
            "this was not read within {PATIENCE} seconds: {better}"
        ))
    } else {
        error.into()
    }
}
