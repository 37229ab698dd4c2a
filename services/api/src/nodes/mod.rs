//! The nodes that answer from memory: who they are, where a change has arrived, and what those read
//! that have no database.

pub(crate) mod balances;
pub(crate) mod events;
pub(crate) mod forget;
pub(crate) mod ledger;
pub(crate) mod list;
pub(crate) mod lookup;
pub(crate) mod mark;
mod remote;
pub(crate) mod report;
mod roll;
mod wait;

pub use roll::Roll;
pub(crate) use wait::{LONGEST, Receipt, Until, Wait};
