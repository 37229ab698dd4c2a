//! Where a request of the API itself comes from.

use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr};

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{Extensions, HeaderMap};
use tollkeeper_check::Way;

use crate::app::App;
use crate::audit::Holder;

/// The other end of the connection, as an extension of each request.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Peer(pub(crate) SocketAddr);

/// Whoever sends a request.
#[derive(Debug, Clone)]
pub(crate) struct Sender {
    /// Their address, where it is known.
    pub(crate) address: Option<IpAddr>,
    /// Takes in whose credential they present.
    pub(crate) holder: Holder,
}

impl Sender {
    /// Reads it from a request.
    pub(crate) fn of(parts: &Parts, app: &App) -> Self {
        let holder = parts.extensions.get::<Holder>().cloned();
        Self {
            address: address(&parts.headers, &parts.extensions, app),
            holder: holder.unwrap_or_default(),
        }
    }
}

/// The address that a request comes from, where it is known.
pub(crate) fn address(headers: &HeaderMap, extensions: &Extensions, app: &App) -> Option<IpAddr> {
    let peer = extensions.get::<Peer>()?;
    Way::of(headers, peer.0.ip(), &app.policy.trusted_proxies).client()
}

impl FromRequestParts<App> for Sender {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Infallible> {
        Ok(Self::of(parts, app))
    }
}
