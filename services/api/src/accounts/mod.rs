//! Accounts, one file per operation.

pub(crate) mod change;
pub(crate) mod delete;
pub(crate) mod get;
pub(crate) mod list;
pub(crate) mod quotas;
pub(crate) mod refill;
pub(crate) mod register;
pub(crate) mod suspend;
mod view;

pub(crate) use view::AccountView;
