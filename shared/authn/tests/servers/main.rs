//! The engine against a real PostgreSQL and a real NATS server.

#![allow(unreachable_pub, reason = "a test has no outside")]
#![allow(clippy::unwrap_used, reason = "a test that panics has failed")]

mod attendance;
mod balances;
mod cold;
mod hints;
mod history;
mod postgres;
