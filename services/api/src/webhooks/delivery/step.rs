//! One step of a delivery in the database.

use std::time::Duration;

use tollkeeper_event_store::ReadError;

use crate::webhooks::store::queue::QueueError;

/// The longest that one step may take. Whatever it waits for, the few connections of deliveries must
/// not wait with it.
pub(super) const STEP: Duration = Duration::from_secs(5);

/// Why a step came to nothing.
#[derive(Debug, thiserror::Error)]
pub(super) enum Fault {
    #[error(transparent)]
    Queue(#[from] QueueError),
    #[error(transparent)]
    Database(#[from] sqlx::Error),
    #[error(transparent)]
    Log(#[from] ReadError),
    #[error("an event cannot be written: {0}")]
    Encode(#[from] serde_json::Error),
    #[error("the database did not answer in time")]
    Late,
}

/// Takes one step on a connection of the pool, which has its own patience, in time. The connection of
/// a step that was cut off is closed: it may go on waiting, and nobody else with it.
macro_rules! step {
    ($pool:expr, $db:ident => $work:expr) => {{
        let mut connection = $pool.acquire().await?;
        let $db = &mut *connection;
        let outcome = tokio::time::timeout($crate::webhooks::delivery::step::STEP, $work).await;
        match outcome {
            Ok(outcome) => outcome.map_err(Fault::from),
            Err(_) => {
                connection.close_on_drop();
                Err(Fault::Late)
            }
        }
    }};
}

pub(super) use step;
