//! An answer that is made before what it tells of is committed, so that it can be kept in the same
//! transaction. Its secret is never in the part that is kept in clear.

use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use tollkeeper_domain::ids::AccountId;
use utoipa::ToSchema;
use zeroize::Zeroizing;

use crate::http::version::etag;

/// A JSON object with its status and headers.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    /// The object, with null in the place of the secret.
    pub(super) body: String,
    pub(super) secret: Option<Secret>,
    /// The account whose name and e-mail address the object shows.
    pub(super) profile_of: Option<AccountId>,
}

/// The first member of the object, which must not be kept in clear.
pub(super) struct Secret {
    /// Its name.
    pub(super) member: &'static str,
    pub(super) text: Zeroizing<String>,
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Secret({})", self.member)
    }
}

/// Why an answer that is given again does not show its secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(crate) enum Withheld {
    /// It could be shown again for ten minutes.
    TooLate,
    /// There was or is no key to seal it with: `TOLLKEEPER_SEAL_KEYS` is not set.
    NoSealKey,
    /// The key that it was sealed with is not configured any more.
    SealKeyGone,
}

/// An object whose first member is not the secret that it was said to be.
#[derive(Debug, thiserror::Error)]
#[error("the secret is not where the answer says")]
struct Misplaced;

impl Answer {
    /// An answer that shows `view`.
    ///
    /// # Errors
    /// If the view cannot be written as JSON.
    pub(crate) fn new(status: StatusCode, view: &impl Serialize) -> serde_json::Result<Self> {
        let mut headers = HeaderMap::new();
        let json = HeaderValue::from_static("application/json");
        headers.insert(header::CONTENT_TYPE, json);
        Ok(Self {
            status,
            headers,
            body: serde_json::to_string(view)?,
            secret: None,
            profile_of: None,
        })
    }

    /// An answer that shows `view`, whose first member `member` is `secret`. Kept by nobody on the
    /// way.
    ///
    /// # Errors
    /// If the view cannot be written as JSON or does not begin so.
    pub(crate) fn with_secret(
        status: StatusCode,
        view: &impl Serialize,
        (member, secret): (&'static str, &str),
    ) -> serde_json::Result<Self> {
        let mut answer = Self::new(status, view)?;
        let whole = Zeroizing::new(std::mem::take(&mut answer.body));
        let shown = Zeroizing::new(start(member, &serde_json::to_string(secret)?));
        let rest = whole.strip_prefix(shown.as_str());
        let rest = rest.filter(|rest| !rest.contains(secret));
        let rest = rest.ok_or_else(|| serde::ser::Error::custom(Misplaced))?;
        answer.body = start(member, "null") + rest;
        answer.secret = Some(Secret {
            member,
            text: Zeroizing::new(secret.to_owned()),
        });
        let no_store = HeaderValue::from_static("no-store");
        answer.headers.insert(header::CACHE_CONTROL, no_store);
        Ok(answer)
    }

    /// The same with the entity tag of this version.
    pub(crate) fn tagged(mut self, version: u64) -> Self {
        self.headers.extend(etag(version));
        self
    }

    /// The same, which shows the name and the e-mail address of this account as its members `name`
    /// and `email`: they are not kept for longer than the account.
    pub(crate) fn showing_profile_of(mut self, account: AccountId) -> Self {
        self.profile_of = Some(account);
        self
    }

    /// The same with the members of another object behind its own.
    ///
    /// # Errors
    /// If these cannot be written as JSON.
    pub(crate) fn and(mut self, more: &impl Serialize) -> serde_json::Result<Self> {
        let more = serde_json::to_string(more)?;
        let members = more.trim_start_matches('{').trim_end_matches('}');
        if !members.is_empty() && self.body.ends_with('}') {
            self.body.truncate(self.body.len() - 1);
            self.body = format!("{},{members}}}", self.body);
        }
        Ok(self)
    }

    /// The same with a header more.
    pub(super) fn with(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.insert(name, value);
        self
    }
}

impl IntoResponse for Answer {
    fn into_response(self) -> Response {
        let body = match self.secret {
            Some(secret) => match serde_json::to_string(secret.text.as_str()) {
                Ok(text) => filled(&self.body, secret.member, &text),
                Err(_) => self.body,
            },
            None => self.body,
        };
        (self.status, self.headers, body).into_response()
    }
}

/// How an object begins with this member.
fn start(member: &str, json: &str) -> String {
    format!("{{\"{member}\":{json}")
}

/// The object with `json` in the place of the null that its first member is.
pub(super) fn filled(body: &str, member: &str, json: &str) -> String {
    match body.strip_prefix(&start(member, "null")) {
        Some(rest) => start(member, json) + rest,
        None => body.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Serialize)]
    struct View<'a> {
        token: &'a str,
        name: &'a str,
    }

    #[test]
    fn the_secret_is_apart_from_the_body() {
        let view = View {
            token: "tk_live_x",
            name: "ci",
        };
        let answer = Answer::with_secret(StatusCode::CREATED, &view, ("token", view.token));
        let answer = answer.unwrap().tagged(3);
        assert_eq!(answer.body, r#"{"token":null,"name":"ci"}"#);
        assert_eq!(answer.headers["etag"], "\"3\"");
        assert_eq!(answer.headers["cache-control"], "no-store");
        assert!(!format!("{answer:?}").contains("tk_live"));
        assert_eq!(
            filled(&answer.body, "token", "\"tk_live_x\""),
            serde_json::to_string(&view).unwrap()
        );
    }

    #[test]
    fn a_secret_that_stands_elsewhere_too_is_refused() {
        let view = View {
            token: "tk_live_x",
            name: "tk_live_x",
        };
        for secret in [
            ("token", "tk_live_x"),
            ("name", "tk_live_x"),
            ("token", "y"),
        ] {
            assert!(Answer::with_secret(StatusCode::OK, &view, secret).is_err());
        }
    }
}
