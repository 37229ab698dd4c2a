//! Settings: named once, read once, checked at start.
//!
//! A value comes from the environment (`TOLLKEEPER_<NAME>`), else from a `.env` file in the working
//! folder (a convenience of development), else from the TOML file that `TOLLKEEPER_CONFIG` names,
//! else from the default. A secret may instead be given as a path, `TOLLKEEPER_<NAME>_FILE`.
//! Everything arrives as text and each type parses its own text, so an all-digit operator key stays
//! a key and a size may be written `256MiB` in every source alike.
//!
//! A typed struct per concern reads what it needs; [`registry::ALL`] lists every setting and is
//! what `docs/configuration.md` and `.env.example` are generated from. A `TOLLKEEPER_` name that is
//! not in the registry stops the start: it is a typing error, and the setting that was meant would
//! silently keep its default.

mod error;
mod layers;
mod names;
mod source;

pub mod reference;
pub mod registry;
pub mod values;

mod audit;
mod broker;
mod client;
mod console;
mod database;
mod jwt;
mod leaks;
mod listen;
mod log;
mod operators;
mod seal;
mod spool;
mod tokens;
mod traces;
mod usage;
mod verification;
mod webhooks;

pub use audit::AuditSettings;
pub use broker::{BrokerSettings, StreamSettings};
pub use client::{ApiUrl, ApiUrlError, ClientSettings};
pub use console::{OidcSettings, console_url};
pub use database::DatabaseSettings;
pub use error::SettingsError;
pub use jwt::{JwksSource, JwksSourceError, JwtKeys, JwtSettings, fetched_url};
pub use leaks::{LeakPolicy, LeakSettings};
pub use listen::{InternalListenSettings, ListenSettings, TlsFiles};
pub use log::{LogFormat, LogSettings};
pub use names::{Binary, DefaultValue, Setting};
pub use operators::{OperatorKey, OperatorSettings};
pub use seal::{SealKey, SealSettings};
pub use source::Source;
pub use spool::{SpoolFull, SpoolSettings};
pub use tokens::TokenSettings;
pub use traces::{OtlpEndpoint, OtlpEndpointError, Ratio, TraceSettings};
pub use usage::{UsageIp, UsageSettings};
pub use values::{ByteSize, NetworkList, Secret};
pub use verification::{StalePolicy, VerificationSettings};
pub use webhooks::WebhookSettings;

/// Whether a key may have this name, which logs and rows show.
fn well_named(name: &str) -> bool {
    let allowed = |byte: u8| {
        byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'_' | b'.')
    };
    (1..=50).contains(&name.len()) && name.bytes().all(allowed)
}
