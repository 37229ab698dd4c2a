//! Tells the verifiers what was committed: the process's own engine at once, the others by a hint
//! on core NATS, which makes a revocation fast and may be lost.

use std::sync::Arc;
use std::time::Duration;

use async_nats::connection::State;
use tollkeeper_authn::{Engine, FeedEvent, hints};
use tollkeeper_event_store::{Appended, Submission};

use super::error::Announced;
use crate::history::News;

/// A hint is worth no more of the caller's time than this; the log tells all the same.
const PATIENCE: Duration = Duration::from_millis(50);

/// The events of a submission as verifiers hear of them, their positions not known yet.
pub(super) fn prepare(submission: &Submission) -> Result<Announced, serde_json::Error> {
    let events = submission.events.iter();
    events
        .map(|new| {
            let payload = serde_json::to_vec(&new.event.payload()?)?;
            let (kind, id) = (new.stream.kind(), new.stream.id());
            Ok(FeedEvent::of(
                0,
                kind,
                id,
                new.stream_version,
                new.event.name(),
                &payload,
            ))
        })
        .collect()
}

/// Who is told of what this process commits.
#[derive(Clone)]
pub struct Audience {
    /// The process's own verifier.
    pub engine: Arc<Engine>,
    /// The way to the verifiers of other processes, where there is one.
    pub broker: Option<async_nats::Client>,
    /// Those who wait for the log to go on.
    pub news: Arc<News>,
}

impl Audience {
    /// Tells of events that are committed.
    pub(super) async fn tell(&self, mut events: Announced, appended: Appended) {
        let first = appended.first_position;
        for (position, event) in (first.unsigned_abs()..).zip(&mut events) {
            event.position = position;
            event.recorded_at_micros = Some(appended.recorded_at.timestamp_micros());
            self.engine.committed(event);
        }
        self.news.committed();
        let Some(broker) = &self.broker else { return };
        if broker.connection_state() != State::Connected {
            return;
        }
        match tokio::time::timeout(PATIENCE, hints::publish(broker, &events)).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::debug!(%error, "a hint was not sent"),
            Err(_) => tracing::debug!("a hint was not sent in time"),
        }
    }
}
