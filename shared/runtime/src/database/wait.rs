//! Waiting for a database that is away at start.

use std::time::Duration;

use sqlx::PgPool;
use tokio_util::sync::CancellationToken;

use super::schema::{SchemaError, check_schema};
use crate::health::ReadinessHandle;

const BETWEEN_ATTEMPTS: Duration = Duration::from_millis(500);

/// Waiting ended without a connection.
#[derive(Debug, thiserror::Error)]
pub enum Stopped {
    #[error("stopped while waiting for Postgres")]
    Asked,

    #[error("the database cannot be used: {0}")]
    Unusable(#[source] SchemaError),
}

/// Returns when Postgres answers and its schema fits this binary. Until then it keeps trying and
/// says what it waits for, in `/readyz` always and in the log once per change, not per attempt.
///
/// # Errors
/// When `stop` was cancelled, or the schema is one that waiting cannot mend.
pub async fn connect_patiently(
    pool: &PgPool,
    readiness: &ReadinessHandle,
    stop: &CancellationToken,
) -> Result<(), Stopped> {
    let mut reported = None;
    loop {
        // A pool hides why it could not connect behind its own time-out.
        let checked = tokio::select! {
            () = stop.cancelled() => return Err(Stopped::Asked),
            checked = check_schema(pool) => checked,
        };
        let problem = match checked {
            Ok(()) => {
                if reported.is_some() {
                    tracing::info!("Postgres is there");
                }
                readiness.ready();
                return Ok(());
            }
            Err(problem) if problem.may_pass() => problem,
            Err(problem) => return Err(Stopped::Unusable(problem)),
        };
        let reason = match &problem {
            SchemaError::Database(error) => format!("Postgres is away: {error}"),
            other => other.to_string(),
        };
        readiness.not_ready(reason.clone());
        if reported.as_ref() != Some(&reason) {
            tracing::warn!("waiting: {reason}");
            reported = Some(reason);
        }
        tokio::select! {
            () = stop.cancelled() => return Err(Stopped::Asked),
            () = tokio::time::sleep(BETWEEN_ATTEMPTS) => {}
        }
    }
}
