//! Moves events from the spool to the broker, and deletes segments once the ledger covers them.
//!
//! Batches leave in the order they were cut, at most [`PublisherSettings::max_in_flight`] at once,
//! and are acknowledged in any order. Nothing is cut while none may leave, so a broker that is away
//! costs disk and no memory. A segment is deleted on the ledger's word, and on the broker's only where
//! the spool would otherwise be full.
//! What the broker has acknowledged and lost is sent again as soon as something shows that it did
//! (`outstanding`), with another message id, as the broker would swallow the old one. So is what the ledger
//! held once and holds no more, as far as it is still in the spool: the database was restored.
//!
//! The task returns when it is told to stop; it never gives up by itself.

mod handle;
mod lane;
mod lanes;
mod outstanding;
mod seen;
mod send;
mod settings;
#[cfg(test)]
mod tests;
mod trace;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;
use tollkeeper_telemetry::trace::Traces;
use tollkeeper_telemetry::usage::{
    LEDGER_READ_FAILURES, PUBLISHED_BATCHES, PUBLISHED_EVENTS, RELEASED_SEGMENTS, RESENT_BATCHES,
};
use uuid::Uuid;

pub use self::handle::PublisherHandle;
pub use self::settings::PublisherSettings;

use self::lane::Outgoing;
use self::lanes::Lanes;
use self::outstanding::Reason;
use self::seen::{Look, Observer, Receipt, Seen};
use self::send::Sender;
use self::trace::Marks;
use crate::ledger::{Coverage, LedgerError, LedgerReader};
use crate::message;
use crate::spool::Spool;
use crate::wire::{BatchBuilder, BatchHeader, BatchKind};

/// Every so many questions to the ledger ask of everything that it has held, also where nothing is awaited
/// of it.
const ALL_EVERY: u64 = 10;

/// What a publisher left behind when it stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Drained {
    /// Whether the broker has acknowledged everything that was appended. If not, the rest is in the
    /// spool and is sent after the next start.
    pub complete: bool,
}

/// Moves one spool's events to the broker.
pub struct Publisher {
    spool: Arc<Spool>,
    sender: Sender,
    observer: Observer,
    /// How many looks at the stream have begun.
    looks: u64,
    /// How often there was occasion to ask the ledger.
    occasions: u64,
    ledger: Arc<dyn LedgerReader>,
    settings: PublisherSettings,
    marks: Marks,
    lanes: Lanes,
    events: JoinSet<Event>,
    in_flight: usize,
    /// When the oldest event of each batch in flight happened, with the batch.
    waiting: BTreeSet<(i64, Uuid, u64)>,
    asking_ledger: bool,
}

/// Something that went on beside the main loop and is over.
enum Event {
    Acknowledged(Outgoing, Receipt),
    Closed(Uuid, Receipt),
    Ledger(Answer),
}

/// What the ledger says about some sources.
struct Answer {
    sources: Vec<Uuid>,
    /// The stream, as it was before the ledger was read. Only in this order does a message that has
    /// left the stream have to be in the ledger.
    look: Option<Look>,
    coverage: Result<Coverage, LedgerError>,
}

impl Publisher {
    /// A publisher of `spool`. A spool has one; a second one finds nothing to do.
    #[must_use]
    pub fn new(
        spool: Arc<Spool>,
        client: async_nats::Client,
        ledger: Arc<dyn LedgerReader>,
        settings: PublisherSettings,
    ) -> Self {
        let seen = Seen::default();
        let observer = Observer::new(client.clone(), seen.clone());
        let sender = Sender::new(client, seen, &settings);
        let lanes = Lanes::new(spool.take_tails());
        Self {
            spool,
            sender,
            observer,
            looks: 0,
            occasions: 0,
            ledger,
            settings,
            marks: Marks::default(),
            lanes,
            events: JoinSet::new(),
            in_flight: 0,
            waiting: BTreeSet::new(),
            asking_ledger: false,
        }
    }

    /// The same for the spool of this node, which its messages name. What becomes of the usage of
    /// recorded requests is recorded in `traces`.
    #[must_use]
    pub fn of_node(self, node: Uuid, traces: Option<Traces>) -> Self {
        let node = Some(node);
        Self {
            marks: Marks { node, traces },
            ..self
        }
    }

    /// Runs in a task of its own until [`PublisherHandle::shutdown`].
    #[must_use]
    pub fn start(self) -> PublisherHandle {
        let stop = CancellationToken::new();
        let drain = Arc::new(parking_lot::Mutex::new(Duration::ZERO));
        let task = tokio::spawn({
            let (stop, drain) = (stop.clone(), Arc::clone(&drain));
            async move {
                let mut this = self;
                this.work(&stop).await;
                let deadline = *drain.lock();
                this.drain(deadline).await
            }
        });
        PublisherHandle { stop, drain, task }
    }

    /// Runs until `stop`, then sends what is left, for at most `drain_for`.
    pub async fn run(mut self, stop: CancellationToken, drain_for: Duration) -> Drained {
        self.work(&stop).await;
        self.drain(drain_for).await
    }

    async fn work(&mut self, stop: &CancellationToken) {
        let mut poll = tokio::time::interval(self.settings.poll_every);
        poll.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut ledger = tokio::time::interval(self.settings.ledger_every);
        ledger.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                Some(event) = self.events.join_next() => {
                    self.handle(event).await;
                    // A place is free: what has piled up need not wait for the next look.
                    if self.lanes.has_full_batch() {
                        self.send_ready(false).await;
                    }
                }
                _ = poll.tick() => {
                    self.send_ready(false).await;
                    self.make_room().await;
                }
                _ = ledger.tick() => {
                    self.ask_ledger();
                    self.spool.report();
                }
            }
        }
    }

    /// Sends everything appended so far, without waiting for batches to fill.
    async fn drain(&mut self, drain_for: Duration) -> Drained {
        let everything = async {
            loop {
                self.send_ready(true).await;
                if self.in_flight == 0 && !self.lanes.has_unsent() {
                    return;
                }
                match self.events.join_next().await {
                    Some(event) => self.handle(event).await,
                    // Lanes of an earlier run wait for a ledger that is away.
                    None => {
                        self.ask_ledger();
                        tokio::time::sleep(self.settings.poll_every).await;
                    }
                }
            }
        };
        let complete = tokio::time::timeout(drain_for, everything).await.is_ok();
        if !complete {
            tracing::warn!("stopping before the broker has all usage; the rest stays in the spool");
        }
        self.spool.report();
        Drained { complete }
    }

    /// Cuts what is ready and puts it on its way, as far as there is room.
    async fn send_ready(&mut self, at_once: bool) {
        let room = self.settings.max_in_flight.saturating_sub(self.in_flight);
        if room == 0 {
            return;
        }
        let now = self.spool.clock().boot_time();
        let linger = if at_once {
            Duration::ZERO
        } else {
            self.settings.linger
        };
        if self.lanes.has_ready(now, linger) {
            for outgoing in self.lanes.cut(room, now, linger).await {
                self.put_on_its_way(outgoing);
            }
        }
        for (source, last, attempt) in self.lanes.take_closable() {
            self.close(source, last, attempt);
        }
        self.note_oldest();
    }

    /// Where the spool is full, the broker's word has to do for what it has acknowledged.
    async fn make_room(&mut self) {
        if self.spool.is_full() && self.lanes.release(&self.spool).await {
            RELEASED_SEGMENTS.handle().increment(1);
        }
    }

    fn put_on_its_way(&mut self, outgoing: Outgoing) {
        let sealed = &outgoing.sealed;
        self.in_flight += 1;
        self.waiting
            .insert((sealed.oldest_micros, sealed.source, sealed.first));
        if let Some(reason) = outgoing.reason {
            RESENT_BATCHES.with(reason.as_str()).increment(1);
        }
        let header = BatchHeader {
            kind: sealed.kind,
            source: sealed.source,
            first: sealed.first,
            last: sealed.last,
        };
        let attempt = outgoing.attempt;
        let mut headers = self.marks.headers(&header, sealed.checksum, attempt);
        let span = self.marks.begin(&self.spool, &outgoing, &mut headers);
        let sender = self.sender.clone();
        self.events.spawn(async move {
            let subject = message::subject(outgoing.sealed.source);
            let message = outgoing.sealed.message.clone();
            let receipt = sender.send(subject, headers, message).await;
            span.end();
            Event::Acknowledged(outgoing, receipt)
        });
    }

    /// Tells the other side the final number of an earlier run's lane.
    fn close(&mut self, source: Uuid, last: u64, attempt: u32) {
        self.in_flight += 1;
        let (header, message) = BatchBuilder::close(source, last);
        let headers = self.marks.headers(&header, crc32fast::hash(&[]), attempt);
        let sender = self.sender.clone();
        self.events.spawn(async move {
            let receipt = sender
                .send(message::subject(source), headers, message)
                .await;
            Event::Closed(source, receipt)
        });
    }

    /// Looks at the stream, if the broker is to hold something, and then into the ledger.
    fn ask_ledger(&mut self) {
        self.occasions += 1;
        let sources = self.lanes.to_ask(self.occasions.is_multiple_of(ALL_EVERY));
        if self.asking_ledger || sources.is_empty() {
            return;
        }
        self.asking_ledger = true;
        let observer = self
            .lanes
            .wait_for_evidence()
            .then(|| self.observer.clone());
        self.looks += u64::from(observer.is_some());
        let ledger = Arc::clone(&self.ledger);
        self.events.spawn(async move {
            let look = match observer {
                Some(observer) => observer.look().await,
                None => None,
            };
            let coverage = ledger.covered(sources.clone()).await;
            Event::Ledger(Answer {
                sources,
                look,
                coverage,
            })
        });
    }

    async fn handle(&mut self, event: Result<Event, tokio::task::JoinError>) {
        match event {
            Ok(Event::Acknowledged(outgoing, receipt)) => {
                self.in_flight -= 1;
                let sealed = &outgoing.sealed;
                self.waiting
                    .remove(&(sealed.oldest_micros, sealed.source, sealed.first));
                if outgoing.attempt == 1 && sealed.kind == BatchKind::Events {
                    let events = sealed.last + 1 - sealed.first;
                    self.spool.counters().count_published(events);
                    PUBLISHED_EVENTS.handle().increment(events);
                    PUBLISHED_BATCHES.handle().increment(1);
                }
                self.lanes.acknowledged(&outgoing, receipt, self.looks);
                self.note_oldest();
            }
            Ok(Event::Closed(source, receipt)) => {
                self.in_flight -= 1;
                self.lanes.closed(source, receipt, self.looks);
            }
            Ok(Event::Ledger(answer)) => {
                self.asking_ledger = false;
                self.take_in(answer).await;
            }
            // A panic in a sender is a fault of ours: end the task, and with it the process.
            Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
            Err(_) => {}
        }
    }

    async fn take_in(&mut self, answer: Answer) {
        let look = answer.look.as_ref();
        if let Some(look) = look {
            self.lanes.looked_at(look);
        }
        let coverage = match answer.coverage {
            Ok(coverage) => coverage,
            Err(error) => {
                LEDGER_READ_FAILURES.handle().increment(1);
                tracing::debug!(
                    error = &error as &dyn std::error::Error,
                    "segments are kept until the ledger answers"
                );
                return;
            }
        };
        let reasons = self
            .lanes
            .settle(&self.spool, &answer.sources, coverage, look, self.looks)
            .await;
        for reason in [
            Reason::StreamChanged,
            Reason::StreamWentBack,
            Reason::PassedOver,
            Reason::LedgerWentBack,
        ] {
            let ranges = reasons.iter().filter(|it| **it == reason).count();
            if ranges > 0 {
                tracing::warn!(
                    reason = reason.as_str(),
                    ranges,
                    "usage is lost that the broker had acknowledged, or the ledger held; it is sent again"
                );
            }
        }
    }

    fn note_oldest(&self) {
        let oldest = self.waiting.first().map(|&(micros, ..)| micros);
        self.spool.counters().set_oldest(oldest);
    }
}
