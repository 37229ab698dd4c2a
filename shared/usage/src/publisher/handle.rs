//! A publisher that runs in a task of its own, until it is told to stop.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::Drained;

/// A running publisher.
#[derive(Debug)]
pub struct PublisherHandle {
    pub(super) stop: CancellationToken,
    pub(super) drain: Arc<parking_lot::Mutex<Duration>>,
    pub(super) task: tokio::task::JoinHandle<Drained>,
}

impl PublisherHandle {
    /// Stops the publisher after it has sent what it could within `deadline`.
    ///
    /// # Panics
    /// If the publisher panicked.
    pub async fn shutdown(self, deadline: Duration) -> Drained {
        *self.drain.lock() = deadline;
        self.stop.cancel();
        match self.task.await {
            Ok(drained) => drained,
            Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
            Err(_) => Drained { complete: false },
        }
    }
}
