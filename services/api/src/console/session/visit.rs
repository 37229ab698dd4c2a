//! Whoever asks for a page, signed in or not: where they come from, with what browser.

use std::convert::Infallible;
use std::net::IpAddr;

use axum::extract::FromRequestParts;
use axum::http::HeaderMap;
use axum::http::header::USER_AGENT;
use axum::http::request::Parts;

use super::browser;
use crate::audit;
use crate::console::Console;
use crate::http::client;
use crate::http::request_id::RequestId;

/// What is known of a request before it is known whose it is.
#[derive(Debug)]
pub(in crate::console) struct Visit {
    /// As they came.
    pub(in crate::console) headers: HeaderMap,
    /// Where it comes from, where that is known.
    pub(in crate::console) address: Option<IpAddr>,
    /// By which it is found in the log.
    pub(in crate::console) request_id: String,
}

impl Visit {
    /// The network that it comes from, as far as addresses are kept.
    pub(in crate::console) fn network(&self, console: &Console) -> Option<String> {
        audit::network(self.address, console.app.policy.usage_ip)
    }

    /// The browser, for people: `Firefox on Linux`.
    pub(in crate::console) fn browser(&self) -> String {
        let agent = self.headers.get(USER_AGENT);
        browser::name(agent.and_then(|it| it.to_str().ok()).unwrap_or_default())
    }
}

impl FromRequestParts<Console> for Visit {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, console: &Console) -> Result<Self, Infallible> {
        let id = parts.extensions.get::<RequestId>();
        Ok(Self {
            address: client::address(&parts.headers, &parts.extensions, &console.app),
            headers: parts.headers.clone(),
            request_id: id.map(|id| id.0.clone()).unwrap_or_default(),
        })
    }
}
