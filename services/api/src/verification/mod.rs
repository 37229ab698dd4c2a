//! May the holder of this token pass? As a question of a program (`rpc`, and `batch` for many at
//! once) and as the answer to a reverse proxy (`forward_auth`, and `crate::ext_authz` for Envoy's own
//! protocol), where `judge` does the same for both. Nothing here touches the database on a hit.
//!
//! Where a proxy asks for it, account holders' JWTs pass too: `account`.
//!
//! What rate limits and quotas have to say is put into answers by `limits`.

pub(crate) mod account;
pub(crate) mod batch;
pub(crate) mod counted;
pub(crate) mod forward_auth;
pub(crate) mod judge;
pub(crate) mod limits;
pub(crate) mod options;
mod origin;
pub(crate) mod rpc;
