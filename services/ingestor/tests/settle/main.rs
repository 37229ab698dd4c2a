//! Transactions of the settler against a real database, without a broker: every refusal, every
//! reason for a dead letter, and races that are held open on purpose.

#![allow(
    clippy::unwrap_used,
    reason = "a test panics when its ground gives way"
)]

mod balances;
#[path = "../common/mod.rs"]
mod common;
mod days;
mod dead_letters;
mod drops;
mod ledger;
mod limits;
mod races;
mod reports;
mod rows;
mod silence;
mod sums;

use std::sync::Arc;

use bytes::Bytes;
use chrono::{Days, NaiveDate};
use common::{Expected, assert_counted, clock, event, settled};
use sqlx::PgPool;
use tollkeeper_domain::usage::UsageEvent;
use tollkeeper_ingestor::{Delivery, Fault, Partitions, Settler, Summary, upkeep_once};
use tollkeeper_testkit::{TestDatabase, wait_for};
use tollkeeper_usage::message::subject;
use tollkeeper_usage::wire::{BatchBuilder, encode, encoded_len};
use uuid::Uuid;

const SOURCE: Uuid = Uuid::from_u128(0x5eed);
const RETENTION_DAYS: u32 = 90;

fn settler(pool: &PgPool) -> Settler {
    let partitions = Arc::new(Partitions::new(pool.clone()));
    Settler::new(pool.clone(), clock(), partitions, RETENTION_DAYS)
}

fn now() -> i64 {
    clock().wall_micros()
}

fn batch(source: Uuid, first: u64, events: &[UsageEvent<'_>]) -> Delivery {
    let mut builder = BatchBuilder::new(source, first);
    for event in events {
        let mut record = vec![0; encoded_len(event)];
        encode(event, &mut record);
        builder.push(&record);
    }
    Delivery::read(&subject(source), builder.finish().2)
}

fn events(count: u64) -> Vec<UsageEvent<'static>> {
    (0..count).map(|number| event(number, now())).collect()
}

fn expected(events: &[UsageEvent<'_>]) -> Expected {
    let mut expected = Expected::default();
    events.iter().for_each(|event| expected.add(event));
    expected
}

async fn ledger(pool: &PgPool) -> Vec<(i64, i64, String)> {
    sqlx::query_as("select first, last, outcome from usage_ledger order by source, first")
        .fetch_all(pool)
        .await
        .unwrap()
}

async fn letters(pool: &PgPool) -> Vec<(Option<i64>, Option<i64>, String, String)> {
    sqlx::query_as("select first, last, reason, kind from usage_dead_letters order by first, id")
        .fetch_all(pool)
        .await
        .unwrap()
}

fn row(first: i64, last: i64, outcome: &str) -> (i64, i64, String) {
    (first, last, outcome.to_owned())
}

fn letter(
    first: i64,
    last: i64,
    reason: &str,
    kind: &str,
) -> (Option<i64>, Option<i64>, String, String) {
    (Some(first), Some(last), reason.to_owned(), kind.to_owned())
}
