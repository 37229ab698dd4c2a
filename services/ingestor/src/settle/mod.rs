//! Settling a group of messages in one transaction.
//!
//! The order inside is fixed. The source rows are locked first, so that what is then read in the
//! ledger stays true to the commit. Events that the database refuses are found by halving, inside
//! savepoints, and become dead letters; everything else of their batch still counts.

mod classify;
mod gather;
mod replay;
mod reports;
mod write;

use std::sync::Arc;

use sqlx::{Connection, PgConnection, PgPool};
use tollkeeper_ambient::SharedClock;
use tollkeeper_telemetry::usage::{
    DEAD_LETTERS, DROPPED_EVENTS, INGEST_LAG, INGEST_SECONDS, INGESTED_BATCHES, INGESTED_EVENTS,
    TIMESTAMPS_REPLACED,
};
use tollkeeper_usage::message::Origin;
use uuid::Uuid;

use self::classify::{Judgement, judge, merge};
use self::gather::{Bounds, Gathered};
use crate::delivery::{Content, Delivery};
use crate::endpoints::Endpoints;
use crate::fault::Fault;
use crate::partitions::Partitions;
use crate::patience::in_time;
use crate::store::dead_letters::{self, DeadLetter, Reason};
use crate::store::ledger::{self, LedgerRange, Settlement};
use crate::store::sources;

/// What a transaction did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Summary {
    /// Batches whose events were counted.
    pub counted: u64,
    /// Batches that had been settled before.
    pub duplicates: u64,
    /// Batches that straddle a settled range.
    pub overlaps: u64,
    /// Messages that could not be read.
    pub undecodable: u64,
    /// Sources that said their final number.
    pub closes: u64,
    /// Reports of dropped events.
    pub drops: u64,
    /// Events reported as dropped.
    pub dropped_events: u64,
    /// Events counted.
    pub events: u64,
    /// Events whose timestamp was replaced.
    pub replaced: u64,
    /// Records that were refused or unreadable inside a counted batch.
    pub dead_records: u64,
    /// Messages that the database refused as a whole.
    pub refused: u64,
}

impl Summary {
    fn add(&mut self, other: Self) {
        self.counted += other.counted;
        self.duplicates += other.duplicates;
        self.overlaps += other.overlaps;
        self.undecodable += other.undecodable;
        self.closes += other.closes;
        self.drops += other.drops;
        self.dropped_events += other.dropped_events;
        self.events += other.events;
        self.replaced += other.replaced;
        self.dead_records += other.dead_records;
        self.refused += other.refused;
    }
}

/// Settles groups of messages.
pub struct Settler {
    pool: PgPool,
    clock: SharedClock,
    partitions: Arc<Partitions>,
    endpoints: Endpoints,
    retention_days: u32,
}

impl Settler {
    /// A settler that writes through `pool`.
    #[must_use]
    pub fn new(
        pool: PgPool,
        clock: SharedClock,
        partitions: Arc<Partitions>,
        retention_days: u32,
    ) -> Self {
        Self {
            pool,
            clock,
            partitions,
            endpoints: Endpoints::default(),
            retention_days,
        }
    }

    /// Settles all messages of a group. When it returns, they may be acknowledged.
    ///
    /// A group is one transaction. Should the database refuse it for more than its events, it is
    /// halved down to the message that is refused, which goes to the dead letters.
    ///
    /// # Errors
    /// On a fault that trying again may mend. What was settled before it is a duplicate then.
    pub async fn settle(&self, group: &[Delivery]) -> Result<Summary, Fault> {
        let mut summary = Summary::default();
        let mut parts = vec![group];
        while let Some(part) = parts.pop() {
            match (self.settle_whole(part).await, part) {
                (Ok(settled), _) => summary.add(settled),
                (Err(Fault::Refused { code, detail }), [message]) => {
                    self.bury(message, format!("{detail} (SQLSTATE {code})"))
                        .await?;
                    summary.refused += 1;
                }
                (Err(Fault::Refused { .. }), _) => {
                    let (first, second) = part.split_at(part.len() / 2);
                    parts.extend([second, first]);
                }
                (Err(fault), _) => return Err(fault),
            }
        }
        Ok(summary)
    }

    async fn settle_whole(&self, group: &[Delivery]) -> Result<Summary, Fault> {
        let started = self.clock.boot_time();
        let bounds = Bounds::at(self.clock.now(), self.retention_days);
        self.partitions
            .ensure(&gather::days(group, &bounds))
            .await?;
        let mut connection = self.pool.acquire().await?;
        let settled = in_time!(
            connection,
            self.transaction(&mut connection, group, &bounds)
        );
        if matches!(settled, Err(Fault::NoPartition)) {
            self.partitions.forget();
        }
        let (summary, letters, oldest_micros) = settled?;
        self.report(summary, &letters);
        let took = self.clock.boot_time().saturating_sub(started);
        INGEST_SECONDS.handle().record(took.as_secs_f64());
        if let Some(oldest) = oldest_micros {
            let lag = self.clock.wall_micros().saturating_sub(oldest).max(0);
            INGEST_LAG.handle().record(lag as f64 / 1e6);
        }
        Ok(summary)
    }

    async fn transaction(
        &self,
        connection: &mut PgConnection,
        group: &[Delivery],
        bounds: &Bounds,
    ) -> Result<(Summary, Vec<DeadLetter>, Option<i64>), Fault> {
        let mut sources: Vec<Uuid> = group.iter().filter_map(Delivery::source).collect();
        sources.sort_unstable();
        sources.dedup();

        let mut transaction = connection.begin().await?;
        write::limit_waits(&mut transaction).await?;
        sources::lock(&mut transaction, &sources).await?;
        let before = ledger::read(&mut transaction, &sources).await?;
        let judgements = judge(group, &before);

        let mut gathered = Gathered::default();
        for (delivery, judgement) in group.iter().zip(&judgements) {
            gathered.take(delivery, judgement, bounds);
        }
        let refused =
            write::events(&mut transaction, &self.endpoints, gathered.countables()).await?;
        for (at, detail) in refused {
            gathered.refuse(at, detail);
        }

        let added = gathered.ledger();
        let (old, new) = merge(&before, &added);
        if !new.is_empty() {
            ledger::replace(&mut transaction, &old, &new).await?;
        }
        if !gathered.closed.is_empty() {
            gathered.closed.sort_unstable();
            sources::close(&mut transaction, &gathered.closed).await?;
        }
        dead_letters::insert(&mut transaction, &gathered.letters, bounds.now).await?;
        transaction.commit().await?;

        let oldest = gathered
            .events
            .iter()
            .map(|event| event.countable.at_micros)
            .min();
        let summary = gathered.summary(&judgements);
        Ok((summary, gathered.letters, oldest))
    }

    /// Keeps a message that not even the ledger takes.
    async fn bury(&self, message: &Delivery, detail: String) -> Result<(), Fault> {
        let letter = DeadLetter {
            range: None,
            reason: Reason::Refused,
            detail,
            is_record: false,
            subject: message.subject.clone(),
            payload: message.payload.clone(),
            origin: message.origin.clone(),
            request_id: String::new(),
        };
        let letters = [letter];
        let mut connection = self.pool.acquire().await?;
        let kept: Result<(), Fault> = in_time!(connection, async {
            Ok(dead_letters::insert(&mut connection, &letters, self.clock.now()).await?)
        });
        kept?;
        let refused = Summary {
            refused: 1,
            ..Summary::default()
        };
        self.report(refused, &letters);
        Ok(())
    }

    fn report(&self, summary: Summary, letters: &[DeadLetter]) {
        for (outcome, batches) in [
            ("counted", summary.counted),
            ("duplicate", summary.duplicates),
            ("overlap", summary.overlaps),
            ("undecodable", summary.undecodable),
            ("close", summary.closes),
            ("dropped", summary.drops),
            ("refused", summary.refused),
        ] {
            INGESTED_BATCHES.with(outcome).increment(batches);
        }
        INGESTED_EVENTS.handle().increment(summary.events);
        DROPPED_EVENTS.handle().increment(summary.dropped_events);
        TIMESTAMPS_REPLACED.handle().increment(summary.replaced);
        for letter in letters {
            DEAD_LETTERS.with(letter.reason.as_str()).increment(1);
            let (source, first, last) = letter.range.unwrap_or_default();
            let Origin { node, span } = &letter.origin;
            tracing::error!(
                reason = letter.reason.as_str(), detail = letter.detail, %source, first, last,
                node = node.map(tracing::field::display),
                request_id = Some(&letter.request_id).filter(|id| !id.is_empty()),
                trace_id = span.as_ref().map(|span| tracing::field::display(span.trace_id())),
                subject = letter.subject, "usage went to the dead letters"
            );
        }
    }
}
