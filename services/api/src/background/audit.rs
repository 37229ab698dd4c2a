//! Removes what the audit log is done with: entries and refused attempts, in batches, by one process at a
//! time. Events stay.

use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tollkeeper_read_model::audit;

use super::in_turn;
use crate::app::App;

/// How often there is a look.
const PAUSE: Duration = Duration::from_secs(600);

/// The most rows that one statement removes.
const BATCH: i32 = 5000;

/// Removes until `stop`. Faults are logged and tried again.
pub async fn run(app: App, stop: CancellationToken) {
    let step = async || {
        let before = app.now() - app.policy.audit_retention;
        let gone = audit::forget(&app.pool, before, BATCH).await?;
        Ok(gone < BATCH)
    };
    in_turn(&app.pool, "audit-retention", PAUSE, stop, step).await;
}
