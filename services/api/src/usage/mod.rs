//! Questions about usage: how much over time and of what, which tokens most, which requests, what a
//! change would have refused, and whether all of it has arrived.
//!
//! Everything is read over connections of its own and in a bounded time, so that no question holds up
//! the verification or the management of tokens. Nothing here changes anything.

pub(crate) mod all;
pub(crate) mod completeness;
mod cursor;
pub(crate) mod dry_run;
mod export;
pub(crate) mod exposure;
pub(crate) mod of_token;
mod proposal;
mod question;
pub(crate) mod reading;
pub(crate) mod report;
pub(crate) mod requests;
mod series;
pub(crate) mod times;
pub(crate) mod top;
mod words;
