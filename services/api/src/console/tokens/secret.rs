//! A secret, shown this once: right after the token was issued, or given a new one.

use std::fmt;

use askama::Template;
use axum::http::HeaderMap;
use axum::http::header::{HOST, ORIGIN};
use chrono::{DateTime, Utc};
use serde::Deserialize;

use super::token::{Seen, Token};
use crate::console::Console;
use crate::console::frame::{Frame, Place};
use crate::console::session::SignedIn;
use crate::console::stop::Shown;
use crate::console::words::Moment;

/// A secret. It stands on one page and nowhere else.
#[derive(Deserialize)]
#[serde(transparent)]
pub(super) struct Secret(String);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

/// A token with its secret, as the management API gives it.
#[derive(Debug, Deserialize)]
pub(super) struct WithSecret {
    /// The secret; none in an answer that is given again too late.
    token: Option<Secret>,
    /// Why there is none.
    withheld: Option<String>,
    #[serde(flatten)]
    view: Token,
}

impl WithSecret {
    /// When the secret was made.
    pub(super) const fn changed_at(&self) -> DateTime<Utc> {
        self.view.updated_at
    }
}

/// What a rotation says beside the secret.
#[derive(Debug)]
pub(super) struct Rotation {
    /// Until when the earlier secrets work; none if they ended at once.
    pub(super) grace_until: Option<DateTime<Utc>>,
}

#[derive(Template)]
#[template(path = "console/tokens/secret.html")]
struct Page {
    frame: Frame,
    seen: Seen,
    secret: Option<Secret>,
    withheld: &'static str,
    /// Of the console's own host, as the browser knows it.
    origin: String,
    rotation: Option<Rotation>,
}

impl Page {
    fn grace(&self) -> Option<Moment> {
        let until = self.rotation.as_ref()?.grace_until?;
        Some(self.seen.moment(until))
    }

    fn curl(&self) -> String {
        let secret = self.secret.as_ref().map_or("", |secret| secret.0.as_str());
        format!(
            "curl --header 'Authorization: Bearer {secret}' \\\n  {}/v1/whoami",
            self.origin
        )
    }
}

/// Shows a secret, or why there is none any more.
pub(super) fn page(
    console: &Console,
    signed_in: &SignedIn,
    headers: &HeaderMap,
    issued: WithSecret,
    rotation: Option<Rotation>,
) -> Shown {
    let title = match (&issued.token, &rotation) {
        (None, _) => "The secret is not shown again",
        (Some(_), None) => "Token issued",
        (Some(_), Some(_)) => "New secret",
    };
    let withheld = why(issued.withheld.as_deref());
    crate::console::stop::page(&Page {
        frame: Frame::new(signed_in, Place::Tokens, title),
        seen: Seen {
            token: issued.view,
            now: console.app.now(),
        },
        secret: issued.token,
        withheld,
        origin: origin(headers, console.app.policy.scheme),
        rotation,
    })
}

fn why(withheld: Option<&str>) -> &'static str {
    match withheld {
        Some("TOO_LATE") => "More than ten minutes have gone since it was made.",
        Some("SEAL_KEY_GONE") => "The key that it was kept with for a moment is not here any more.",
        _ => "It was shown once, and this installation keeps no secret for even a moment.",
    }
}

/// Where the browser finds this host: what it said of the form, or else what it asked for.
fn origin(headers: &HeaderMap, scheme: &str) -> String {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let origin = text(ORIGIN).filter(|origin| origin.starts_with("http"));
    match (origin, text(HOST)) {
        (Some(origin), _) => origin.to_owned(),
        (None, Some(host)) => format!("{scheme}://{host}"),
        (None, None) => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn the_command_goes_where_the_browser_went() {
        let mut headers = HeaderMap::new();
        headers.insert(HOST, HeaderValue::from_static("10.0.0.7:8080"));
        assert_eq!(origin(&headers, "http"), "http://10.0.0.7:8080");
        let proxied = HeaderValue::from_static("https://keys.example.org");
        headers.insert(ORIGIN, proxied);
        assert_eq!(origin(&headers, "http"), "https://keys.example.org");
        headers.insert(ORIGIN, HeaderValue::from_static("null"));
        assert_eq!(origin(&headers, "http"), "http://10.0.0.7:8080");
    }

    #[test]
    fn a_secret_is_not_in_what_is_logged() {
        let secret = Secret("tk_live_something".to_owned());
        assert!(!format!("{secret:?}").contains("tk_live"));
    }
}
