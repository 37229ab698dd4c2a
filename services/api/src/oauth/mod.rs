//! What OAuth clients speak: introspection (RFC 7662) and revocation (RFC 7009) of our tokens.
//!
//! Bodies are forms and errors are those of RFC 6749, section 5.2; the rest is as elsewhere: the
//! engine judges, and what is revoked is an event like any other.

mod client;
mod form;
pub(crate) mod introspect;
pub(crate) mod revoke;

use axum::http::{HeaderName, HeaderValue, header};

/// Answers about tokens are kept by nobody on the way.
const NO_STORE: [(HeaderName, HeaderValue); 1] =
    [(header::CACHE_CONTROL, HeaderValue::from_static("no-store"))];
