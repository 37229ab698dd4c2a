//! The nodes that answer from memory: who they are, and where a change has arrived.

pub(crate) mod forget;
pub(crate) mod list;
mod roll;
mod wait;

pub use roll::Roll;
pub(crate) use wait::{LONGEST, Receipt, Until, Wait};
