//! From the stream to the settler: takes what has arrived, settles it, acknowledges it.

use std::time::Duration;

use async_nats::jetstream::consumer::Consumer as JetStreamConsumer;
use async_nats::jetstream::consumer::pull::{Config, Stream};
use async_nats::jetstream::{AckKind, Message};
use futures::{FutureExt, StreamExt};
use tokio_util::sync::CancellationToken;
use tollkeeper_runtime::health::ReadinessHandle;
use tollkeeper_telemetry::trace::Traces;
use tollkeeper_telemetry::usage::INGEST_RETRIES;
use tollkeeper_usage::message::{CONSUMER, Origin, STREAM};

use crate::delivery::{Content, Delivery};
use crate::fault::Fault;
use crate::settle::Settler;
use crate::trace::Processing;

/// A transaction takes at most about this many events.
const GROUP_EVENTS: usize = 20_000;
const GROUP_BYTES: usize = 16 << 20;
/// How many messages the broker may send ahead.
const AHEAD: usize = 256;
/// How often the broker says that it still knows of the wish for messages. If it is silent for twice as
/// long, as when the server that led the consumer was killed, the wish is told again.
const HEARTBEAT: Duration = Duration::from_secs(1);
/// A pause this long ends a group.
const PAUSE: Duration = Duration::from_millis(5);
/// How long a group may take to gather when messages trickle in without a pause.
const GATHER: Duration = Duration::from_millis(50);
/// How long the transaction under way may still take once a stop was asked for. Below the time the
/// process has to stop, and enough for any database that answers.
const LAST_TRANSACTION: Duration = Duration::from_secs(10);
/// How long the broker may take to hear what became of its messages. What it does not hear, it
/// delivers again.
const ANSWERING: Duration = Duration::from_secs(5);
const FIRST_BACKOFF: Duration = Duration::from_millis(100);
const MAX_BACKOFF: Duration = Duration::from_secs(5);

/// Consumes `USAGE` until told to stop.
pub struct Consumer {
    client: async_nats::Client,
    settler: Settler,
    postgres: ReadinessHandle,
    nats: ReadinessHandle,
    traces: Option<Traces>,
}

/// A stop was asked for while a fault lasted.
struct Stopped;

impl Consumer {
    /// Takes messages through `client` to `settler` and says how both sides are.
    #[must_use]
    pub fn new(
        client: async_nats::Client,
        settler: Settler,
        postgres: ReadinessHandle,
        nats: ReadinessHandle,
    ) -> Self {
        Self {
            client,
            settler,
            postgres,
            nats,
            traces: None,
        }
    }

    /// The same, going on with the traces of the batches.
    #[must_use]
    pub fn traced(mut self, traces: Option<Traces>) -> Self {
        self.traces = traces;
        self
    }

    /// Runs until `stop`. The transaction under way is finished and acknowledged; what was fetched
    /// and not begun goes back to the broker.
    pub async fn run(self, stop: CancellationToken) {
        let mut backoff = Backoff::default();
        while !stop.is_cancelled() {
            let opened = tokio::select! {
                () = stop.cancelled() => return,
                opened = self.open() => opened,
            };
            match opened {
                Ok(messages) => {
                    self.nats.ready();
                    backoff = Backoff::default();
                    self.consume(messages, &stop).await;
                }
                Err(error) => {
                    let reason = format!("the stream {STREAM} cannot be consumed: {error}");
                    if backoff.is_first() {
                        tracing::warn!("waiting: {reason}");
                    }
                    self.nats.not_ready(reason);
                }
            }
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(backoff.next()) => {}
            }
        }
    }

    async fn open(&self) -> Result<Stream, async_nats::Error> {
        let jetstream = async_nats::jetstream::new(self.client.clone());
        let consumer: JetStreamConsumer<Config> =
            jetstream.get_consumer_from_stream(CONSUMER, STREAM).await?;
        let messages = consumer
            .stream()
            .max_messages_per_batch(AHEAD)
            .heartbeat(HEARTBEAT)
            .messages()
            .await?;
        Ok(messages)
    }

    /// Consumes until the stream fails or `stop`.
    async fn consume(&self, mut messages: Stream, stop: &CancellationToken) {
        loop {
            let first = tokio::select! {
                () = stop.cancelled() => return answering(give_back(messages)).await,
                first = messages.next() => first,
            };
            let mut group = match first {
                Some(Ok(message)) => Group::new(message),
                // Not the end of the stream of usage: a missed heartbeat, a lost connection.
                Some(Err(error)) => {
                    tracing::debug!(%error, "fetching usage again");
                    return;
                }
                None => return,
            };
            let gather = async {
                while !group.is_full() {
                    match tokio::time::timeout(PAUSE, messages.next()).await {
                        Ok(Some(Ok(message))) => group.push(message),
                        // An error comes up again, or is over, at the next fetch.
                        Ok(Some(Err(_)) | None) | Err(_) => break,
                    }
                }
            };
            // Over time means that there are enough for now.
            let _ = tokio::time::timeout(GATHER, gather).await;
            let spans = Processing::begin(self.traces.as_ref(), &group.deliveries);
            match self.settle(&group, stop).await {
                Ok(()) => {
                    answering(self.acknowledge(group)).await;
                    spans.end();
                }
                Err(Stopped) => {
                    let give_back = async {
                        give_back_all(group.messages).await;
                        give_back(messages).await;
                    };
                    return answering(give_back).await;
                }
            }
        }
    }

    async fn acknowledge(&self, group: Group) {
        for message in &group.messages {
            answer(message, AckKind::Ack).await;
        }
        // An acknowledgement that is still in this process when it ends is a redelivery.
        if let Err(error) = self.client.flush().await {
            tracing::debug!(%error, "acknowledgements may be lost, the ledger knows better");
        }
    }

    /// Settles the group, however long that takes.
    async fn settle(&self, group: &Group, stop: &CancellationToken) -> Result<(), Stopped> {
        let mut backoff = Backoff::default();
        loop {
            let settled = tokio::select! {
                settled = self.settler.settle(&group.deliveries) => settled,
                // Nothing is lost: what was not committed is delivered again.
                () = long_after(stop) => return Err(Stopped),
            };
            let fault = match settled {
                Ok(_) => {
                    group.tell();
                    if !backoff.is_first() {
                        tracing::info!("usage is written again");
                    }
                    self.postgres.ready();
                    return Ok(());
                }
                Err(fault) => fault,
            };
            INGEST_RETRIES.handle().increment(1);
            if !matches!(fault, Fault::NoPartition) {
                self.postgres
                    .not_ready(format!("usage cannot be written: {fault}"));
            }
            if backoff.is_first() {
                tracing::warn!(
                    error = &fault as &dyn std::error::Error,
                    messages = group.messages.len(),
                    "usage cannot be written, trying again"
                );
            }
            tokio::select! {
                () = stop.cancelled() => return Err(Stopped),
                () = tokio::time::sleep(backoff.next()) => {}
            }
            answering(group.keep()).await;
        }
    }
}

/// Messages to be settled together.
struct Group {
    messages: Vec<Message>,
    deliveries: Vec<Delivery>,
    events: usize,
    bytes: usize,
}

impl Group {
    fn new(first: Message) -> Self {
        let mut group = Self {
            messages: Vec::new(),
            deliveries: Vec::new(),
            events: 0,
            bytes: 0,
        };
        group.push(first);
        group
    }

    fn push(&mut self, message: Message) {
        let origin = Origin::of(message.headers.as_ref());
        let delivery = Delivery::read(&message.subject, message.payload.clone());
        let delivery = delivery.from_origin(origin);
        self.events += delivery.events();
        self.bytes += message.payload.len();
        self.deliveries.push(delivery);
        self.messages.push(message);
    }

    fn is_full(&self) -> bool {
        self.events >= GROUP_EVENTS || self.bytes >= GROUP_BYTES || self.messages.len() >= AHEAD
    }

    /// Tells by what ways the batches came, for those who look for one of them.
    fn tell(&self) {
        for delivery in &self.deliveries {
            let Content::Events(batch) = &delivery.content else {
                continue;
            };
            let (header, Origin { node, span }) = (batch.header(), &delivery.origin);
            tracing::debug!(
                source = %header.source, first = header.first, last = header.last,
                node = node.map(tracing::field::display),
                trace_id = span.as_ref().map(|span| tracing::field::display(span.trace_id())),
                "a batch of usage is settled"
            );
        }
    }

    /// Asks the broker for more time.
    async fn keep(&self) {
        for message in &self.messages {
            answer(message, AckKind::Progress).await;
        }
    }
}

/// Returns when a transaction that was under way at the stop has had its time.
async fn long_after(stop: &CancellationToken) {
    stop.cancelled().await;
    tokio::time::sleep(LAST_TRANSACTION).await;
}

/// Talks to the broker, but not for ever: it may have died without a word.
async fn answering(talk: impl Future<Output = ()>) {
    if tokio::time::timeout(ANSWERING, talk).await.is_err() {
        tracing::debug!("the broker does not take answers, it will deliver again");
    }
}

/// Gives back what was fetched and not looked at, so that another ingestor gets it at once.
async fn give_back(mut messages: Stream) {
    while let Some(Some(Ok(message))) = messages.next().now_or_never() {
        answer(&message, AckKind::Nak(None)).await;
    }
}

async fn give_back_all(messages: Vec<Message>) {
    for message in messages {
        answer(&message, AckKind::Nak(None)).await;
    }
}

async fn answer(message: &Message, kind: AckKind) {
    // A lost answer means a redelivery, and the ledger recognises it.
    if let Err(error) = message.ack_with(kind).await {
        tracing::debug!(%error, "cannot answer the broker");
    }
}

/// Growing pauses between tries.
#[derive(Default)]
struct Backoff {
    last: Option<Duration>,
}

impl Backoff {
    fn is_first(&self) -> bool {
        self.last.is_none()
    }

    fn next(&mut self) -> Duration {
        let next = self
            .last
            .map_or(FIRST_BACKOFF, |last| (last * 2).min(MAX_BACKOFF));
        self.last = Some(next);
        next
    }
}
