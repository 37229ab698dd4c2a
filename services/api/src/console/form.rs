//! Forms that a page of our own sent, and no other: a browser says where a form comes from, and each form of
//! somebody who is signed in carries a token that other pages cannot read.

use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::header::{HOST, ORIGIN};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName};
use http_body_util::{BodyExt, Limited};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use subtle::ConstantTimeEq;

use super::Console;
use super::asker::Asker;
use super::session::SignedIn;
use super::stop::Stop;
use crate::http::body::MAX_BODY_BYTES;
use crate::http::problem::Problem;

/// Where a browser says that a request comes from (Fetch Metadata).
const FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// A form of somebody who is signed in.
#[derive(Debug)]
pub(super) struct Form<T> {
    /// Who sent it.
    pub(super) signed_in: SignedIn,
    /// What it says.
    pub(super) fields: T,
}

/// A form of somebody who need not be signed in.
#[derive(Debug)]
pub(super) struct OpenForm<T>(pub(super) T);

#[derive(Debug, Deserialize)]
struct Token {
    #[serde(default)]
    form_token: String,
}

impl<T: DeserializeOwned> FromRequest<Console> for Form<T> {
    type Rejection = Stop;

    async fn from_request(request: Request, console: &Console) -> Result<Self, Stop> {
        let (mut parts, body) = request.into_parts();
        let text = text(&parts, body).await?;
        Asker::sent(&parts, &text);
        let signed_in = SignedIn::from_request_parts(&mut parts, console).await?;
        let Token { form_token } = fields(&text)?;
        let expected = signed_in.form_token.as_bytes();
        if !bool::from(expected.ct_eq(form_token.as_bytes())) {
            return Err(not_ours().into());
        }
        let fields = fields(&text)?;
        Ok(Self { signed_in, fields })
    }
}

impl<T: DeserializeOwned> FromRequest<Console> for OpenForm<T> {
    type Rejection = Stop;

    async fn from_request(request: Request, _: &Console) -> Result<Self, Stop> {
        let (parts, body) = request.into_parts();
        let text = text(&parts, body).await?;
        Ok(Self(fields(&text)?))
    }
}

async fn text(parts: &Parts, body: axum::body::Body) -> Result<Vec<u8>, Stop> {
    if !is_from_here(&parts.headers) {
        return Err(not_ours().into());
    }
    let body = Limited::new(body, MAX_BODY_BYTES).collect().await;
    let body = body.map_err(|_| Problem::too_large(MAX_BODY_BYTES))?;
    Ok(body.to_bytes().to_vec())
}

fn fields<T: DeserializeOwned>(text: &[u8]) -> Result<T, Problem> {
    serde_html_form::from_bytes(text).map_err(|error| {
        let detail = format!("the form cannot be accepted: {error}");
        Problem::bad_request("INVALID_FORM", detail)
    })
}

fn not_ours() -> Problem {
    let detail = "this form does not come from a page of yours here; go back, load it again and send it again";
    Problem::forbidden("FOREIGN_FORM", detail)
}

/// Whether a browser says that the form comes from this host. What says nothing is no browser of this age.
fn is_from_here(headers: &HeaderMap) -> bool {
    let text = |name: &HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    match (text(&FETCH_SITE), text(&ORIGIN), text(&HOST)) {
        (Some(site), _, _) => site == "same-origin",
        (None, Some(origin), Some(host)) => {
            let named = origin.split_once("://").map(|(_, rest)| rest);
            named == Some(host)
        }
        (None, _, _) => false,
    }
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn says(pairs: &[(&'static str, &'static str)]) -> bool {
        let pairs = pairs.iter().map(|(name, value)| {
            let name = HeaderName::from_static(name);
            (name, HeaderValue::from_static(value))
        });
        is_from_here(&pairs.collect())
    }

    #[test]
    fn a_form_comes_from_this_host_or_is_refused() {
        let host = ("host", "keys.example.org");
        let own = ("origin", "https://keys.example.org");
        let other = ("origin", "https://keys.example.org.evil.example");
        assert!(says(&[host, own]));
        assert!(says(&[host, ("sec-fetch-site", "same-origin")]));
        assert!(!says(&[host, other]));
        assert!(!says(&[host, ("origin", "null")]));
        assert!(!says(&[host]));
        for site in ["same-site", "cross-site", "none"] {
            assert!(!says(&[host, own, ("sec-fetch-site", site)]), "{site}");
        }
    }
}
