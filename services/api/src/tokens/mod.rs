//! Tokens, one file per operation.

mod bulk_filter;
pub(crate) mod bulk_progress;
pub(crate) mod bulk_revoke;
pub(crate) mod change;
mod fields;
mod filter;
pub(crate) mod get;
pub(crate) mod import;
pub(crate) mod issue;
pub(crate) mod list;
mod order;
pub(crate) mod quotas;
mod reason;
pub(crate) mod refill;
pub(crate) mod revoke;
pub(crate) mod rotate;
pub(crate) mod service;
pub(crate) mod suspend;
mod view;

pub(crate) use fields::networks;
pub(crate) use view::TokenView;
