//! Rate limits: may this request pass, by what was let through before?
//!
//! Every limit of a token, and of its account, has a bucket ([`bucket`]), which all entries of the
//! token or account share and which outlives them ([`store`]). A request is charged to all of its
//! buckets or to none ([`set`]). Nodes tell one another what they let through ([`exchange`]). Nothing in
//! here may wait or take a lock on the way of a hit, allocate there, or go by the wall clock, which
//! somebody may set.

pub(crate) mod bucket;
pub(crate) mod check;
pub mod exchange;
mod gcra;
mod replay;
pub(crate) mod set;
mod share;
pub(crate) mod store;

pub use check::{LimitReading, Limited};
pub use replay::Replay;
pub(crate) use share::{PresentShare, Share};
