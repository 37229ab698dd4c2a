//! A group taken apart: the events to count, the ranges they settle, and what cannot be counted.

use std::collections::BTreeSet;

use bytes::Bytes;
use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use tollkeeper_domain::usage::UsageEvent;
use tollkeeper_usage::wire::{Batch, BatchHeader, decode};
use uuid::Uuid;

use super::{Content, DeadLetter, Delivery, Judgement, LedgerRange, Reason, Settlement, Summary};
use crate::fold::fold;
use crate::tally::Countable;

pub(super) const DAY_MICROS: i64 = 86_400_000_000;

/// Within which times an event's own timestamp is believed.
pub(super) struct Bounds {
    pub(super) now: DateTime<Utc>,
    earliest: i64,
    latest: i64,
}

impl Bounds {
    pub(super) fn at(now: DateTime<Utc>, retention_days: u32) -> Self {
        Self {
            earliest: (now - TimeDelta::days(retention_days.into())).timestamp_micros(),
            latest: (now + TimeDelta::minutes(5)).timestamp_micros(),
            now,
        }
    }

    /// Whatever the timestamp: somebody has judged it before.
    pub(super) const fn none(now: DateTime<Utc>) -> Self {
        Self {
            now,
            earliest: i64::MIN,
            latest: i64::MAX,
        }
    }

    /// The time an event counts at, and whether its own was replaced.
    fn time_of(&self, at_micros: i64) -> (i64, bool) {
        if (self.earliest..=self.latest).contains(&at_micros) {
            (at_micros, false)
        } else {
            (self.now.timestamp_micros(), true)
        }
    }
}

/// The days on which the events of a group will be stored.
pub(super) fn days(group: &[Delivery], bounds: &Bounds) -> BTreeSet<NaiveDate> {
    let mut days = BTreeSet::new();
    for delivery in group {
        let Content::Events(batch) = &delivery.content else {
            continue;
        };
        let times = batch.times();
        days.extend(times.map(|at| bounds.time_of(at).0.div_euclid(DAY_MICROS)));
    }
    dates(days)
}

/// The dates of days that are counted from 1970.
pub(super) fn dates(days: impl IntoIterator<Item = i64>) -> BTreeSet<NaiveDate> {
    let starts = days.into_iter();
    starts
        .filter_map(|day| DateTime::from_timestamp_micros(day * DAY_MICROS))
        .map(|start| start.date_naive())
        .collect()
}

/// An event to count, with where it came from.
pub(super) struct Gathering<'a> {
    pub(super) countable: Countable<'a>,
    delivery: &'a Delivery,
    number: u64,
    record: &'a [u8],
}

/// What a group comes to.
#[derive(Default)]
pub(super) struct Gathered<'a> {
    pub(super) events: Vec<Gathering<'a>>,
    pub(super) letters: Vec<DeadLetter>,
    pub(super) closed: Vec<(Uuid, i64)>,
    counted: Vec<BatchHeader>,
    dropped: Vec<LedgerRange>,
    dead: Vec<(Uuid, u64, u64)>,
    dead_records: u64,
}

impl<'a> Gathered<'a> {
    pub(super) fn take(&mut self, delivery: &'a Delivery, judgement: &Judgement, bounds: &Bounds) {
        match (&delivery.content, judgement) {
            (Content::Events(batch), Judgement::Count) => self.count(delivery, batch, bounds),
            (Content::Close { source, last }, _) => self.closed.push((*source, *last as i64)),
            (Content::Dropped { source, .. }, Judgement::Dropped(gaps)) => {
                let ranges = gaps.iter().map(|&(first, last)| LedgerRange {
                    source: *source,
                    first,
                    last,
                    settlement: Settlement::Dropped,
                });
                self.dropped.extend(ranges);
            }
            (Content::Events(batch), Judgement::Overlap(gaps)) => {
                let header = batch.header();
                let detail = format!("only {gaps:?} of the range was not settled before");
                self.bury(delivery, Some(&header), gaps, Reason::Overlap, detail);
            }
            (Content::Broken { header, detail }, Judgement::Undecodable(gaps)) => {
                let detail = detail.clone();
                self.bury(delivery, header.as_ref(), gaps, Reason::Undecodable, detail);
            }
            _ => {}
        }
    }

    fn count(&mut self, delivery: &'a Delivery, batch: &'a Batch, bounds: &Bounds) {
        let header = batch.header();
        self.counted.push(header);
        for (number, record, event) in batch.records() {
            let countable = event
                .map_err(|error| error.to_string())
                .and_then(|event| countable(event, header.source, bounds));
            match countable {
                Ok(countable) => self.events.push(Gathering {
                    countable,
                    delivery,
                    number,
                    record,
                }),
                Err(detail) => {
                    let reason = Reason::Undecodable;
                    self.bury_record(delivery, header.source, number, record, reason, detail);
                }
            }
        }
    }

    /// All events to count, by their places.
    pub(super) fn countables(&self) -> Vec<Countable<'a>> {
        let events = self.events.iter();
        events.map(|event| event.countable.clone()).collect()
    }

    /// The database refused this event.
    pub(super) fn refuse(&mut self, at: usize, detail: String) {
        let event = &self.events[at];
        let (delivery, number) = (event.delivery, event.number);
        let source = event.countable.source;
        let record = event.record;
        self.bury_record(delivery, source, number, record, Reason::Refused, detail);
    }

    fn bury(
        &mut self,
        delivery: &Delivery,
        header: Option<&BatchHeader>,
        gaps: &[(u64, u64)],
        reason: Reason,
        detail: String,
    ) {
        if let Some(header) = header {
            let dead = gaps.iter().map(|gap| (header.source, gap.0, gap.1));
            self.dead.extend(dead);
        }
        self.letters.push(DeadLetter {
            range: header.map(|header| (header.source, header.first, header.last)),
            reason,
            detail,
            is_record: false,
            subject: delivery.subject.clone(),
            payload: delivery.payload.clone(),
            origin: delivery.origin.clone(),
            request_id: String::new(),
        });
    }

    fn bury_record(
        &mut self,
        delivery: &Delivery,
        source: Uuid,
        number: u64,
        record: &[u8],
        reason: Reason,
        detail: String,
    ) {
        self.dead_records += 1;
        self.dead.push((source, number, number));
        self.letters.push(DeadLetter {
            range: Some((source, number, number)),
            reason,
            detail,
            is_record: true,
            subject: delivery.subject.clone(),
            payload: Bytes::copy_from_slice(record),
            origin: delivery.origin.clone(),
            request_id: decode(record)
                .map_or_else(|_| String::new(), |event| event.request_id.to_owned()),
        });
    }

    /// The ranges this group settles: counted batches without their dead records, dead ranges, and
    /// what was reported as dropped.
    pub(super) fn ledger(&self) -> Vec<LedgerRange> {
        let mut ranges = self.dropped.clone();
        let mut dead = self.dead.clone();
        dead.sort_unstable();
        for header in &self.counted {
            let mut first = header.first;
            let inside = dead.iter().filter(|(source, number, _)| {
                *source == header.source && (header.first..=header.last).contains(number)
            });
            for &(_, dead_first, dead_last) in inside {
                if first < dead_first {
                    ranges.push(counted(header.source, first, dead_first - 1));
                }
                first = dead_last + 1;
            }
            if first <= header.last {
                ranges.push(counted(header.source, first, header.last));
            }
        }
        ranges.extend(dead.into_iter().map(|(source, first, last)| LedgerRange {
            source,
            first,
            last,
            settlement: Settlement::Dead,
        }));
        ranges
    }

    pub(super) fn summary(&self, judgements: &[Judgement]) -> Summary {
        let mut summary = Summary {
            dead_records: self.dead_records,
            ..Summary::default()
        };
        for judgement in judgements {
            match judgement {
                Judgement::Count => summary.counted += 1,
                Judgement::Duplicate => summary.duplicates += 1,
                Judgement::Overlap(_) => summary.overlaps += 1,
                Judgement::Undecodable(_) => summary.undecodable += 1,
                Judgement::Close => summary.closes += 1,
                Judgement::Dropped(gaps) => {
                    summary.drops += 1;
                    let dropped = gaps.iter().map(|(first, last)| last - first + 1);
                    summary.dropped_events += dropped.sum::<u64>();
                }
            }
        }
        let carried: u64 = self.counted.iter().map(|header| header.len() as u64).sum();
        summary.events = carried - self.dead_records;
        let replaced = self.events.iter().filter(|event| event.countable.replaced);
        summary.replaced = replaced.count() as u64;
        summary
    }
}

fn counted(source: Uuid, first: u64, last: u64) -> LedgerRange {
    LedgerRange {
        source,
        first,
        last,
        settlement: Settlement::Counted,
    }
}

/// The event with its time and in the tables' types, or why it does not fit them.
pub(super) fn countable<'a>(
    event: UsageEvent<'a>,
    source: Uuid,
    bounds: &Bounds,
) -> Result<Countable<'a>, String> {
    let token_version = i64::try_from(event.token_version)
        .map_err(|_| format!("token version {} is out of range", event.token_version))?;
    let status = i16::try_from(event.status)
        .map_err(|_| format!("status {} is out of range", event.status))?;
    for charge in event.charges.as_slice() {
        i32::try_from(charge.generation)
            .map_err(|_| format!("quota generation {} is out of range", charge.generation))?;
    }
    let (at_micros, replaced) = bounds.time_of(event.at_micros);
    Ok(Countable {
        endpoint: fold(event.endpoint),
        event,
        source,
        at_micros,
        replaced,
        token_version,
        status,
    })
}
