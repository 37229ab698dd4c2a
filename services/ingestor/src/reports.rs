//! Counting calls that were reported to the API.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::settle::Settler;

/// How often it is looked whether there are some, and how soon after a failure.
const EVERY: Duration = Duration::from_secs(1);

/// Counts what is reported, until `stop`.
pub async fn count_reports(settler: Settler, stop: CancellationToken) {
    loop {
        let done = tokio::select! {
            // What is counted is one transaction: what is cut off did not happen.
            () = stop.cancelled() => return,
            done = settler.count_reports() => done,
        };
        match done {
            // There may be more.
            Ok(counted) if counted > 0 => continue,
            Ok(_) => {}
            Err(error) => {
                tracing::warn!(error = &error as &dyn std::error::Error, "will try again");
            }
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(EVERY) => {}
        }
    }
}
