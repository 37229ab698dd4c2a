//! The audit log: who did what, and who was refused what.
//!
//! What is done stands in the event log, or is noted down by the handler that does it, in its own
//! transaction. What is refused is noticed here, by `layer`, for every operation of the router: 401, 403
//! and 429, and 404 where somebody who does not act across accounts asks for one thing by its id. That is
//! summed up in memory ([`Refusals`]) and written beside the requests ([`writer`]), so that a refusal
//! costs no statement and a flood of them fills neither the memory nor the table.
//!
//! Nothing here ever holds a credential: of a caller there is the id, once the engine knows it, and else
//! the network. What reverse proxies ask, and what `/v1/verify` says of a token that it is asked about, is
//! usage and not told here.

mod attempt;
mod cursor;
mod holder;
mod layer;
pub(crate) mod list;
mod refusals;
#[cfg(test)]
mod tests;
mod view;
pub mod writer;

pub(crate) use attempt::{Attempt, Kind, Who, network};
pub(crate) use holder::Holder;
pub(crate) use layer::layer;
pub use refusals::Refusals;

/// What marks the request for a further page of an export that has left its entry. The console makes such
/// requests within the process; none from outside has it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Continued;

/// What it is to sign in to the console, as the audit log tells of attempts that were refused.
pub(crate) const SIGN_IN: [&str; 2] = ["POST", "/console/sign-in"];
