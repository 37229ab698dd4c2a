//! May the holder of this token pass? As a question of a program (`rpc`, and `batch` for many at
//! once) and as the answer to a reverse proxy (`forward_auth`, and `crate::ext_authz` for Envoy's own
//! protocol). Nothing here touches the database on a hit.
//!
//! Limits and quotas come between the check and the answer; receipts and node listings will stand
//! beside these files.

pub(crate) mod batch;
pub(crate) mod counted;
pub(crate) mod forward_auth;
pub(crate) mod options;
mod origin;
pub(crate) mod rpc;
