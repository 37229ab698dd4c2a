//! The rules of Tollkeeper, and nothing else.
//!
//! Everything here is a pure function of its arguments: no I/O, no async, no clock, no randomness.
//! Time, new ids and random bytes arrive from outside, so every rule can be tested by a table.

use uuid::Uuid;

pub mod account;
pub mod authority;
pub mod event;
pub mod ids;
pub mod legacy;
pub mod network;
pub mod quota;
pub mod rate_limit;
pub mod scope;
pub mod secret;
pub mod token;
pub mod usage;
pub mod verdict;

/// Events follow on one another in a way that no decision can have made: the log is damaged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BrokenHistory {
    /// The first event is not the one that begins a history.
    #[error("the history of {0} does not begin with its beginning")]
    NotBegun(Uuid),
    /// The event that begins a history comes again.
    #[error("the history of {0} begins twice")]
    BegunTwice(Uuid),
}
