//! Trying dead letters again when somebody asks for it.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::settle::Settler;

/// How often it is looked whether somebody asks, and how soon after a failure.
const EVERY: Duration = Duration::from_secs(1);

/// Tries the letters again that are asked for, one after the other, until `stop`.
pub async fn replay_dead_letters(settler: Settler, stop: CancellationToken) {
    loop {
        let done = tokio::select! {
            // A letter is one transaction: what is cut off did not happen.
            () = stop.cancelled() => return,
            done = settler.replay_next() => done,
        };
        match done {
            Ok(true) => continue,
            Ok(false) => {}
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
