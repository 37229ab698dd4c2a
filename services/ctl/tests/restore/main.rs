//! A database that is put back from a backup while all of Tollkeeper goes on: what is lost is told, what must
//! not work is denied again, and what spools still hold is counted. The commands are those of the runbook.

#![allow(clippy::unwrap_used, reason = "a test")]

mod commands;
mod dump;
mod moment;
#[path = "../common/runbook.rs"]
mod runbook;
mod shop;
