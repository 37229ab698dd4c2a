//! Whether the database answers, also while there is no usage to be written.

use std::time::Duration;

use sqlx::{Connection, PgConnection, PgPool};
use tokio_util::sync::CancellationToken;
use tollkeeper_runtime::health::ReadinessHandle;

use crate::patience::silence;

const EVERY: Duration = Duration::from_secs(2);

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// Tells once that the database is away, and once that it is there again, until `stop`. Whether usage can be
/// written, which needs more than an answer, is told by who writes it.
pub async fn watch_connection(pool: PgPool, postgres: ReadinessHandle, stop: CancellationToken) {
    let mut is_away = false;
    loop {
        let asked = tokio::select! {
            () = stop.cancelled() => return,
            asked = ask(&pool) => asked,
        };
        match asked {
            Err(error) if !is_away => {
                is_away = true;
                tracing::warn!("Postgres is away: {error}");
                postgres.not_ready(format!("Postgres is away: {error}"));
            }
            Ok(()) if is_away => {
                is_away = false;
                tracing::info!("Postgres is there");
                postgres.ready();
            }
            Ok(()) | Err(_) => {}
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(EVERY) => {}
        }
    }
}

async fn ask(pool: &PgPool) -> Result<(), sqlx::Error> {
    match pool.acquire().await {
        Ok(_) => Ok(()),
        // All may be at work; and a pool hides why it could not connect behind its own time-out.
        Err(_) => {
            let options = pool.connect_options();
            let connecting = PgConnection::connect_with(&options);
            match tokio::time::timeout(PATIENCE, connecting).await {
                Ok(connected) => connected?.close().await,
                Err(_) => Err(silence()),
            }
        }
    }
}
