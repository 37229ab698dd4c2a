//! The engine's tasks.

use std::sync::Arc;

use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::engine::Engine;

/// A task of the engine died. The process should end: nobody repairs the engine, and it answers
/// nothing by its proof any more.
#[derive(Debug, thiserror::Error)]
#[error("a task of the verification engine died")]
pub struct TaskDied(#[source] tokio::task::JoinError);

impl Engine {
    /// Runs the reading of tokens and balances and the following of the log until `stop` is called. Reads under
    /// way are finished; whoever still waits then is told `UNAVAILABLE`.
    ///
    /// # Errors
    /// [`TaskDied`] if one of the tasks panicked.
    pub async fn run(self: Arc<Self>, stop: CancellationToken) -> Result<(), TaskDied> {
        let mut tasks = JoinSet::new();
        for _ in 0..self.config.fill.in_flight.max(1) {
            let (engine, stop) = (Arc::clone(&self), stop.clone());
            tasks.spawn(async move { engine.fill(stop).await });
        }
        let (engine, stopped) = (Arc::clone(&self), stop.clone());
        tasks.spawn(async move { engine.follow(stopped).await });
        let (engine, stopped) = (Arc::clone(&self), stop.clone());
        tasks.spawn(async move { engine.renew_balances(stopped).await });

        let mut outcome = Ok(());
        while let Some(ended) = tasks.join_next().await {
            if let Err(error) = ended {
                outcome = Err(TaskDied(error));
                break;
            }
        }
        // A task that died has not done so.
        self.proof.clear();
        self.flights.close();
        outcome
    }
}
