//! Envoy's `ext_authz` over gRPC, `envoy.service.auth.v3.Authorization/Check`, on a listener of its
//! own: forward-auth's check, asked and answered in Envoy's messages.
//!
//! What is demanded comes from the `context_extensions` of Envoy's own configuration, never from a
//! header: those are the client's. A refusal is an answer and not an error of the call, also when
//! nothing can be known, because Envoy can be told to let requests pass when a call fails.

mod answer;
mod check;
mod codec;
mod listener;
mod messages;
mod question;

pub use listener::serve;
