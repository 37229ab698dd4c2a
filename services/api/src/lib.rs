//! The HTTP API: management of tokens and accounts, and verification.
//!
//! HTTP only: rules are in `domain`, the log in `event-store`, queries in `read-model`, checks in
//! `authn`, usage in `usage`.

mod accounts;
mod app;
pub mod audit;
pub mod background;
mod caller;
mod commands;
mod console;
mod dead_letters;
pub mod event_traces;
pub mod ext_authz;
mod front;
pub mod history;
mod http;
pub mod idempotency;
pub mod leaks;
pub mod listener;
mod measures;
mod nodes;
mod oauth;
mod openapi;
mod public_event;
mod quotas;
mod rate_limits;
pub mod readiness;
pub mod relay;
pub mod replica;
mod router;
pub mod seal;
pub mod settings;
mod tokens;
mod usage;
mod verification;
pub mod webhooks;
mod whoami;

pub use app::{App, Parts, Policy};
pub use caller::jwks::{BadSet, CannotLoad, Keys};
pub use caller::jwt::{JwtPolicy, SignedBy};
pub use commands::{Audience, Commands};
pub use console::Provider;
pub use measures::{Measures, Operation};
pub use nodes::Roll;
pub use openapi::document as openapi_document;
pub use verification::account::AccountReads;
