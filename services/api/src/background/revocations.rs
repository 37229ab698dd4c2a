//! Works off revocations of many tokens that no request works on any more: they were too long for
//! it, or its process died.
//!
//! Each job has a lease of its own, so several processes share the work.

use std::time::Duration;

use chrono::TimeDelta;
use tokio_util::sync::CancellationToken;

use super::StepError;
use crate::app::App;
use crate::commands::CommandError;

/// How often the database is asked for jobs while there are none.
const PAUSE: Duration = Duration::from_millis(500);

/// The longest that one piece of a job may take; the lease holds as long.
const LONGEST: Duration = Duration::from_secs(15);

/// How long a job can be asked for after it is over.
const KEPT: TimeDelta = TimeDelta::days(30);

/// How long whoever runs a plan too late is told so.
const PLANS_KEPT: TimeDelta = TimeDelta::hours(1);

/// Works until `stop`. Faults are logged and tried again.
pub async fn run(app: App, stop: CancellationToken) {
    let mut failing = false;
    while !stop.is_cancelled() {
        let outcome = match work(&app, &stop).await {
            Ok(idle) => Ok(idle),
            Err(error) => Err(StepError::from(error)),
        };
        match &outcome {
            Err(error) if !failing => tracing::warn!(%error, "revocations wait"),
            Ok(_) if failing => tracing::info!("revocations go on"),
            _ => {}
        }
        failing = outcome.is_err();
        if outcome.unwrap_or(true) {
            tokio::select! {
                () = stop.cancelled() => {}
                () = tokio::time::sleep(PAUSE) => {}
            }
        }
    }
}

/// Works on one job until it is done. Tells whether there was nothing to do.
async fn work(app: &App, stop: &CancellationToken) -> Result<bool, CommandError> {
    let Some(job) = app.commands.abandoned_job().await? else {
        let now = app.now();
        let forgotten = app.commands.forget_job(now - KEPT, now - PLANS_KEPT);
        return Ok(!forgotten.await?);
    };
    while !stop.is_cancelled() {
        match tokio::time::timeout(LONGEST, app.commands.work(&job)).await {
            Ok(done) => {
                if done? {
                    break;
                }
            }
            // Somebody else has the lease by now.
            Err(_) => break,
        }
    }
    Ok(false)
}
