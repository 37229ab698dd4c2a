//! What rollups share: their rows as arrays, and their end.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::time;
use crate::tally::{AccountRollup, Rollup};

/// The most rows that one statement removes: it must not keep counting waiting.
pub(crate) const MOST_REMOVED: u64 = 10_000;

/// The rows of a rollup, column by column.
pub(super) struct Columns<'a> {
    pub(super) token_ids: Vec<Uuid>,
    pub(super) buckets: Vec<DateTime<Utc>>,
    pub(super) endpoints: Vec<&'a str>,
    pub(super) methods: Vec<&'a str>,
    pub(super) classes: Vec<i16>,
    pub(super) requests: Vec<i64>,
    pub(super) errors: Vec<i64>,
    /// The histograms as one flat array, 24 counts for each row.
    pub(super) latencies: Vec<i64>,
}

impl<'a> Columns<'a> {
    pub(super) fn of(rows: &Rollup<'a>) -> Self {
        Self {
            token_ids: rows.iter().map(|(key, _)| key.token_id).collect(),
            buckets: rows.iter().map(|(key, _)| time(key.bucket)).collect(),
            endpoints: rows.iter().map(|(key, _)| key.endpoint).collect(),
            methods: rows.iter().map(|(key, _)| key.method).collect(),
            classes: rows.iter().map(|(key, _)| key.status_class).collect(),
            requests: rows.iter().map(|(_, sum)| sum.requests).collect(),
            errors: rows.iter().map(|(_, sum)| sum.errors).collect(),
            latencies: rows.iter().flat_map(|(_, sum)| sum.latency).collect(),
        }
    }
}

/// The rows of the sums of accounts, column by column.
pub(super) struct AccountColumns<'a> {
    pub(super) account_ids: Vec<Uuid>,
    pub(super) buckets: Vec<DateTime<Utc>>,
    pub(super) endpoints: Vec<&'a str>,
    pub(super) methods: Vec<&'a str>,
    pub(super) classes: Vec<i16>,
    pub(super) verdicts: Vec<i16>,
    pub(super) requests: Vec<i64>,
    pub(super) errors: Vec<i64>,
    /// The histograms as one flat array, 24 counts for each row.
    pub(super) latencies: Vec<i64>,
}

impl<'a> AccountColumns<'a> {
    pub(super) fn of(rows: &AccountRollup<'a>) -> Self {
        Self {
            account_ids: rows.iter().map(|(key, _)| key.account_id).collect(),
            buckets: rows.iter().map(|(key, _)| time(key.bucket)).collect(),
            endpoints: rows.iter().map(|(key, _)| key.endpoint).collect(),
            methods: rows.iter().map(|(key, _)| key.method).collect(),
            classes: rows.iter().map(|(key, _)| key.status_class).collect(),
            verdicts: rows.iter().map(|(key, _)| key.verdict).collect(),
            requests: rows.iter().map(|(_, sum)| sum.requests).collect(),
            errors: rows.iter().map(|(_, sum)| sum.errors).collect(),
            latencies: rows.iter().flat_map(|(_, sum)| sum.latency).collect(),
        }
    }
}
