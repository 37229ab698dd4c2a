//! The one writer of a process: it groups waiting submissions and appends each group in one round
//! trip, so that the head row is held briefly and shared.
//!
//! While one group is with the database the next one gathers. A group that fails for a reason that
//! one of its members may have caused is tried again one submission at a time, so that each caller
//! gets its own answer.

use std::collections::HashSet;
use std::collections::VecDeque;

use sqlx::PgPool;
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;
use tollkeeper_domain::event::Stream;
use tollkeeper_domain::ids::AccountId;
use tollkeeper_telemetry::events::{APPENDED, CONFLICTS};

use crate::append::{AppendError, Appended, MAX_EVENTS, Submission, append_group};

/// The most submissions in one group.
const MAX_GROUP: usize = 256;

/// How many submissions may wait; more callers wait outside.
const QUEUE: usize = 1024;

struct Waiting {
    submission: Submission,
    answer: oneshot::Sender<Result<Appended, AppendError>>,
}

/// Hands submissions to the writer. Cheap to clone.
#[derive(Debug, Clone)]
pub struct WriterHandle {
    queue: mpsc::Sender<Waiting>,
}

impl std::fmt::Debug for Waiting {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Waiting").finish_non_exhaustive()
    }
}

impl WriterHandle {
    /// Appends all events of the submission, or none.
    ///
    /// # Errors
    /// [`AppendError`] that is this submission's own, whatever others were in its group.
    pub async fn append(&self, submission: Submission) -> Result<Appended, AppendError> {
        if submission.events.len() > MAX_EVENTS {
            return Err(AppendError::TooLarge);
        }
        let stopped = || AppendError::Unavailable("the writer has stopped".to_owned());
        let (answer, answered) = oneshot::channel();
        let waiting = Waiting { submission, answer };
        self.queue.send(waiting).await.map_err(|_| stopped())?;
        answered.await.map_err(|_| stopped())?
    }
}

/// The writer itself; [`Writer::run`] does its work.
#[derive(Debug)]
pub struct Writer {
    pool: PgPool,
    queue: mpsc::Receiver<Waiting>,
}

impl Writer {
    /// A writer to this database and the handle to it.
    #[must_use]
    pub fn new(pool: PgPool) -> (Self, WriterHandle) {
        let (sender, queue) = mpsc::channel(QUEUE);
        (Self { pool, queue }, WriterHandle { queue: sender })
    }

    /// Writes until every handle is gone, or until `stop`; then takes in nothing new, but writes
    /// what has been taken in.
    pub async fn run(mut self, stop: CancellationToken) {
        let mut held_back = VecDeque::new();
        loop {
            if held_back.is_empty() {
                let first = tokio::select! {
                    biased;
                    first = self.queue.recv() => first,
                    () = stop.cancelled(), if !self.queue.is_closed() => {
                        self.queue.close();
                        continue;
                    }
                };
                match first {
                    Some(first) => held_back.push_back(first),
                    None => return,
                }
            }
            let group = self.gather(&mut held_back);
            write(&self.pool, group).await;
        }
    }

    /// Takes what waits into one group: no two submissions on one stream, as the second would fail
    /// and take the others with it, and none that changes an account beside one that needs it
    /// active, as they would be decided on the same state.
    fn gather(&mut self, held_back: &mut VecDeque<Waiting>) -> Vec<Waiting> {
        while held_back.len() < MAX_GROUP {
            let Ok(next) = self.queue.try_recv() else {
                break;
            };
            held_back.push_back(next);
        }
        let mut group: Vec<Waiting> = Vec::new();
        let mut rest = VecDeque::new();
        let mut taken = Taken::default();
        for waiting in held_back.drain(..) {
            if group.len() < MAX_GROUP && taken.admits(&waiting.submission) {
                taken.add(&waiting.submission);
                group.push(waiting);
            } else {
                rest.push_back(waiting);
            }
        }
        *held_back = rest;
        group
    }
}

/// What the submissions of one group touch.
#[derive(Default)]
struct Taken {
    events: usize,
    streams: HashSet<Stream>,
    active: HashSet<AccountId>,
    changing: HashSet<AccountId>,
}

impl Taken {
    fn admits(&self, submission: &Submission) -> bool {
        let mut streams = submission.events.iter().map(|event| event.stream);
        self.events + submission.events.len() <= MAX_EVENTS
            && !streams.any(|stream| self.streams.contains(&stream))
            && !needed(submission).any(|id| self.changing.contains(id))
            && !submission
                .changing_accounts
                .iter()
                .any(|id| self.active.contains(id) || self.changing.contains(id))
    }

    fn add(&mut self, submission: &Submission) {
        self.events += submission.events.len();
        self.streams
            .extend(submission.events.iter().map(|event| event.stream));
        self.active.extend(needed(submission));
        self.changing.extend(&submission.changing_accounts);
    }
}

/// The accounts that must not change while the submission is written.
fn needed(submission: &Submission) -> impl Iterator<Item = &AccountId> {
    let with_room = submission.new_tokens.iter().map(|new| &new.account_id);
    submission.active_accounts.iter().chain(with_room)
}

/// Writes a group whole, or else its halves, down to the submissions that are refused alone. A
/// database that goes silent meanwhile is not asked once more for each of them.
async fn write(pool: &PgPool, group: Vec<Waiting>) {
    let mut parts = vec![group];
    while let Some(mut part) = parts.pop() {
        let submissions: Vec<&Submission> = part.iter().map(|it| &it.submission).collect();
        match append_group(pool, &submissions).await {
            Ok(appended) => {
                for (waiting, appended) in part.into_iter().zip(appended) {
                    count(&waiting.submission);
                    // A caller that has gone away does not undo what it asked for.
                    let _gone = waiting.answer.send(Ok(appended));
                }
            }
            Err(AppendError::Unavailable(why)) => {
                for waiting in part.into_iter().chain(parts.drain(..).flatten()) {
                    let _gone = waiting
                        .answer
                        .send(Err(AppendError::Unavailable(why.clone())));
                }
            }
            Err(own) if part.len() == 1 => {
                if let Some(waiting) = part.pop() {
                    if matches!(own, AppendError::Conflict) {
                        CONFLICTS.handle().increment(1);
                    }
                    let _gone = waiting.answer.send(Err(own));
                }
            }
            Err(shared) => {
                tracing::debug!(reason = %shared, size = part.len(), "a group failed, trying its halves");
                let later = part.split_off(part.len() / 2);
                parts.extend([later, part]);
            }
        }
    }
}

fn count(appended: &Submission) {
    for new in &appended.events {
        APPENDED.with(new.event.name()).increment(1);
    }
}

#[cfg(test)]
mod tests {
    use tollkeeper_domain::event::TYPES;
    use tollkeeper_telemetry::{Service, series};

    use super::*;

    #[test]
    fn events_of_every_type_are_counted() {
        let types = TYPES.iter().map(|(name, _)| vec![*name]);
        let counted = series(APPENDED.labels, Service::Api);
        assert_eq!(types.collect::<Vec<_>>(), counted);
    }
}
