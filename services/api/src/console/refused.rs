//! A refusal, of the management API or of the console itself, as the page that asked takes it: beside the field
//! that is wrong, or as a page of its own, which is made here. Who is signed in keeps the way to the other pages;
//! others learn nothing but where they sign in.

use askama::Template;
use axum::body::Body;
use axum::extract::Request;
use axum::http::{Method, StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use http_body_util::BodyExt;
use serde::Deserialize;

use super::asker::{Asker, Sent};
use super::frame::Frame;

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

/// The page is made where it is known who asks: see [`page`].
impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let mut response = self.status().into_response();
        response.extensions_mut().insert(self);
        response
    }
}

/// Whether an answer says that something is not so, and is no page: a refusal of the API, a problem, or what
/// the router says by itself.
pub(super) fn is_refusal(response: &Response) -> bool {
    let status = response.status();
    let kind = response.headers().get(header::CONTENT_TYPE);
    let is_page = kind.is_some_and(|kind| kind.as_bytes().starts_with(b"text/html"));
    (status.is_client_error() || status.is_server_error()) && !is_page
}

/// What was asked, as far as the page about a refusal tells of it.
#[derive(Debug)]
pub(super) struct Asked {
    asker: Asker,
    method: Method,
    /// With its query.
    path: String,
}

impl Asked {
    /// Has the request take along in whose name it is, once that is known.
    pub(super) fn of(request: &mut Request) -> Self {
        let asker = Asker::default();
        request.extensions_mut().insert(asker.clone());
        let path = request.uri().path_and_query();
        Self {
            asker,
            method: request.method().clone(),
            path: path.map(ToString::to_string).unwrap_or_default(),
        }
    }
}

#[derive(Template)]
#[template(path = "console/refused.html")]
struct Page<'a> {
    frame: Frame,
    refused: &'a Refused,
    text: &'a str,
    /// What may help, where it is our own fault.
    again: Option<Again<'a>>,
}

/// How the same is asked again.
struct Again<'a> {
    path: &'a str,
    is_form: bool,
    /// What a form sent, where it may be shown.
    sent: Option<&'a Sent>,
}

impl<'a> Page<'a> {
    fn new(refused: &'a Refused, asked: &'a Asked) -> Self {
        let (title, text) = words(refused);
        let again = Again {
            path: &asked.path,
            is_form: asked.method == Method::POST,
            sent: asked.asker.form(),
        };
        Self {
            frame: Frame::nowhere(asked.asker.known(), title),
            refused,
            text,
            again: refused.status().is_server_error().then_some(again),
        }
    }
}

/// A refusal for people: what it is called, and what to think of it.
fn words(refused: &Refused) -> (&str, &str) {
    match refused.status {
        404 => (
            "Page not found",
            "There is nothing at this address, or it is not yours to see.",
        ),
        405 => (
            "Method not allowed",
            "This address does not take what was sent to it. If a form of the console has led here, load it \
            again and send it again.",
        ),
        503 => (
            "The console cannot answer now",
            "It does not reach its database, or something else that it needs. Whoever is signed in stays so, and \
            all goes on by itself once that is back.",
        ),
        _ => (&refused.title, &refused.detail),
    }
}

/// The page about a refusal, with what the answer says beside: when to try again, and its request id.
pub(super) async fn page(mut response: Response, asked: &Asked) -> Response {
    let taken = response.extensions_mut().remove::<Refused>();
    let mut headers = response.headers().clone();
    let refused = match taken {
        Some(refused) => refused,
        None => Refused::read(response).await,
    };
    let text = Page::new(&refused, asked).render();
    let mut page = match text {
        Ok(text) => (refused.status(), Html(text)).into_response(),
        Err(_) => (refused.status(), refused.title).into_response(),
    };
    headers.remove(header::CONTENT_TYPE);
    headers.remove(header::CONTENT_LENGTH);
    page.headers_mut().extend(headers);
    page
}
