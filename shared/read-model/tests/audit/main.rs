//! The audit log is its three parts put together, whatever is asked for and however long the pages are;
//! and no page reads more than its share of them.

#![allow(clippy::unwrap_used, reason = "a test that panics has failed")]

mod constraints;
mod costs;
mod log;
mod meaning;
