//! The ingestor's statements, one file for each table. Every function takes the open transaction,
//! and every list it takes is sorted by key.

pub(crate) mod accounts;
pub(crate) mod balances;
mod copy;
pub(crate) mod daily;
pub(crate) mod dead_letters;
pub(crate) mod hourly;
pub(crate) mod ledger;
pub(crate) mod partitions;
pub(crate) mod raw;
pub(crate) mod reports;
pub(crate) mod rollups;
pub(crate) mod sample;
pub(crate) mod sources;
pub(crate) mod token_days;
pub(crate) mod totals;

use chrono::{DateTime, Utc};

/// A stored time. All times were checked to lie within a few months of now.
fn time(micros: i64) -> DateTime<Utc> {
    DateTime::from_timestamp_micros(micros).unwrap_or(DateTime::UNIX_EPOCH)
}
