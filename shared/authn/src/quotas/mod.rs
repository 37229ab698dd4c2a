//! Quotas: how many uses of a token, or of an account, are left in the period.
//!
//! Every quota of a token, and of its account, has a balance ([`balance`]), which all entries of the
//! token or account share and which outlives them ([`store`]). A request takes of all its balances or
//! of none ([`set`]). What other nodes let through is read from the primary ([`renew`]), where the
//! ingestor counts it. Nothing in here may wait or take a lock that is held for long on the way of a
//! hit, allocate there, or forget what this node let through before the primary has counted it.

pub(crate) mod balance;
pub(crate) mod check;
mod renew;
pub(crate) mod set;
pub(crate) mod store;

pub use check::QuotaReading;
