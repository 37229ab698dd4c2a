//! Wakes those who wait for the log to go on. They hold nothing but memory while they wait.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Semaphore, SemaphorePermit, watch as channel};
use tokio_util::sync::CancellationToken;
use tollkeeper_authn::Engine;

/// How often it is looked at how far the engine has come, which hears of other processes.
const GLANCE: Duration = Duration::from_millis(200);

/// How many may wait at once.
const MOST_WAITING: usize = 1000;

/// How far the log is known to go.
#[derive(Debug)]
pub struct News {
    position: channel::Sender<i64>,
    places: Semaphore,
    stopping: CancellationToken,
}

impl News {
    /// News until `stopping`, when nobody waits any longer.
    #[must_use]
    pub fn new(stopping: CancellationToken) -> Arc<Self> {
        Arc::new(Self {
            position: channel::Sender::new(0),
            places: Semaphore::new(MOST_WAITING),
            stopping,
        })
    }

    /// The log goes up to here at least.
    pub(crate) fn reached(&self, position: i64) {
        self.position.send_if_modified(|known| {
            let news = position > *known;
            *known = position.max(*known);
            news
        });
    }

    /// A place among those who wait, while there is one.
    pub(crate) fn place(&self) -> Option<SemaphorePermit<'_>> {
        self.places.try_acquire().ok()
    }

    /// Whether nobody should wait any longer.
    pub(crate) fn is_over(&self) -> bool {
        self.stopping.is_cancelled()
    }

    /// Waits until the log goes beyond `position`, for `patience` at most.
    pub(crate) async fn beyond(&self, position: i64, patience: Duration) {
        let mut known = self.position.subscribe();
        tokio::select! {
            _ = known.wait_for(|known| *known > position) => {}
            () = tokio::time::sleep(patience) => {}
            () = self.stopping.cancelled() => {}
        }
    }
}

/// Passes on what the engine hears of until `stop`.
pub async fn watch(engine: Arc<Engine>, news: Arc<News>, stop: CancellationToken) {
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(GLANCE) => {}
        }
        if let Some(position) = engine.status().applied_position {
            news.reached(i64::try_from(position).unwrap_or(i64::MAX));
        }
    }
}
