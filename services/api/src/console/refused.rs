//! A refusal of the management API, as the page that asked takes it: beside the field that is wrong, or as a
//! page of its own.

use askama::Template;
use axum::body::Body;
use axum::http::{StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use http_body_util::BodyExt;
use serde::Deserialize;

use super::assets;

/// A problem of the API (RFC 9457).
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Refused {
    /// The status of the answer.
    pub(super) status: u16,
    /// What kind of problem it is, for people.
    pub(super) title: String,
    /// What is wrong, for people.
    pub(super) detail: String,
    /// What is wrong, for programs.
    pub(super) code: String,
    /// By which the request is found in the log.
    pub(super) request_id: String,
    /// Each field of the body that cannot be accepted.
    #[serde(default)]
    pub(super) errors: Vec<Complaint>,
}

/// What is wrong with one field of a body.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Complaint {
    /// Where in the body it stands (RFC 6901).
    pub(super) pointer: String,
    /// What is wrong with it.
    pub(super) detail: String,
}

impl Refused {
    /// Reads it from an answer.
    pub(super) async fn read(response: Response<Body>) -> Self {
        let status = response.status();
        let body = response.into_body().collect().await;
        let body = body.map(|body| body.to_bytes()).unwrap_or_default();
        serde_json::from_slice(&body).unwrap_or_else(|_| Self::unknown(status))
    }

    /// What an answer without a document says.
    fn unknown(status: StatusCode) -> Self {
        let reason = status.canonical_reason().unwrap_or("Error").to_owned();
        Self {
            status: status.as_u16(),
            title: reason.clone(),
            detail: reason,
            code: String::new(),
            request_id: String::new(),
            errors: Vec::new(),
        }
    }

    /// Whether it is about what was asked, so that the form is shown again with it; else it is a page.
    pub(super) const fn is_about_input(&self) -> bool {
        matches!(self.status, 400 | 409 | 412 | 413 | 422 | 429)
    }

    /// What is wrong with the field at `pointer` or with a part of it.
    pub(super) fn about(&self, pointer: &str) -> Vec<&str> {
        let within = |it: &&Complaint| {
            let rest = it.pointer.strip_prefix(pointer);
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        let found = self.errors.iter().filter(within);
        found.map(|it| it.detail.as_str()).collect()
    }

    /// Its status.
    pub(super) fn status(&self) -> StatusCode {
        StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }
}

#[derive(Template)]
#[template(path = "console/refused.html")]
struct Page<'a> {
    refused: &'a Refused,
    style: &'a str,
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let page = Page {
            refused: &self,
            style: assets::style(),
        };
        match page.render() {
            Ok(text) => (self.status(), Html(text)).into_response(),
            Err(_) => (self.status(), self.title).into_response(),
        }
    }
}

/// The same as a page, with what the answer says beside: when to try again, and its request id.
pub(super) async fn page_of(response: Response) -> Response {
    let mut headers = response.headers().clone();
    let mut page = Refused::read(response).await.into_response();
    headers.remove(header::CONTENT_TYPE);
    headers.remove(header::CONTENT_LENGTH);
    page.headers_mut().extend(headers);
    page
}
