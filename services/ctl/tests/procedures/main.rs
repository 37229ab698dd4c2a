//! Procedures of `docs/runbooks`, done as they are written: their commands are read from there.

#![allow(clippy::unwrap_used, reason = "a test")]

mod broker_loss;
mod certificate;
#[path = "../common/clients.rs"]
mod clients;
mod leaked_token;
#[path = "../upgrade/nginx.rs"]
mod nginx;
mod questions;
mod rotation;
#[path = "../common/runbook.rs"]
mod runbook;
mod under_load;
#[path = "../common/verdict.rs"]
mod verdict;
