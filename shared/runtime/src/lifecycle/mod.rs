//! The life of a process.
//!
//! It ends in two steps. First the *work* is asked to stop (tasks started with [`Spawner::work`]:
//! listeners, consumers) and drains; when the last of it has ended, the *support* it leaned on is
//! asked (tasks started with [`Spawner::support`]: writers, publishers, the health listener). Both
//! steps share one grace period. A second signal, or the end of that period, cuts off what is left.
//!
//! A task that panics, fails, or returns before it was asked to brings the process down: a service
//! that runs on without one of its parts is worse than one that is restarted.

mod signals;
mod task;

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use signals::Signals;
use task::{Ended, Stage, Stages};
pub use task::{Spawner, TaskResult};

/// The tasks of a process and its end.
#[derive(Debug)]
pub struct Lifecycle {
    spawner: Spawner,
    endings: mpsc::UnboundedReceiver<Ended>,
}

/// Why a run is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    Clean,
    Failed,
}

impl Default for Lifecycle {
    fn default() -> Self {
        Self::new()
    }
}

impl Lifecycle {
    /// A life without tasks yet.
    #[must_use]
    pub fn new() -> Self {
        let (report, endings) = mpsc::unbounded_channel();
        let spawner = Spawner::new(Stages::default(), report);
        Self { spawner, endings }
    }

    /// For those who start tasks later.
    #[must_use]
    pub fn spawner(&self) -> Spawner {
        self.spawner.clone()
    }

    /// Cancelled as soon as the process is asked to stop, before anything has drained.
    #[must_use]
    pub fn stopping(&self) -> CancellationToken {
        self.spawner.stages().work.clone()
    }

    /// Starts a task that stops first. See [`Spawner::work`].
    pub fn spawn<F, R>(&self, name: &'static str, task: impl FnOnce(CancellationToken) -> F)
    where
        F: Future<Output = R> + Send + 'static,
        R: TaskResult,
    {
        self.spawner.work(name, task);
    }

    /// Starts a task that stops when all work has ended. See [`Spawner::support`].
    pub fn spawn_support<F, R>(&self, name: &'static str, task: impl FnOnce(CancellationToken) -> F)
    where
        F: Future<Output = R> + Send + 'static,
        R: TaskResult,
    {
        self.spawner.support(name, task);
    }

    /// Runs until SIGTERM, SIGINT or the first task that fails, then stops everything within
    /// `grace`. The exit code is a failure when a task failed or had to be cut off.
    pub async fn run_until_stopped(self, grace: Duration) -> ExitCode {
        let outcome = match Signals::new() {
            Ok(mut signals) => self.run(&mut signals, grace).await,
            Err(error) => {
                tracing::error!(%error, "cannot listen for signals");
                Outcome::Failed
            }
        };
        match outcome {
            Outcome::Clean => ExitCode::SUCCESS,
            Outcome::Failed => ExitCode::FAILURE,
        }
    }

    async fn run(mut self, signals: &mut Signals, grace: Duration) -> Outcome {
        let mut outcome = tokio::select! {
            name = signals.next() => {
                tracing::info!(signal = name, "stopping");
                Outcome::Clean
            }
            Some(ended) = self.endings.recv() => {
                self.spawner.forget(&ended);
                ended.log();
                tracing::error!(task = ended.name, "stopping, because a task ended");
                Outcome::Failed
            }
        };
        let drained = tokio::select! {
            drained = self.drain() => drained,
            name = signals.next() => {
                tracing::warn!(signal = name, "asked again, not waiting any longer");
                Outcome::Failed
            }
            () = tokio::time::sleep(grace) => {
                tracing::error!("the time to drain is over");
                Outcome::Failed
            }
        };
        if drained == Outcome::Failed {
            outcome = Outcome::Failed;
        }
        for (name, count) in self.running() {
            tracing::error!(task = name, count, "cut off");
        }
        self.spawner.stages().hard.cancel();
        outcome
    }

    async fn drain(&mut self) -> Outcome {
        let mut outcome = Outcome::Clean;
        for stage in [Stage::Work, Stage::Support] {
            self.spawner.stages().stop(stage);
            while self.spawner.any_running(stage) {
                let Some(ended) = self.endings.recv().await else {
                    break;
                };
                self.spawner.forget(&ended);
                if !ended.as_asked {
                    ended.log();
                    outcome = Outcome::Failed;
                }
            }
        }
        outcome
    }

    fn running(&self) -> BTreeMap<&'static str, usize> {
        self.spawner.running()
    }
}

#[cfg(test)]
mod tests;
