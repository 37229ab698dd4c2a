//! The rules of Tollkeeper, and nothing else.
//!
//! Everything here is a pure function of its arguments: no I/O, no async, no clock, no randomness.
//! Time, new ids and random bytes arrive from outside, so every rule can be tested by a table.

pub mod ids;
pub mod scope;
pub mod secret;
pub mod usage;
pub mod verdict;
