//! Removes answers after their 24 hours and sealed secrets after their ten minutes, in small batches.
//! Several processes may do so at once: each takes the rows that no other has.

use std::time::Duration;

use sqlx::PgPool;
use tokio_util::sync::CancellationToken;

use super::store;

const BATCH: i64 = 500;

const PAUSE: Duration = Duration::from_secs(30);

/// Removes until it is told to stop.
pub async fn run(pool: PgPool, stop: CancellationToken) {
    let mut failing = false;
    loop {
        let outcome = tokio::select! {
            () = stop.cancelled() => return,
            outcome = sweep(&pool) => outcome,
        };
        if let Err(error) = &outcome
            && !failing
        {
            tracing::warn!(%error, "old answers cannot be removed now");
        }
        failing = outcome.is_err();
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(PAUSE) => {}
        }
    }
}

async fn sweep(pool: &PgPool) -> Result<(), sqlx::Error> {
    let full = BATCH.unsigned_abs();
    while store::forget_secrets(pool, BATCH).await? == full {}
    while store::remove_old(pool, BATCH).await? == full {}
    Ok(())
}
