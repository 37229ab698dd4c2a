//! Changes to tokens and accounts: load the history, decide, append, and tell the verifiers.
//!
//! Commands to one token or account take turns within a process. One that lost a race against
//! another process is decided again on what is now; it is refused only if its own condition no
//! longer holds, or if it lost again and again.

mod accounts;
mod announce;
mod error;
mod expiries;
mod import;
mod many;
mod revocations;
mod tokens;
mod turns;

pub(crate) use accounts::ProfileChange;
pub use announce::Audience;
pub(crate) use error::CommandError;
use sqlx::PgPool;
pub(crate) use tokens::Needs;
use tollkeeper_ambient::{SharedClock, SharedEntropy};
use tollkeeper_domain::event::{Event, Stream};
use tollkeeper_domain::ids::AccountId;
use tollkeeper_event_store::{AppendError, Appended, NewEvent, Submission, WriterHandle};
use tollkeeper_telemetry::trace::{
    Context, FutureExt, KeyValue, SpanBuilder, SpanKind, Status, TraceContextExt, Traces, current,
};
use tracing::Instrument;
use turns::Turns;
use uuid::Uuid;

use crate::event_traces;

/// How often a command is decided again when other processes were faster.
const ATTEMPTS: usize = 16;

/// Who asks, and in which request.
#[derive(Debug, Clone)]
pub(crate) struct Cause {
    /// As the log names them.
    pub(crate) actor: String,
    /// The id of the request.
    pub(crate) request_id: String,
}

/// Carries out commands.
#[derive(Clone)]
pub struct Commands {
    pool: PgPool,
    writer: WriterHandle,
    audience: Audience,
    clock: SharedClock,
    entropy: SharedEntropy,
    token_limit: Option<u32>,
    turns: Turns,
    traces: Option<Traces>,
}

impl Commands {
    /// Commands on the log that `writer` writes and `pool` reads. What is committed is told to
    /// `audience` at once. An account without a limit of its own has at most `token_limit` live tokens.
    #[must_use]
    pub fn new(
        pool: PgPool,
        writer: WriterHandle,
        audience: Audience,
        clock: SharedClock,
        entropy: SharedEntropy,
        token_limit: Option<u32>,
    ) -> Self {
        Self {
            pool,
            writer,
            audience,
            clock,
            entropy,
            token_limit,
            turns: Turns::default(),
            traces: None,
        }
    }

    /// The same, with what they do recorded where their requests are.
    #[must_use]
    pub fn traced(mut self, traces: Option<Traces>) -> Self {
        self.traces = traces;
        self
    }

    /// Appends, then tells the verifiers, so that the caller's next request already sees it.
    /// A task of its own, because what is committed must be told even if the caller has gone away.
    async fn commit(&self, submission: Submission) -> Result<(), CommandError> {
        let announced = announce::prepare(&submission)?;
        let this = self.clone();
        let work = async move {
            let appended = this.append(submission).await?;
            this.audience.tell(announced, appended).await;
            Ok(())
        };
        let work = work.in_current_span().with_context(Context::current());
        match tokio::spawn(work).await {
            Ok(outcome) => outcome,
            Err(died) => Err(CommandError::Internal(died.to_string())),
        }
    }

    /// Appends, and keeps beside the log which trace the events are part of, for those who are told of
    /// them later.
    async fn append(&self, submission: Submission) -> Result<Appended, AppendError> {
        let (Some(traces), Some(within)) = (&self.traces, current()) else {
            return self.writer.append(submission).await;
        };
        let ids: Vec<Uuid> = submission.events.iter().map(|new| new.event_id).collect();
        event_traces::note(&self.pool, &ids, &within).await;
        if !within.is_sampled() {
            return self.writer.append(submission).await;
        }
        let span = SpanBuilder::from_name("append_group")
            .with_kind(SpanKind::Client)
            .with_attributes([
                KeyValue::new("db.system.name", "postgresql"),
                KeyValue::new("db.stored_procedure.name", "append_group"),
                KeyValue::new(
                    "tollkeeper.events",
                    i64::try_from(ids.len()).unwrap_or(i64::MAX),
                ),
            ]);
        let span = traces.start(span, Some(&within));
        let appended = self.writer.append(submission).await;
        if let Err(error) = &appended {
            tracing::debug!(%error, "events were not appended");
            span.span().set_status(Status::error(""));
        }
        span.span().end();
        appended
    }

    /// Envelopes for the events that follow version `version` of a stream.
    fn envelopes(
        &self,
        cause: &Cause,
        (stream, account_id): (Stream, AccountId),
        version: u64,
        events: impl IntoIterator<Item = Event>,
        occurred_at: chrono::DateTime<chrono::Utc>,
    ) -> Vec<NewEvent> {
        let numbered = (version + 1..).zip(events);
        numbered
            .map(|(stream_version, event)| NewEvent {
                event_id: self.entropy.uuid_v7(occurred_at),
                stream,
                account_id,
                stream_version,
                event,
                actor: cause.actor.clone(),
                request_id: cause.request_id.clone(),
                occurred_at,
            })
            .collect()
    }
}
