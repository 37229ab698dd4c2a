//! What every Tollkeeper process needs around its own work: settings, connections, the internal
//! listener with health and metrics, and a life that starts, drains and ends in order.
//!
//! Nothing here knows what a token is.

pub mod database;
pub mod health;
pub mod lifecycle;
pub mod logging;
pub mod metrics;
pub mod nats;
pub mod settings;
pub mod tls;
pub mod traces;
