//! Tollkeeper inside a Rust service: a [`tower::Layer`] that checks the token of each request in
//! process, from memory, and counts the request with the status and the response time that the
//! service itself came to.
//!
//! A [`Gate`] is a node as an API process is one: it keeps the tokens in use in memory, follows the
//! log of events, is named in `GET /v1/nodes`, and is waited for by whoever revokes with
//! `?wait=applied`. Its layers answer refusals as `/v1/forward-auth` does.
//!
//! ```no_run
//! use axum::{Extension, Router, routing::get};
//! use tollkeeper_tower::{Caller, Gate, GateConfig, Source};
//!
//! # async fn serve() -> Result<(), Box<dyn std::error::Error>> {
//! let source = Source::postgres("postgres://tollkeeper@db/tollkeeper");
//! let config = GateConfig::new("orders", source, "nats://nats:4222", "tk".parse()?, "spool");
//! let gate = Gate::start(config).await?;
//! let app: Router = Router::new()
//!     .route("/orders", get(async |Extension(caller): Extension<Caller>| caller.account_id().to_string()))
//!     .layer(gate.layer().scopes(["orders:read"])?);
//! // … serve `app`, with the addresses of its clients (`ConnectInfo`) …
//! gate.shutdown().await;
//! # Ok(())
//! # }
//! ```
//!
//! What is counted: **one** event for each request of a known token, refused or not. The status is
//! that of the answer's head, the time ends with it. A request whose client hangs up before is
//! counted as 499, but not counted while its token is still being read; one whose service fails or
//! panics as 500. Where a layer stands inside of another
//! of the same gate, the outer one counts.
//!
//! What it must never do: let a request pass that it could not judge, call the inner service twice,
//! or believe a header that says who somebody is.

mod api;
mod call;
mod caller;
mod config;
mod gate;
mod layer;
mod span;

pub use api::ClientError;
pub use caller::{Caller, Peer};
pub use config::{GateConfig, Source};
pub use gate::{Gate, StartError};
pub use layer::{GateLayer, Gated};
pub use tollkeeper_authn::{EngineConfig, EngineStatus, Freshness, StalePolicy};
pub use tollkeeper_domain::scope::{BadScope, Scope, ScopeSet};
pub use tollkeeper_domain::secret::{Brand, Environment};
pub use tollkeeper_runtime::settings::{BrokerSettings, NetworkList, Secret, UsageIp};
pub use tollkeeper_usage::{Drained, FullPolicy, SpoolSettings, SpoolStats};
