//! Gates in the test's own process, against the real API, ingestor, Postgres and NATS.

#![allow(clippy::unwrap_used, reason = "a test")]

mod counting;
mod exchange;
mod full;
mod limits;
mod outages;
mod quotas;
mod receipts;
mod refusals;
mod spans;
mod support;
