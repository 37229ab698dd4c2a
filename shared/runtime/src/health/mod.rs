//! Health: what is alive, what is ready, and the internal listener that says so.

mod components;
mod server;

pub use components::{Health, Need, ReadinessHandle, State};
pub use server::{BindError, InternalServer};
