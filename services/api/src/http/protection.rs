//! Headers by which a browser does nothing with an answer but show it to who asked, and nobody keeps it.
//!
//! Answers are for programs, and hold tokens and names. A browser that is led to one by somebody else must
//! not take it for a page, put it into one, or tell others where it was.

use axum::extract::State;
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, REFERRER_POLICY, STRICT_TRANSPORT_SECURITY,
    X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderName, HeaderValue};
use axum::response::Response;

use crate::app::App;

const HEADERS: [(HeaderName, HeaderValue); 5] = [
    (CACHE_CONTROL, HeaderValue::from_static("no-store")),
    (
        CONTENT_SECURITY_POLICY,
        HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'"),
    ),
    (
        HeaderName::from_static("cross-origin-resource-policy"),
        HeaderValue::from_static("same-origin"),
    ),
    (REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
    (X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
];

/// For two years no browser is to ask this host in the clear (RFC 6797). A proxy that ends TLS in front of us
/// says so for itself.
const TLS_ONLY: HeaderValue = HeaderValue::from_static("max-age=63072000");

/// Adds those that the answer does not have: the page of the description has a policy of its own.
pub(crate) async fn layer(State(app): State<App>, mut response: Response) -> Response {
    let headers = response.headers_mut();
    if app.policy.scheme == "https" {
        headers.insert(STRICT_TRANSPORT_SECURITY, TLS_ONLY);
    }
    for (name, value) in HEADERS {
        headers.entry(name).or_insert(value);
    }
    response
}
