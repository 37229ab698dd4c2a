//! Counting what is a dead letter, once its reason is mended.
//!
//! One letter is one transaction: its events are counted, the ledger holds them as counted instead of
//! dead, and the letter goes. Numbers that are counted already stay as they are, so a letter that is
//! tried twice, or whose events came on another way, counts nothing twice.

use sqlx::{Connection, PgConnection};
use tollkeeper_telemetry::usage::DEAD_LETTERS_REPLAYED;
use tollkeeper_usage::message::subject;
use tollkeeper_usage::ranges::RangeSet;
use tollkeeper_usage::wire::{Batch, BatchBuilder};
use uuid::Uuid;

use super::gather::{self, Bounds, Gathered};
use super::{Settler, judge, merge, reports, write};
use crate::delivery::{Content, Delivery};
use crate::fault::Fault;
use crate::patience::in_time;
use crate::store::dead_letters::{self, AskedFor};
use crate::store::ledger::{self, LedgerRange, Settlement};
use crate::store::sources;

/// What became of a letter that somebody asked to try again.
pub(super) enum Outcome {
    Counted,
    /// It stays, for this reason.
    Failed(String),
}

impl Settler {
    /// Tries the next letter again that somebody has asked for. Whether there was one.
    ///
    /// # Errors
    /// On a fault that trying again may mend. Nothing was done then.
    pub async fn replay_next(&self) -> Result<bool, Fault> {
        let mut connection = self.pool.acquire().await?;
        let next: Result<Option<AskedFor>, Fault> = in_time!(connection, async {
            Ok(dead_letters::next_asked_for(&mut connection).await?)
        });
        let Some(letter) = next? else {
            return Ok(false);
        };
        let outcome = match self.replay(&letter).await {
            Err(Fault::Refused { code, detail }) => {
                Outcome::Failed(format!("{detail} (SQLSTATE {code})"))
            }
            outcome => outcome?,
        };
        if let Outcome::Failed(reason) = &outcome {
            let mut connection = self.pool.acquire().await?;
            let noted: Result<(), Fault> = in_time!(connection, async {
                Ok(dead_letters::replay_failed(&mut connection, letter.id, reason).await?)
            });
            noted?;
        }
        let outcome = match outcome {
            Outcome::Counted => "counted",
            Outcome::Failed(_) => "failed",
        };
        DEAD_LETTERS_REPLAYED.with(outcome).increment(1);
        tracing::info!(letter = letter.id, outcome, "a dead letter was tried again");
        Ok(true)
    }

    async fn replay(&self, letter: &AskedFor) -> Result<Outcome, Fault> {
        if reports::is_report(letter) {
            return self.replay_report(letter).await;
        }
        let delivery = match deliver(letter) {
            Ok(delivery) => delivery,
            Err(reason) => return Ok(Outcome::Failed(reason)),
        };
        let bounds = Bounds::at(self.clock.now(), self.retention_days);
        let days = gather::days(std::slice::from_ref(&delivery), &bounds);
        self.partitions.ensure(&days).await?;
        let mut connection = self.pool.acquire().await?;
        in_time!(
            connection,
            self.replay_in_transaction(&mut connection, letter.id, &delivery, &bounds)
        )
    }

    async fn replay_in_transaction(
        &self,
        connection: &mut PgConnection,
        letter: i64,
        delivery: &Delivery,
        bounds: &Bounds,
    ) -> Result<Outcome, Fault> {
        let mut transaction = connection.begin().await?;
        write::limit_waits(&mut transaction).await?;
        let sources: Vec<Uuid> = delivery.source().into_iter().collect();
        sources::lock(&mut transaction, &sources).await?;
        if !dead_letters::take(&mut transaction, letter).await? {
            // Another ingestor was quicker.
            return Ok(Outcome::Counted);
        }
        let before = ledger::read(&mut transaction, &sources).await?;
        let parts = uncounted(delivery, &before);
        // What is dead is no obstacle now.
        let others: Vec<LedgerRange> = before
            .iter()
            .filter(|range| range.settlement == Settlement::Counted)
            .copied()
            .collect();
        let judgements = judge(&parts, &others);
        let mut gathered = Gathered::default();
        for (part, judgement) in parts.iter().zip(&judgements) {
            gathered.take(part, judgement, bounds);
        }
        let refused =
            write::events(&mut transaction, &self.endpoints, gathered.countables()).await?;
        for (at, detail) in refused {
            gathered.refuse(at, detail);
        }
        if let Some(letter) = gathered.letters.first() {
            // The transaction goes, and with it all that it wrote.
            return Ok(Outcome::Failed(letter.detail.clone()));
        }
        let (old, new) = merge(&before, &gathered.ledger());
        if !new.is_empty() {
            ledger::replace(&mut transaction, &old, &new).await?;
        }
        if !gathered.closed.is_empty() {
            sources::close(&mut transaction, &gathered.closed).await?;
        }
        transaction.commit().await?;
        let summary = gathered.summary(&judgements);
        self.report(summary, &[]);
        Ok(Outcome::Counted)
    }
}

/// The letter as a message, or why it is none.
fn deliver(letter: &AskedFor) -> Result<Delivery, String> {
    let delivery = match (letter.is_record, letter.source, letter.first) {
        (true, Some(source), Some(number)) => {
            let mut builder = BatchBuilder::new(source, number.unsigned_abs());
            builder.push(&letter.payload);
            Delivery::read(&subject(source), builder.finish().2)
        }
        _ => Delivery::read(&letter.subject, letter.payload.clone().into()),
    };
    match delivery.content {
        Content::Broken { detail, .. } => Err(detail),
        _ => Ok(delivery),
    }
}

/// The parts of a message whose events are not counted. What carries none is its own only part.
fn uncounted(delivery: &Delivery, ledger: &[LedgerRange]) -> Vec<Delivery> {
    let Content::Events(batch) = &delivery.content else {
        return vec![delivery.clone()];
    };
    let counted = ledger
        .iter()
        .filter(|range| range.settlement == Settlement::Counted)
        .map(|range| (range.first, range.last));
    let counted: RangeSet = counted.collect();
    let header = batch.header();
    let gaps = counted.gaps(header.first, header.last).into_iter();
    gaps.map(|(first, last)| part(batch, first, last)).collect()
}

/// The records of a batch from `first` to `last`, as a message.
fn part(batch: &Batch, first: u64, last: u64) -> Delivery {
    let source = batch.header().source;
    let mut builder = BatchBuilder::new(source, first);
    for (number, record, _) in batch.records() {
        if (first..=last).contains(&number) {
            builder.push(record);
        }
    }
    Delivery::read(&subject(source), builder.finish().2)
}
