//! How a check that lets nobody pass is answered.

use std::borrow::Cow;

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Response, StatusCode, header};
use tollkeeper_domain::verdict::Verdict;

use crate::problem::Document;
use crate::request_id::REQUEST_ID;

/// The header that says why a token may not pass.
pub const CODE: HeaderName = HeaderName::from_static("x-tollkeeper-code");

/// How long a client should wait before it tries again what cannot be done now, in seconds.
const RETRY_AFTER: HeaderValue = HeaderValue::from_static("2");

/// A refusal, of a check or of an operation that needs a caller.
#[derive(Debug, Clone)]
pub struct Refusal {
    /// The status of the answer.
    pub status: StatusCode,
    /// What is wrong, for programs.
    pub code: &'static str,
    /// What kind of error it is, for people.
    pub title: &'static str,
    /// What is wrong, for people. Holds nothing that the client has sent.
    pub detail: Cow<'static, str>,
    /// What the answer carries beside its body.
    pub headers: Vec<(HeaderName, HeaderValue)>,
}

impl Refusal {
    fn new(
        status: StatusCode,
        code: &'static str,
        title: &'static str,
        detail: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self {
            status,
            code,
            title,
            detail: detail.into(),
            headers: Vec::new(),
        }
    }

    /// 401: no credential. Carries the bare challenge of RFC 6750, section 3.1.
    #[must_use]
    pub fn unauthenticated() -> Self {
        let detail =
            "give an API token or a JWT as `Authorization: Bearer`, or a key as `X-API-Key`";
        let title = "Credentials are needed";
        Self::new(StatusCode::UNAUTHORIZED, "UNAUTHENTICATED", title, detail).with(
            header::WWW_AUTHENTICATE,
            HeaderValue::from_static("Bearer realm=\"tollkeeper\""),
        )
    }

    /// 401: a credential that does not work.
    #[must_use]
    pub fn bad_credential(code: &'static str, detail: impl Into<Cow<'static, str>>) -> Self {
        let challenge = "Bearer realm=\"tollkeeper\", error=\"invalid_token\"";
        let title = "The credential does not work";
        Self::new(StatusCode::UNAUTHORIZED, code, title, detail).with(
            header::WWW_AUTHENTICATE,
            HeaderValue::from_static(challenge),
        )
    }

    /// 401: a JWT where only API tokens are taken.
    #[must_use]
    pub fn jwt() -> Self {
        Self::bad_credential(Verdict::Malformed.code(), "this takes API tokens, not JWTs")
    }

    /// 403: a scope is missing.
    #[must_use]
    pub fn missing_scope(scope: &str) -> Self {
        let detail = format!("this needs the scope `{scope}`");
        let code = Verdict::InsufficientScope.code();
        let refusal = Self::forbidden(code, detail);
        let challenge =
            format!("Bearer realm=\"tollkeeper\", error=\"insufficient_scope\", scope=\"{scope}\"");
        match HeaderValue::from_str(&challenge) {
            Ok(challenge) => refusal.with(header::WWW_AUTHENTICATE, challenge),
            Err(_) => refusal,
        }
    }

    /// 403: the caller may not do this.
    #[must_use]
    pub fn forbidden(code: &'static str, detail: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::FORBIDDEN, code, "Not allowed", detail)
    }

    /// 503: it cannot be done now.
    #[must_use]
    pub fn unavailable() -> Self {
        let detail = "this cannot be done now; try again";
        let code = Verdict::Unavailable.code();
        Self::new(StatusCode::SERVICE_UNAVAILABLE, code, "Unavailable", detail)
            .with(header::RETRY_AFTER, RETRY_AFTER)
    }

    /// 429, or the status that stands for it: a rate limit or a quota is used up.
    #[must_use]
    pub fn used_up(verdict: Verdict, status: StatusCode) -> Self {
        let detail = "what may be done with the token is used up";
        Self::new(status, verdict.code(), "Too many requests", detail)
    }

    /// What a token is answered that may not pass: by `status`, which is the verdict's own unless a
    /// proxy understands no other; `scopes` are those asked for, with spaces between.
    #[must_use]
    pub fn of(verdict: Verdict, status: u16, scopes: &str) -> Self {
        let refusal = match StatusCode::from_u16(status) {
            Ok(StatusCode::UNAUTHORIZED) => {
                Self::bad_credential(verdict.code(), "the token is not accepted")
            }
            Ok(status) if matches!(verdict, Verdict::RateLimited | Verdict::QuotaExceeded) => {
                Self::used_up(verdict, status)
            }
            Ok(StatusCode::FORBIDDEN) if verdict == Verdict::InsufficientScope => {
                Self::missing_scope(scopes)
            }
            Ok(StatusCode::FORBIDDEN) if verdict == Verdict::IpNotAllowed => {
                let detail = "the token is not allowed from this address";
                Self::forbidden(verdict.code(), detail)
            }
            Ok(StatusCode::FORBIDDEN) => {
                Self::forbidden(verdict.code(), "the token may not do this")
            }
            Ok(StatusCode::TOO_MANY_REQUESTS) => Self::new(
                StatusCode::TOO_MANY_REQUESTS,
                verdict.code(),
                "Too many requests",
                "a limit of the token is used up",
            ),
            _ => Self::unavailable()
                .with(header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
        };
        refusal.told(verdict)
    }

    /// The same with the code of the verdict in a header, for proxies that drop the body.
    #[must_use]
    pub fn told(self, verdict: Verdict) -> Self {
        self.with(CODE, HeaderValue::from_static(verdict.code()))
    }

    /// Adds a header.
    #[must_use]
    pub fn with(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.push((name, value));
        self
    }

    /// The answer to the request with this id.
    #[must_use]
    pub fn answer(&self, request_id: &str) -> Response<Bytes> {
        let document = Document {
            r#type: Document::type_of(self.code),
            title: self.title,
            status: self.status.as_u16(),
            detail: &self.detail,
            code: self.code,
            request_id,
            errors: &[],
        };
        // Texts and a number always become JSON; the status says enough if not.
        let body = serde_json::to_vec(&document).unwrap_or_default();
        let mut response = Response::new(Bytes::from(body));
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        let kind = HeaderValue::from_static(Document::MEDIA_TYPE);
        headers.insert(header::CONTENT_TYPE, kind);
        for (name, value) in &self.headers {
            headers.append(name, value.clone());
        }
        if let Ok(id) = HeaderValue::from_str(request_id) {
            headers.insert(REQUEST_ID, id);
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_verdict_but_one_has_its_answer() {
        for verdict in Verdict::ALL {
            if verdict == Verdict::Valid {
                continue;
            }
            let refusal = Refusal::of(verdict, verdict.status(), "orders:read");
            let answer = refusal.answer("request-1");
            let headers = answer.headers();
            assert_eq!(headers[CODE], verdict.code());
            assert_eq!(headers[header::CONTENT_TYPE], "application/problem+json");
            assert_eq!(headers[REQUEST_ID], "request-1");
            let challenged = headers.contains_key(header::WWW_AUTHENTICATE);
            let status = answer.status().as_u16();
            assert_eq!(status, verdict.status());
            assert_eq!(
                challenged,
                status == 401 || verdict == Verdict::InsufficientScope
            );
            let body: serde_json::Value = serde_json::from_slice(answer.body()).unwrap();
            assert_eq!(body["status"], status);
            assert_eq!(status, verdict.status());
            assert_eq!(body["code"], verdict.code());
            assert_eq!(body["request_id"], "request-1");
        }
    }

    #[test]
    fn a_scope_that_no_header_can_carry_is_refused_all_the_same() {
        let refusal = Refusal::missing_scope("a\nb");
        assert_eq!(refusal.status, StatusCode::FORBIDDEN);
        assert!(refusal.headers.is_empty());
    }
}
