//! What operators see of a running installation: request ids, traces and lines of the log, and that no
//! secret is in any of it.

#![allow(
    clippy::unwrap_used,
    reason = "a test panics when its ground gives way"
)]

mod ids;
mod receiver;
mod secrets;
mod support;
mod traces;
mod usage;
