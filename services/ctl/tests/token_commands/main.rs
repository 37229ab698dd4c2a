//! `tollkeeper token` and `tollkeeper usage` against the real API.

#![allow(
    clippy::unwrap_used,
    reason = "a test panics when its ground gives way"
)]

mod failures;
mod life;
mod reading;
mod shell;
mod usage;
