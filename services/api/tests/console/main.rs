//! The console, as people use it: in a real browser, or with a client where there are many small cases.

#![allow(
    clippy::unwrap_used,
    reason = "a test panics when its ground gives way"
)]

mod accounts;
mod missing;
mod operation;
mod outage;
mod sign_in;
mod support;
mod tokens;
mod usage;
mod whole;
mod widths;
