//! Attempts that were refused, summed up in memory until they are written down.
//!
//! There is a row for all attempts of a minute that are alike. How many rows a minute has, how many one
//! caller has in it, and how many wait to be written in all has an end each; those whose credential is known
//! have an end of their own, so that strangers cannot push them out. What there is no row for is counted
//! in a row of the minute for everything that was left out: every attempt is counted, in one of the two.

use std::collections::{BTreeMap, HashMap};
use std::fmt;

use chrono::{DateTime, Utc};
use metrics::Counter;
use parking_lot::Mutex;
use tollkeeper_read_model::audit::Refusal;
use tollkeeper_telemetry::audit::{REFUSALS, WAITING};

use super::attempt::{Attempt, Kind, Who};

/// The most rows of a minute about those whose credential is known.
pub(super) const KNOWN: usize = 200;

/// The most rows of a minute about strangers. A flood that fills them all year long makes 30 million rows
/// in each process.
pub(super) const STRANGERS: usize = 60;

/// The most rows of a minute about one of either.
pub(super) const OF_ONE: usize = 20;

/// The most rows in memory, where they cannot be written, beside one a minute for what is left out.
pub(super) const MOST: usize = 4096;

/// What is refused, until it is written down.
pub struct Refusals {
    tally: Mutex<Tally>,
    kept: Counter,
    left_out: Counter,
}

impl fmt::Debug for Refusals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Refusals").finish_non_exhaustive()
    }
}

impl Default for Refusals {
    fn default() -> Self {
        Self::new()
    }
}

impl Refusals {
    /// Nothing yet. To be made after the recorder of metrics is installed.
    #[must_use]
    pub fn new() -> Self {
        Self {
            tally: Mutex::default(),
            kept: REFUSALS.with("kept"),
            left_out: REFUSALS.with("left_out"),
        }
    }

    /// Takes an attempt in. Never waits for anything but others who do the same.
    pub(crate) fn add(&self, attempt: Attempt) {
        if self.tally.lock().add(attempt) {
            self.kept.increment(1);
        } else {
            self.left_out.increment(1);
        }
    }

    /// At most `most` rows that are not written, or not as they are by now.
    pub(super) fn unwritten(&self, most: usize) -> Vec<Refusal> {
        self.tally.lock().unwritten(most)
    }

    /// These are written; minutes before `now` that are done with are forgotten.
    pub(super) fn written(&self, rows: &[Refusal], now: DateTime<Utc>) {
        let mut tally = self.tally.lock();
        tally.written(rows, now);
        #[allow(clippy::cast_precision_loss, reason = "some thousands at most")]
        WAITING.handle().set(tally.waiting() as f64);
    }

    /// How many attempts are not written down.
    pub(super) fn left(&self) -> i64 {
        self.tally.lock().left()
    }
}

/// All rows in memory, by their minutes.
#[derive(Debug, Default)]
pub(super) struct Tally {
    minutes: BTreeMap<i64, Minute>,
    /// How many there are but for those of what is left out.
    rows: usize,
    /// The last number that was given to a row.
    serial: i64,
}

#[derive(Debug, Default)]
struct Minute {
    rows: HashMap<Kind, Row>,
    strangers: usize,
    left_out: Option<Row>,
}

#[derive(Debug)]
struct Row {
    refusal: Refusal,
    /// How many of its attempts are written down.
    written: i64,
}

impl Tally {
    /// Counts an attempt, and tells whether it is told apart from others.
    pub(super) fn add(&mut self, attempt: Attempt) -> bool {
        let is_full = self.rows >= MOST;
        let mut minute = minute_of(attempt.at);
        // Where nothing can be written, the last minute that there is room for stands for all after it.
        let newest = self.minutes.last_key_value().map(|(newest, _)| *newest);
        if let Some(newest) = newest.filter(|_| is_full)
            && !self.minutes.contains_key(&minute)
        {
            minute = newest;
        }
        let minute = self.minutes.entry(minute).or_default();
        if let Some(row) = minute.rows.get_mut(&attempt.kind) {
            row.count(attempt.at);
            return true;
        }
        let is_told = !is_full && minute.has_room_for(&attempt.kind.who);
        if is_told || minute.left_out.is_none() {
            self.serial += 1;
        }
        if is_told {
            minute.strangers += usize::from(matches!(attempt.kind.who, Who::Stranger(_)));
            let row = Row::of(&attempt, self.serial);
            minute.rows.insert(attempt.kind, row);
            self.rows += 1;
        } else {
            let new = || Row::left_out(attempt.at, self.serial);
            minute.left_out.get_or_insert_with(new).count(attempt.at);
        }
        is_told
    }

    pub(super) fn unwritten(&self, most: usize) -> Vec<Refusal> {
        let rows = self.minutes.values().flat_map(Minute::all);
        let rows = rows.filter(|row| row.written < row.refusal.count);
        rows.take(most).map(|row| row.refusal.clone()).collect()
    }

    pub(super) fn written(&mut self, rows: &[Refusal], now: DateTime<Utc>) {
        let counts: HashMap<i64, i64> = rows.iter().map(|it| (it.serial, it.count)).collect();
        for row in self.minutes.values_mut().flat_map(Minute::all_mut) {
            if let Some(count) = counts.get(&row.refusal.serial) {
                row.written = *count;
            }
        }
        let now = minute_of(now);
        self.minutes.retain(|minute, it| {
            *minute >= now || it.all().any(|row| row.written < row.refusal.count)
        });
        self.rows = self.minutes.values().map(|it| it.rows.len()).sum();
    }

    /// How many rows are not written as they are.
    fn waiting(&self) -> usize {
        let rows = self.minutes.values().flat_map(Minute::all);
        rows.filter(|row| row.written < row.refusal.count).count()
    }

    /// How many attempts are not written down.
    pub(super) fn left(&self) -> i64 {
        let rows = self.minutes.values().flat_map(Minute::all);
        rows.map(|row| row.refusal.count - row.written).sum()
    }

    /// How many rows there are in all.
    #[cfg(test)]
    pub(super) fn held(&self) -> usize {
        self.minutes.values().flat_map(Minute::all).count()
    }
}

impl Minute {
    fn all(&self) -> impl Iterator<Item = &Row> {
        self.rows.values().chain(&self.left_out)
    }

    fn all_mut(&mut self) -> impl Iterator<Item = &mut Row> {
        self.rows.values_mut().chain(&mut self.left_out)
    }

    fn has_room_for(&self, who: &Who) -> bool {
        let has_room = match who {
            Who::Stranger(_) => self.strangers < STRANGERS,
            Who::Known(_) => self.rows.len() - self.strangers < KNOWN,
        };
        has_room && self.rows.keys().filter(|it| it.who == *who).count() < OF_ONE
    }
}

impl Row {
    /// The first attempt of its kind.
    fn of(attempt: &Attempt, serial: i64) -> Self {
        let Kind {
            who,
            operation: [method, route],
            status,
            code,
        } = &attempt.kind;
        let status = i16::try_from(status.as_u16()).unwrap_or(i16::MAX);
        let mut row = Self::left_out(attempt.at, serial);
        row.refusal.count = 1;
        row.refusal.actor = match who {
            Who::Known(actor) => Some(actor.clone()),
            Who::Stranger(_) => None,
        };
        row.refusal.account_id = attempt.account.map(|id| id.0);
        row.refusal.network.clone_from(&attempt.network);
        row.refusal.refused = Some((format!("{method} {route}"), status, *code));
        row.refusal.subject_id = attempt.subject;
        row.refusal.request_id = Some(attempt.request_id.clone());
        row
    }

    /// None yet of those that are not told apart.
    fn left_out(at: DateTime<Utc>, serial: i64) -> Self {
        Self {
            refusal: Refusal {
                serial,
                first_at: at,
                last_at: at,
                count: 0,
                actor: None,
                account_id: None,
                network: None,
                refused: None,
                subject_id: None,
                request_id: None,
            },
            written: 0,
        }
    }

    fn count(&mut self, at: DateTime<Utc>) {
        self.refusal.count += 1;
        self.refusal.last_at = self.refusal.last_at.max(at);
    }
}

/// The minute that a moment lies in.
fn minute_of(at: DateTime<Utc>) -> i64 {
    at.timestamp().div_euclid(60)
}
