//! What must hold across a token and its account, whoever is faster.

#![allow(clippy::unwrap_used, reason = "a test that panics has failed")]

mod acting_tokens;
mod support;
mod suspend_and_delete;
mod token_limit;
