//! Writes down what was refused, beside the requests. Where the database does not answer, it waits in
//! memory as far as there is room, and is tried again.

use std::time::Duration;

use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tollkeeper_read_model::audit;
use tollkeeper_telemetry::audit::WRITE_FAILURES;
use uuid::Uuid;

use crate::app::App;

/// How often: as much is lost if the process is killed.
const EVERY: Duration = Duration::from_secs(1);

/// The most rows in one statement.
const BATCH: usize = 500;

/// The longest that one statement may take, with the wait for a connection.
const LONGEST: Duration = Duration::from_secs(5);

/// Writes until `stop`, and then what is left. `run_id` is this run of the process, and of no other.
pub async fn run(app: App, run_id: Uuid, stop: CancellationToken) {
    let mut failing = false;
    loop {
        let is_over = tokio::select! {
            () = stop.cancelled() => true,
            () = tokio::time::sleep(EVERY) => false,
        };
        let outcome = flush(&app, run_id).await;
        match &outcome {
            Err(why) if !failing => tracing::warn!(why, "refused attempts wait to be written"),
            Ok(()) if failing => tracing::info!("refused attempts are written again"),
            _ => {}
        }
        failing = outcome.is_err();
        if is_over {
            break;
        }
    }
    let attempts = app.refusals.left();
    if attempts > 0 {
        tracing::error!(attempts, "refused attempts are lost to the audit log");
    }
}

/// Writes all that waits. What was written and is not known to be is written again the next time, which
/// changes nothing.
async fn flush(app: &App, run_id: Uuid) -> Result<(), String> {
    loop {
        let rows = app.refusals.unwritten(BATCH);
        if rows.is_empty() {
            app.refusals.written(&rows, app.now());
            return Ok(());
        }
        let written = timeout(LONGEST, audit::write(&app.pool, run_id, &rows)).await;
        match written {
            Ok(Ok(())) => app.refusals.written(&rows, app.now()),
            Ok(Err(error)) => return Err(failed(error)),
            Err(late) => return Err(failed(late)),
        }
    }
}

fn failed(why: impl ToString) -> String {
    WRITE_FAILURES.handle().increment(1);
    why.to_string()
}
