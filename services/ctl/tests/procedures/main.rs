//! Procedures of `docs/runbooks`, done as they are written: their commands are read from there.

#![allow(clippy::unwrap_used, reason = "a test")]

mod broker_loss;
mod leaked_token;
mod rotation;
#[path = "../common/runbook.rs"]
mod runbook;
