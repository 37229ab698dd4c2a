//! Work beside the requests that one process at a time does for all of them.
//!
//! A lease in the database says which process that is. It only keeps the others from doing the
//! same work: each step is right however many take it at once, and one that was cut off is taken
//! again.

pub mod audit;
pub mod console;
pub mod deletions;
pub mod expiry;
pub mod revocations;

use std::time::Duration;

use sqlx::PgPool;
use tokio_util::sync::CancellationToken;
use tollkeeper_event_store::{Lease, LeaseError, lease, move_checkpoint};

use crate::commands::CommandError;

/// How long a lease holds; another process takes over that long after this one died.
const LEASE: Duration = Duration::from_secs(15);

/// The most tokens in one submission: callers who wait for the log must not wait long for this.
pub(crate) const CHUNK: usize = 200;

/// Why a step was not taken.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StepError {
    #[error(transparent)]
    Lease(#[from] LeaseError),
    #[error(transparent)]
    Command(#[from] CommandError),
    #[error(transparent)]
    Database(#[from] sqlx::Error),
    #[error("the database did not answer in time")]
    Late,
}

/// Takes one `step` after another until `stop`, while this process holds the lease called `name`.
/// A step tells whether there is nothing more to do for now; then, and after a fault, there is a
/// `pause`.
pub(crate) async fn in_turn<F>(
    pool: &PgPool,
    name: &'static str,
    pause: Duration,
    stop: CancellationToken,
    mut step: impl FnMut() -> F,
) where
    F: Future<Output = Result<bool, StepError>>,
{
    let mut held: Option<Lease> = None;
    let mut failing = false;
    while !stop.is_cancelled() {
        let turn = turn(pool, name, &mut held, step());
        let outcome = match tokio::time::timeout(LEASE, turn).await {
            Ok(outcome) => outcome,
            Err(_) => Err(StepError::Late),
        };
        if let Err(error) = &outcome {
            if !failing {
                tracing::warn!(name, %error, "background work waits");
            }
            held = held.filter(|_| !matches!(error, StepError::Lease(LeaseError::Lost)));
        } else if failing {
            tracing::info!(name, "background work goes on");
        }
        failing = outcome.is_err();
        if outcome.unwrap_or(true) {
            tokio::select! {
                () = stop.cancelled() => {}
                () = tokio::time::sleep(pause) => {}
            }
        }
    }
    if let Some(mut lease) = held {
        let position = lease.position;
        if let Err(error) = move_checkpoint(pool, &mut lease, position, Duration::ZERO).await {
            tracing::debug!(name, %error, "a lease runs out by itself");
        }
    }
}

async fn turn(
    pool: &PgPool,
    name: &'static str,
    held: &mut Option<Lease>,
    step: impl Future<Output = Result<bool, StepError>>,
) -> Result<bool, StepError> {
    if held.is_none() {
        *held = lease(pool, name, LEASE).await?;
    }
    let Some(lease) = held else { return Ok(true) };
    // Nothing in the log is followed, so the position stays where it is.
    let position = lease.position;
    move_checkpoint(pool, lease, position, LEASE).await?;
    step.await
}
