//! Moves events from the spool to the broker, and deletes segments once the ledger covers them.
//!
//! Batches leave in the order they were cut, at most [`PublisherSettings::max_in_flight`] at once,
//! and are acknowledged in any order. Nothing is cut while none may leave, so a broker that is away
//! costs disk and no memory. A segment is deleted on the ledger's word only, never on the broker's.
//!
//! The task returns when it is told to stop; it never gives up by itself.

mod lanes;
mod send;
mod settings;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;
use tollkeeper_telemetry::usage::{LEDGER_READ_FAILURES, PUBLISHED_EVENTS};
use uuid::Uuid;

pub use self::settings::PublisherSettings;

use self::lanes::Lanes;
use self::send::Sender;
use crate::ledger::{Coverage, LedgerError, LedgerReader};
use crate::message;
use crate::spool::Spool;
use crate::spool::tail::Sealed;
use crate::wire::{BatchBuilder, BatchHeader, BatchKind};

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
    ledger: Arc<dyn LedgerReader>,
    settings: PublisherSettings,
    lanes: Lanes,
    events: JoinSet<Event>,
    in_flight: usize,
    /// When the oldest event of each batch in flight happened, with the batch.
    waiting: BTreeSet<(i64, Uuid, u64)>,
    asking_ledger: bool,
}

/// Something that went on beside the main loop and is over.
enum Event {
    Acknowledged(Sealed),
    Closed(Uuid),
    /// The ledger's answer about these sources.
    Ledger(Vec<Uuid>, Result<Coverage, LedgerError>),
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
        let sender = Sender::new(client, &settings);
        let lanes = Lanes::new(spool.take_tails());
        Self {
            spool,
            sender,
            ledger,
            settings,
            lanes,
            events: JoinSet::new(),
            in_flight: 0,
            waiting: BTreeSet::new(),
            asking_ledger: false,
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
                _ = poll.tick() => self.send_ready(false).await,
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
                if self.in_flight == 0 && !self.lanes.has_uncut() {
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
            for sealed in self.lanes.cut(room, now, linger).await {
                self.put_on_its_way(sealed);
            }
        }
        for (source, last) in self.lanes.take_closable() {
            self.close(source, last);
        }
        self.note_oldest();
    }

    fn put_on_its_way(&mut self, sealed: Sealed) {
        self.in_flight += 1;
        self.waiting
            .insert((sealed.oldest_micros, sealed.source, sealed.first));
        let header = BatchHeader {
            kind: BatchKind::Events,
            source: sealed.source,
            first: sealed.first,
            last: sealed.last,
        };
        // The first attempt is the only one so far: a higher number needs evidence that the broker
        // has lost the message (another stream, or an acknowledgement floor past it while the
        // ledger, read later, does not hold the range), and this is where it would come in.
        let headers = message::headers(&header, sealed.checksum, 1);
        let sender = self.sender.clone();
        self.events.spawn(async move {
            let subject = message::subject(sealed.source);
            sender.send(subject, headers, sealed.message.clone()).await;
            Event::Acknowledged(sealed)
        });
    }

    /// Tells the other side the final number of an earlier run's lane.
    fn close(&mut self, source: Uuid, last: u64) {
        self.in_flight += 1;
        let (header, message) = BatchBuilder::close(source, last);
        let headers = message::headers(&header, crc32fast::hash(&[]), 1);
        let sender = self.sender.clone();
        self.events.spawn(async move {
            sender
                .send(message::subject(source), headers, message)
                .await;
            Event::Closed(source)
        });
    }

    fn ask_ledger(&mut self) {
        let sources = self.lanes.to_ask();
        if self.asking_ledger || sources.is_empty() {
            return;
        }
        self.asking_ledger = true;
        let ledger = Arc::clone(&self.ledger);
        self.events.spawn(async move {
            let answer = ledger.covered(sources.clone()).await;
            Event::Ledger(sources, answer)
        });
    }

    async fn handle(&mut self, event: Result<Event, tokio::task::JoinError>) {
        match event {
            Ok(Event::Acknowledged(sealed)) => {
                self.in_flight -= 1;
                self.waiting
                    .remove(&(sealed.oldest_micros, sealed.source, sealed.first));
                let events = sealed.last + 1 - sealed.first;
                self.spool.counters().count_published(events);
                PUBLISHED_EVENTS.handle().increment(events);
                self.note_oldest();
            }
            Ok(Event::Closed(source)) => {
                self.in_flight -= 1;
                self.lanes.closed(source);
            }
            Ok(Event::Ledger(asked, answer)) => {
                self.asking_ledger = false;
                match answer {
                    Ok(coverage) => self.lanes.settle(&self.spool, &asked, coverage).await,
                    Err(error) => {
                        LEDGER_READ_FAILURES.handle().increment(1);
                        tracing::debug!(
                            error = &error as &dyn std::error::Error,
                            "segments are kept until the ledger answers"
                        );
                    }
                }
            }
            // A panic in a sender is a fault of ours: end the task, and with it the process.
            Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
            Err(_) => {}
        }
    }

    fn note_oldest(&self) {
        let oldest = self.waiting.first().map(|&(micros, ..)| micros);
        self.spool.counters().set_oldest(oldest);
    }
}

/// A running publisher.
#[derive(Debug)]
pub struct PublisherHandle {
    stop: CancellationToken,
    drain: Arc<parking_lot::Mutex<Duration>>,
    task: tokio::task::JoinHandle<Drained>,
}

impl PublisherHandle {
    /// Stops the publisher after it has sent what it could within `deadline`.
    ///
    /// # Panics
    /// If the publisher panicked.
    pub async fn shutdown(self, deadline: Duration) -> Drained {
        *self.drain.lock() = deadline;
        self.stop.cancel();
        match self.task.await {
            Ok(drained) => drained,
            Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
            Err(_) => Drained { complete: false },
        }
    }
}
