//! Counting what was reported to the API.
//!
//! Taking reports out of their table and counting them is one transaction: whoever is killed when, a
//! report is either there or counted. What cannot be counted goes to the dead letters in it.

use std::collections::BTreeSet;

use bytes::Bytes;
use sqlx::{Connection, PgConnection};
use tollkeeper_telemetry::usage::REPORTS_OLDEST;
use tollkeeper_usage::message::Origin;
use tollkeeper_usage::wire;
use uuid::Uuid;

use super::gather::{Bounds, DAY_MICROS, countable, dates};
use super::replay::Outcome;
use super::{DeadLetter, Reason, Settler, Summary, write};
use crate::fault::Fault;
use crate::patience::in_time;
use crate::store::dead_letters::{self, AskedFor};
use crate::store::reports;
use crate::tally::Countable;

/// A transaction takes at most so many reports.
const MOST_REPORTS: i64 = 5000;

/// What dead letters of reports have for a subject.
const SUBJECT: &str = "report";

impl Settler {
    /// Counts the oldest reports, some of them at a time. Tells how many it took out of their table.
    ///
    /// # Errors
    /// On a fault that trying again may mend. Nothing was done then.
    pub async fn count_reports(&self) -> Result<usize, Fault> {
        let counted = {
            let mut connection = self.pool.acquire().await?;
            in_time!(connection, self.count_in_transaction(&mut connection))
        };
        if matches!(counted, Err(Fault::NoPartition)) {
            self.partitions.forget();
        }
        let (records, letters) = counted?;
        let summary = Summary {
            events: (records - letters.len()) as u64,
            ..Summary::default()
        };
        self.report(summary, &letters);
        let mut connection = self.pool.acquire().await?;
        let since: Result<_, Fault> = in_time!(connection, async {
            Ok(reports::waiting_since(&mut connection).await?)
        });
        let waited = since?.map(|since| (self.clock.now() - since).as_seconds_f64());
        REPORTS_OLDEST.handle().set(waited.unwrap_or(0.0).max(0.0));
        Ok(records)
    }

    async fn count_in_transaction(
        &self,
        connection: &mut PgConnection,
    ) -> Result<(usize, Vec<DeadLetter>), Fault> {
        let mut transaction = connection.begin().await?;
        write::limit_waits(&mut transaction).await?;
        let records = reports::take(&mut transaction, MOST_REPORTS).await?;
        if records.is_empty() {
            return Ok((0, Vec::new()));
        }
        // Their times were judged when they were reported.
        let bounds = Bounds::none(self.clock.now());
        let mut letters = Vec::new();
        let mut countables: Vec<Countable<'_>> = Vec::new();
        let mut counted: Vec<&[u8]> = Vec::new();
        for record in &records {
            match read(record, &bounds) {
                Ok(countable) => {
                    countables.push(countable);
                    counted.push(record);
                }
                Err(detail) => letters.push(letter(record, Reason::Undecodable, detail)),
            }
        }
        // On a connection of their own, as partitions are made apart from what is written into them.
        let days: BTreeSet<i64> = countables
            .iter()
            .map(|countable| countable.at_micros.div_euclid(DAY_MICROS))
            .collect();
        self.partitions.ensure(&dates(days)).await?;
        let refused = write::events(&mut transaction, &self.endpoints, countables).await?;
        for (at, detail) in refused {
            letters.push(letter(counted[at], Reason::Refused, detail));
        }
        dead_letters::insert(&mut transaction, &letters, bounds.now).await?;
        transaction.commit().await?;
        Ok((records.len(), letters))
    }
}

impl Settler {
    /// Counts a report that is a dead letter.
    pub(super) async fn replay_report(&self, letter: &AskedFor) -> Result<Outcome, Fault> {
        let bounds = Bounds::none(self.clock.now());
        let countable = match read(&letter.payload, &bounds) {
            Ok(countable) => countable,
            Err(detail) => return Ok(Outcome::Failed(detail)),
        };
        let day = countable.at_micros.div_euclid(DAY_MICROS);
        self.partitions.ensure(&dates([day])).await?;
        let mut connection = self.pool.acquire().await?;
        in_time!(connection, async {
            let mut transaction = connection.begin().await?;
            write::limit_waits(&mut transaction).await?;
            if !dead_letters::take(&mut transaction, letter.id).await? {
                // Another ingestor was quicker.
                return Ok(Outcome::Counted);
            }
            let refused = write::events(&mut transaction, &self.endpoints, vec![countable]);
            if let Some((_, detail)) = refused.await?.pop() {
                // The transaction goes, and the letter stays.
                return Ok(Outcome::Failed(detail));
            }
            transaction.commit().await?;
            let summary = Summary {
                events: 1,
                ..Summary::default()
            };
            self.report(summary, &[]);
            Ok(Outcome::Counted)
        })
    }
}

/// Whether a dead letter is a report.
pub(super) fn is_report(letter: &AskedFor) -> bool {
    letter.is_record && letter.source.is_none() && letter.subject == SUBJECT
}

/// A report as it is counted, or why it cannot be.
fn read<'a>(record: &'a [u8], bounds: &Bounds) -> Result<Countable<'a>, String> {
    let event = wire::decode(record).map_err(|error| error.to_string())?;
    // The source tells balances of quotas apart, and a report is charged to none.
    countable(event, Uuid::nil(), bounds)
}

fn letter(record: &[u8], reason: Reason, detail: String) -> DeadLetter {
    DeadLetter {
        range: None,
        reason,
        detail,
        is_record: true,
        subject: SUBJECT.to_owned(),
        payload: Bytes::copy_from_slice(record),
        origin: Origin::default(),
        request_id: String::new(),
    }
}
