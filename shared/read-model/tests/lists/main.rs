//! Pages of any filter, put together, are the tokens that it means, whichever way they were found;
//! and no page reads more than its share of the table.

#![allow(clippy::unwrap_used, reason = "a test that panics has failed")]

mod costs;
mod meaning;
mod sorted;
mod tokens;
