//! Moves the log to the broker: every event to `lifecycle.<Type>` on the stream `LIFECYCLE`, in
//! order as long as the broker takes them; what it did not take comes later, so whoever needs the
//! order goes by `Tollkeeper-Position`.
//!
//! The log is the outbox. One process at a time holds the lease; the checkpoint moves when the
//! broker has acknowledged, so an event may arrive twice but never not at all. `Nats-Msg-Id` is the
//! event's id, which lets the broker drop what comes twice within its window;
//! `Tollkeeper-Request-Id` is the id of the request that caused it, and `traceparent` goes on with its
//! trace. The hash of a secret is stripped: it is for rebuilds and for nobody else.

use std::collections::HashMap;
use std::time::Duration;

use async_nats::jetstream::Context;
use async_nats::{HeaderMap, HeaderValue};
use futures::future::try_join_all;
use sqlx::PgPool;
use tokio_util::sync::CancellationToken;
use tollkeeper_ambient::SharedClock;
use tollkeeper_event_store::{
    FollowError, Lease, LeaseError, ReadError, StoredEvent, head, lease, move_checkpoint,
    read_after,
};
use tollkeeper_telemetry::events::{RELAY_LAG, RELAY_LAG_EVENTS, RELAYED};

use tollkeeper_telemetry::trace::{
    Context as Span, KeyValue, SpanBuilder, SpanContext, SpanKind, Status, TraceContextExt, Traces,
    write,
};
use uuid::Uuid;

use crate::event_traces;
use crate::public_event::public;

/// The name of the relay's checkpoint.
pub(crate) const NAME: &str = "lifecycle-relay";

/// How long a lease holds; another process takes over that long after this one died.
const LEASE: Duration = Duration::from_secs(15);

/// The most events in flight to the broker.
const PAGE: i64 = 256;

/// How often the log is looked at while it is quiet, and the lease while another holds it.
const PAUSE: Duration = Duration::from_millis(500);

#[derive(Debug, thiserror::Error)]
enum RelayError {
    #[error(transparent)]
    Log(#[from] FollowError),
    #[error(transparent)]
    Head(#[from] ReadError),
    #[error(transparent)]
    Lease(#[from] LeaseError),
    #[error("neither log nor broker answered in time")]
    Late,
    #[error("an event cannot be written: {0}")]
    Encode(#[from] serde_json::Error),
    #[error("the broker did not take an event: {0}")]
    Publish(#[from] async_nats::jetstream::context::PublishError),
}

/// Relays until `stop`. Faults are logged and tried again: nothing is lost while it waits.
pub async fn run(
    pool: PgPool,
    broker: Context,
    clock: SharedClock,
    traces: Option<Traces>,
    stop: CancellationToken,
) {
    let mut held: Option<Lease> = None;
    let mut failing = false;
    while !stop.is_cancelled() {
        let outcome = bounded(step(&pool, &broker, &clock, traces.as_ref(), &mut held)).await;
        let pause = match &outcome {
            Ok(caught_up) => *caught_up,
            Err(error) => {
                if !failing {
                    tracing::warn!(%error, "the relay waits");
                }
                if matches!(error, RelayError::Lease(LeaseError::Lost)) {
                    held = None;
                }
                true
            }
        };
        if failing && outcome.is_ok() {
            tracing::info!("the relay goes on");
        }
        failing = outcome.is_err();
        if pause {
            tokio::select! {
                () = stop.cancelled() => {}
                () = tokio::time::sleep(PAUSE) => {}
            }
        }
    }
    if let Some(mut lease) = held {
        let position = lease.position;
        let returned = move_checkpoint(&pool, &mut lease, position, Duration::ZERO).await;
        if let Err(error) = returned {
            tracing::debug!(%error, "the relay's lease runs out by itself");
        }
    }
}

/// A page that takes longer than the lease is somebody else's by then.
async fn bounded(page: impl Future<Output = Result<bool, RelayError>>) -> Result<bool, RelayError> {
    match tokio::time::timeout(LEASE, page).await {
        Ok(outcome) => outcome,
        Err(_) => Err(RelayError::Late),
    }
}

/// Relays one page. Tells whether there is nothing more to do for now.
async fn step(
    pool: &PgPool,
    broker: &Context,
    clock: &SharedClock,
    traces: Option<&Traces>,
    held: &mut Option<Lease>,
) -> Result<bool, RelayError> {
    if held.is_none() {
        *held = lease(pool, NAME, LEASE).await.map_err(LeaseError::from)?;
    }
    let Some(lease) = held else {
        // Whoever holds it tells how far the relay is.
        tell_lag(0, None, clock);
        return Ok(true);
    };
    let events = read_after(pool, lease.position, PAGE).await?;
    let done = events.last().map_or(lease.position, |event| event.position);
    let is_all = events.len() < usize::try_from(PAGE).unwrap_or(usize::MAX);
    let end = if is_all {
        done
    } else {
        head(pool).await?.position
    };
    tell_lag(end - lease.position, events.first(), clock);
    publish(broker, &events, traces.zip(Some(pool))).await?;
    move_checkpoint(pool, lease, done, LEASE).await?;
    RELAYED.handle().increment(events.len() as u64);
    if is_all {
        tell_lag(0, None, clock);
    }
    Ok(is_all)
}

/// Tells how many events are not relayed, and how old the first of them is.
fn tell_lag(events: i64, first: Option<&StoredEvent>, clock: &SharedClock) {
    let age = first.map_or(0.0, |first| {
        (clock.now() - first.recorded_at).as_seconds_f64().max(0.0)
    });
    RELAY_LAG_EVENTS.handle().set(events as f64);
    RELAY_LAG.handle().set(age);
}

async fn publish(
    broker: &Context,
    events: &[StoredEvent],
    traced: Option<(&Traces, &PgPool)>,
) -> Result<(), RelayError> {
    let parents = match traced {
        Some((_, pool)) => parents(pool, events).await,
        None => HashMap::new(),
    };
    let mut acks = Vec::with_capacity(events.len());
    for event in events {
        let subject = format!("lifecycle.{}", event.event.name());
        let parent = parents.get(&event.event_id);
        let span = traced
            .zip(parent)
            .and_then(|((traces, _), parent)| begin(traces, parent, event, &subject));
        let handed_on = match &span {
            Some(span) => Some(span.span().span_context().clone()),
            None => parent.cloned(),
        };
        let body = serde_json::to_vec(&public(event)?)?;
        let headers = headers(event, handed_on.as_ref());
        let ack = broker.publish_with_headers(subject, headers, body.into());
        let ack = ack.await?.into_future();
        acks.push(async move {
            let acknowledged = ack.await;
            if let Some(span) = span {
                if acknowledged.is_err() {
                    span.span().set_status(Status::error(""));
                }
                span.span().end();
            }
            acknowledged
        });
    }
    try_join_all(acks).await?;
    Ok(())
}

/// The spans that events come from. Nothing waits for them: an event goes without one as well.
async fn parents(pool: &PgPool, events: &[StoredEvent]) -> HashMap<Uuid, SpanContext> {
    if events.is_empty() {
        return HashMap::new();
    }
    let ids: Vec<Uuid> = events.iter().map(|event| event.event_id).collect();
    match event_traces::of(pool, &ids).await {
        Ok(parents) => parents,
        Err(error) => {
            tracing::debug!(%error, "events are relayed without their traces");
            HashMap::new()
        }
    }
}

/// The span of a message, if its trace is recorded.
fn begin(
    traces: &Traces,
    parent: &SpanContext,
    event: &StoredEvent,
    subject: &str,
) -> Option<Span> {
    if !traces.records(Some(parent)) {
        return None;
    }
    let span = SpanBuilder::from_name(format!("publish {subject}"))
        .with_kind(SpanKind::Producer)
        .with_attributes([
            KeyValue::new("messaging.system", "nats"),
            KeyValue::new("messaging.operation.name", "publish"),
            KeyValue::new("messaging.operation.type", "send"),
            KeyValue::new("messaging.destination.name", subject.to_owned()),
            KeyValue::new("messaging.message.id", event.event_id.to_string()),
            KeyValue::new("tollkeeper.request_id", event.request_id.clone()),
        ]);
    Some(traces.start(span, Some(parent)))
}

fn headers(event: &StoredEvent, span: Option<&SpanContext>) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert("Nats-Msg-Id", event.event_id.to_string());
    headers.insert("Tollkeeper-Position", event.position.to_string());
    headers.insert("Tollkeeper-Stream-Id", event.stream.id().to_string());
    // Ids are plain; what the log holds beside that is no header.
    if let Ok(id) = event.request_id.parse::<HeaderValue>() {
        headers.insert("Tollkeeper-Request-Id", id);
    }
    for (name, value) in span.into_iter().flat_map(write) {
        headers.insert(name, value);
    }
    headers
}
