//! Errors as clients see them: `application/problem+json` (RFC 9457) with a stable `code`, the
//! request's id and a JSON pointer (RFC 6901) for each bad field.
//!
//! A server fault says nothing about its inside; that is logged once, where the answer is made.

mod answer;
mod fields;

use std::any::Any;
use std::fmt::Display;

use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use tollkeeper_check::{BadCredential, Refusal};
use tollkeeper_domain::verdict::Verdict;
use tollkeeper_usage::Scrubber;

pub(crate) use tollkeeper_check::{Document, FieldError};

pub(crate) use self::answer::OAuthDocument;
pub(crate) use self::fields::FieldErrors;
use self::fields::{camel_case, scrubbed};

/// An error on its way to the client. Boxed, because results are moved about far more often than
/// they are errors.
#[derive(Debug, Clone)]
pub(crate) struct Problem(Box<Inner>);

#[derive(Debug, Clone)]
struct Inner {
    status: StatusCode,
    code: &'static str,
    title: &'static str,
    detail: String,
    errors: Vec<FieldError>,
    headers: Vec<(HeaderName, HeaderValue)>,
    /// For the log alone.
    inside: Option<String>,
    /// Written as OAuth clients read it, instead of as a problem.
    oauth: bool,
}

/// The code of a token that is bound to networks, from somewhere else.
const IP_NOT_ALLOWED: &str = Verdict::IpNotAllowed.code();

/// How long a client should wait before it tries again what we cannot do now, in seconds.
const RETRY_AFTER: HeaderValue = HeaderValue::from_static("2");

impl Problem {
    fn new(
        status: StatusCode,
        code: &'static str,
        title: &'static str,
        detail: impl Display,
    ) -> Self {
        Self(Box::new(Inner {
            status,
            code,
            title,
            detail: detail.to_string(),
            errors: Vec::new(),
            headers: Vec::new(),
            inside: None,
            oauth: false,
        }))
    }

    /// 400: the request cannot be understood.
    pub(crate) fn bad_request(code: &'static str, detail: impl Display) -> Self {
        Self::new(
            StatusCode::BAD_REQUEST,
            code,
            "The request cannot be understood",
            detail,
        )
    }

    /// 401: no credential.
    pub(crate) fn unauthenticated() -> Self {
        Refusal::unauthenticated().into()
    }

    /// 401: a credential that does not work.
    pub(crate) fn bad_credential(code: &'static str, detail: impl Display) -> Self {
        Refusal::bad_credential(code, detail.to_string()).into()
    }

    /// 403: a scope is missing.
    pub(crate) fn missing_scope(scope: &str) -> Self {
        Refusal::missing_scope(scope).into()
    }

    /// 403: the caller may not do this.
    pub(crate) fn forbidden(code: &'static str, detail: impl Display) -> Self {
        Refusal::forbidden(code, detail.to_string()).into()
    }

    /// 403: a token that is bound to networks, from somewhere else.
    pub(crate) fn ip_not_allowed(detail: &str) -> Self {
        Self::forbidden(IP_NOT_ALLOWED, detail)
    }

    /// 404: not there, or not the caller's.
    pub(crate) fn not_found(what: &str) -> Self {
        let detail = format!("there is no such {what}");
        Self::new(StatusCode::NOT_FOUND, "NOT_FOUND", "Not found", detail)
    }

    /// 405: the path is there, but not for this method.
    pub(crate) fn method_not_allowed() -> Self {
        let title = "Method not allowed";
        let detail = "this path does not take this method";
        Self::new(
            StatusCode::METHOD_NOT_ALLOWED,
            "METHOD_NOT_ALLOWED",
            title,
            detail,
        )
    }

    /// 409: it does not fit what is.
    pub(crate) fn conflict(code: &'static str, detail: impl Display) -> Self {
        Self::new(
            StatusCode::CONFLICT,
            code,
            "It does not fit the present state",
            detail,
        )
    }

    /// 409: another request with this idempotency key is under way.
    pub(crate) fn in_flight() -> Self {
        let detail = "another request with this `Idempotency-Key` is under way";
        Self::conflict("REQUEST_IN_FLIGHT", detail).with_retry()
    }

    /// 412: the caller has seen another version.
    pub(crate) fn version_mismatch(current: u64) -> Self {
        let detail = format!("the version is {current} by now; read it again before you change it");
        Self::new(
            StatusCode::PRECONDITION_FAILED,
            "VERSION_MISMATCH",
            "It has changed",
            detail,
        )
    }

    /// 413: too much of it.
    pub(crate) fn too_large(limit: usize) -> Self {
        let detail = format!("a body has at most {limit} bytes");
        let title = "The body is too large";
        Self::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "BODY_TOO_LARGE",
            title,
            detail,
        )
    }

    /// 415: not JSON.
    pub(crate) fn not_json() -> Self {
        let detail = "send JSON with `Content-Type: application/json`";
        let title = "Unsupported media type";
        Self::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "UNSUPPORTED_MEDIA_TYPE",
            title,
            detail,
        )
    }

    /// 422: fields that cannot be accepted.
    pub(crate) fn bad_fields(errors: Vec<FieldError>) -> Self {
        let detail = match errors.as_slice() {
            [only] => format!("{}: {}", only.pointer, only.detail),
            several => format!("{} fields cannot be accepted", several.len()),
        };
        let title = "The body cannot be accepted";
        let status = StatusCode::UNPROCESSABLE_ENTITY;
        let mut problem = Self::new(status, "INVALID_FIELDS", title, detail);
        problem.0.errors = errors;
        problem
    }

    /// The same with the fields that it is about.
    pub(crate) fn about(mut self, errors: FieldErrors) -> Self {
        self.0.errors = errors.0;
        self
    }

    /// The same without what the scrubber takes out.
    pub(crate) fn scrubbed(mut self, scrubber: &Scrubber) -> Self {
        self.0.detail = scrubber.scrub(&self.0.detail).into_owned();
        for error in &mut self.0.errors {
            *error = scrubbed(error, scrubber);
        }
        self
    }

    /// 422: one field that cannot be accepted.
    pub(crate) fn bad_field(pointer: &str, detail: impl Display) -> Self {
        let detail = detail.to_string();
        Self::bad_fields(vec![FieldError {
            pointer: pointer.to_owned(),
            detail,
        }])
    }

    /// 422: the idempotency key belongs to another request.
    pub(crate) fn key_reused() -> Self {
        let detail = "this `Idempotency-Key` was used for another request; take a new one";
        let title = "The key belongs to another request";
        let status = StatusCode::UNPROCESSABLE_ENTITY;
        Self::new(status, "IDEMPOTENCY_KEY_REUSED", title, detail)
    }

    /// 429: as many calls of the caller's wait as may.
    pub(crate) fn too_many_waiting(most: usize) -> Self {
        let detail =
            format!("{most} calls wait for you already; leave out `wait_seconds`, or try again");
        Self::new(
            StatusCode::TOO_MANY_REQUESTS,
            "TOO_MANY_WAITING",
            "Too many requests",
            detail,
        )
        .with_retry()
    }

    /// 503: it cannot be done now, and whether it was done may not be known.
    pub(crate) fn unavailable(inside: impl Display) -> Self {
        Self::known_unavailable().because(&inside)
    }

    /// 503 by a state that is told elsewhere, once, when it begins and ends: the hot path would
    /// repeat it for every request.
    pub(crate) fn known_unavailable() -> Self {
        Refusal::unavailable().into()
    }

    /// 500: our own fault.
    pub(crate) fn internal(inside: impl Display) -> Self {
        let detail = "something went wrong on our side; the request id helps to find out what";
        let status = StatusCode::INTERNAL_SERVER_ERROR;
        Self::new(status, "INTERNAL", "Internal error", detail).because(&inside)
    }

    /// 500: a handler panicked. The panic's text stays in the log.
    pub(crate) fn panicked(panic: Box<dyn Any + Send>) -> Self {
        let text = panic
            .downcast_ref::<String>()
            .map(String::as_str)
            .or_else(|| panic.downcast_ref::<&str>().copied());
        Self::internal(text.unwrap_or("a panic without text"))
    }

    /// The same for clients that write the names of fields in camelCase: `renamed` are those that
    /// have another name altogether.
    pub(crate) fn in_camel_case(mut self, renamed: &[(&str, &str)]) -> Self {
        for error in &mut self.0.errors {
            let other = renamed.iter().find(|(from, _)| *from == error.pointer);
            error.pointer =
                other.map_or_else(|| camel_case(&error.pointer), |(_, to)| (*to).into());
        }
        if let [only] = self.0.errors.as_slice() {
            self.0.detail = format!("{}: {}", only.pointer, only.detail);
        }
        self
    }

    /// The same as OAuth clients read it: RFC 6749, section 5.2.
    pub(crate) fn in_oauth_form(mut self) -> Self {
        self.0.oauth = true;
        self.with(header::CACHE_CONTROL, HeaderValue::from_static("no-store"))
    }

    /// The same with another challenge, where it carries one.
    pub(crate) fn with_challenge(mut self, challenge: HeaderValue) -> Self {
        for (name, value) in &mut self.0.headers {
            if *name == header::WWW_AUTHENTICATE && self.0.status == StatusCode::UNAUTHORIZED {
                *value = challenge.clone();
            }
        }
        self
    }

    /// Says when it is worth another try.
    pub(crate) fn with_retry(self) -> Self {
        self.with(header::RETRY_AFTER, RETRY_AFTER)
    }

    /// Whether it is ours and not the caller's, so that what has happened may not be known.
    pub(crate) fn is_our_fault(&self) -> bool {
        self.0.status.is_server_error()
    }

    /// The status, and the code that stands for it.
    pub(crate) fn outcome(&self) -> (StatusCode, &'static str) {
        (self.0.status, self.0.code)
    }

    /// Keeps the inside for the log.
    fn because(mut self, inside: &dyn Display) -> Self {
        self.0.inside = Some(inside.to_string());
        self
    }

    /// Adds a header.
    pub(crate) fn with(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.0.headers.push((name, value));
        self
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        let Refusal {
            status,
            code,
            title,
            detail,
            headers,
        } = refusal;
        let mut problem = Self::new(status, code, title, detail);
        problem.0.headers = headers;
        problem
    }
}

/// The credentials of a request cannot be told.
impl From<BadCredential> for Problem {
    fn from(bad: BadCredential) -> Self {
        match bad {
            BadCredential::Repeated(_) | BadCredential::Two => {
                Self::bad_request("TWO_CREDENTIALS", bad)
            }
            BadCredential::Form => Self::bad_request("INVALID_HEADER", bad),
        }
    }
}

/// The database could not be asked.
impl From<sqlx::Error> for Problem {
    fn from(error: sqlx::Error) -> Self {
        match error {
            sqlx::Error::Decode(_) | sqlx::Error::ColumnDecode { .. } => Self::internal(error),
            _ => Self::unavailable(error),
        }
    }
}
