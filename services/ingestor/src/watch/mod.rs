//! Watches what lies between the processes that no single one of them counts: the stream and its
//! consumer, dead letters, what is missing of usage, and the days that can be written to. For metrics
//! alone: nothing waits for it, and what cannot be read keeps its last value. And, for `/readyz`, whether the
//! database answers.

mod broker;
mod connection;
mod database;

pub use broker::watch_broker;
pub use connection::watch_connection;
pub use database::watch_database;

use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tollkeeper_telemetry::usage::WATCH_FAILURES;

/// Reads again and again until `stop`, and counts what failed at `server`.
async fn watch<F, E>(
    server: &'static str,
    every: Duration,
    stop: CancellationToken,
    read: impl Fn() -> F,
) where
    F: Future<Output = Result<(), E>>,
    E: std::fmt::Display,
{
    loop {
        let done = tokio::select! {
            () = stop.cancelled() => return,
            done = read() => done,
        };
        if let Err(error) = done {
            // The connections have watches of their own, which log.
            tracing::debug!(%error, server, "metrics stay as they are");
            WATCH_FAILURES.with(server).increment(1);
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(every) => {}
        }
    }
}
