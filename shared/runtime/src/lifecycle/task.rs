//! Tracked tasks.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// What a task may return: nothing, or a result whose error is logged.
pub trait TaskResult: Send + 'static {
    /// The error's text, if it is one.
    fn failure(self) -> Option<String>;
}

impl TaskResult for () {
    fn failure(self) -> Option<String> {
        None
    }
}

impl<E: Display + Send + 'static> TaskResult for Result<(), E> {
    fn failure(self) -> Option<String> {
        self.err().map(|error| error.to_string())
    }
}

/// When a task is asked to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Stage {
    Work,
    Support,
}

/// The tokens of the steps towards the end.
#[derive(Debug, Clone, Default)]
pub(super) struct Stages {
    pub(super) work: CancellationToken,
    pub(super) support: CancellationToken,
    /// Everything still running is cut off.
    pub(super) hard: CancellationToken,
}

impl Stages {
    fn token(&self, stage: Stage) -> &CancellationToken {
        match stage {
            Stage::Work => &self.work,
            Stage::Support => &self.support,
        }
    }

    pub(super) fn stop(&self, stage: Stage) {
        self.token(stage).cancel();
    }
}

/// A task's end, as its supervisor saw it.
#[derive(Debug)]
pub(super) struct Ended {
    pub(super) name: &'static str,
    stage: Stage,
    /// It ended without an error while the process was stopping. Support may end before it is
    /// asked: a writer whose last caller is gone has nothing left to do.
    pub(super) as_asked: bool,
    failure: Option<String>,
}

impl Ended {
    pub(super) fn log(&self) {
        match &self.failure {
            Some(failure) => tracing::error!(task = self.name, %failure, "task failed"),
            None => tracing::error!(task = self.name, "task ended without being asked to"),
        }
    }
}

type Running = BTreeMap<(Stage, &'static str), usize>;

/// Starts tasks of one life. Clones share it.
#[derive(Debug, Clone)]
pub struct Spawner {
    stages: Stages,
    report: mpsc::UnboundedSender<Ended>,
    running: Arc<Mutex<Running>>,
}

impl Spawner {
    pub(super) fn new(stages: Stages, report: mpsc::UnboundedSender<Ended>) -> Self {
        Self {
            stages,
            report,
            running: Arc::default(),
        }
    }

    /// Starts a task that takes work in. It is asked to stop first, through the token it gets, and
    /// must not return before that.
    pub fn work<F, R>(&self, name: &'static str, task: impl FnOnce(CancellationToken) -> F)
    where
        F: Future<Output = R> + Send + 'static,
        R: TaskResult,
    {
        self.start(Stage::Work, name, task);
    }

    /// Starts a task that others lean on. It is asked to stop when all work has ended, through the
    /// token it gets, and must not return before that.
    pub fn support<F, R>(&self, name: &'static str, task: impl FnOnce(CancellationToken) -> F)
    where
        F: Future<Output = R> + Send + 'static,
        R: TaskResult,
    {
        self.start(Stage::Support, name, task);
    }

    fn start<F, R>(
        &self,
        stage: Stage,
        name: &'static str,
        task: impl FnOnce(CancellationToken) -> F,
    ) where
        F: Future<Output = R> + Send + 'static,
        R: TaskResult,
    {
        *self.running.lock().entry((stage, name)).or_insert(0) += 1;
        let soft = self.stages.token(stage).clone();
        let hard = self.stages.hard.clone();
        let stopping = self.stages.work.clone();
        let report = self.report.clone();
        let mut task = tokio::spawn(task(soft));
        tokio::spawn(async move {
            let failure = tokio::select! {
                joined = &mut task => match joined {
                    Ok(result) => result.failure(),
                    Err(error) if error.is_panic() => Some("it panicked".to_owned()),
                    Err(_) => Some("it was cut off".to_owned()),
                },
                () = hard.cancelled() => {
                    task.abort();
                    return;
                }
            };
            let ended = Ended {
                name,
                stage,
                as_asked: failure.is_none() && stopping.is_cancelled(),
                failure,
            };
            // Nobody listens any more when the life is over: then it does not matter.
            let _ = report.send(ended);
        });
    }

    pub(super) fn stages(&self) -> &Stages {
        &self.stages
    }

    pub(super) fn forget(&self, ended: &Ended) {
        let mut running = self.running.lock();
        if let Some(count) = running.get_mut(&(ended.stage, ended.name)) {
            *count -= 1;
            if *count == 0 {
                running.remove(&(ended.stage, ended.name));
            }
        }
    }

    pub(super) fn any_running(&self, stage: Stage) -> bool {
        self.running.lock().keys().any(|(of, _)| *of == stage)
    }

    pub(super) fn running(&self) -> BTreeMap<&'static str, usize> {
        self.running
            .lock()
            .iter()
            .map(|((_, name), count)| (*name, *count))
            .collect()
    }
}
