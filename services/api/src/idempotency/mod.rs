//! `Idempotency-Key` (draft-ietf-httpapi-idempotency-key-header-07): a request that is sent again
//! takes effect once, and gets the answer of the first time.
//!
//! A handler takes `Once` in place of its body and does its work within `once::Key::once`, which
//! hands it a `Claim`; the `Answer` is made before the commit and `Claim::keep` puts it into the
//! same transaction.
//!
//! What holds it together is the row of the key, whose `holder` is the request that reserved it. The
//! transaction of the request writes its answer into that row or comes to nothing. So a reservation
//! can be given up or taken over at any moment, also while nobody knows whether a commit is still
//! under way: either the commit was first, and its answer is there; or it finds the row no longer
//! its own and is undone. Never may anything that a key guards be committed without that write.

mod answer;
mod claim;
mod header;
mod once;
mod store;
pub mod upkeep;

pub(crate) use answer::{Answer, Withheld};
pub(crate) use claim::Claim;
pub(crate) use header::IdempotencyKey;
pub(crate) use once::Once;
