//! The management API as a client has it, within the process: a page asks it in the name of whoever is
//! signed in, and is told no more and refused no less than they would be.

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::http::header::{CONTENT_TYPE, HeaderName, IF_MATCH};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, Method};
use axum::response::Response;
use http_body_util::BodyExt;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tollkeeper_check::REQUEST_ID;
use tower::ServiceExt;

use super::refused::Refused;
use super::session::Person;
use super::stop::Stop;
use crate::audit::Continued;
use crate::http::client::Peer;
use crate::http::problem::Problem;

/// By which the API takes one change for the same as another.
const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// What a request says of where it comes from.
const FORWARDED_FOR: &str = "x-forwarded-for";

/// The API, for one person and one request of theirs.
#[derive(Debug, Clone)]
pub(super) struct Api {
    router: Router,
    person: Person,
    peer: Option<Peer>,
    headers: HeaderMap,
}

impl Api {
    /// Asks in the name of `person`, who sent the request with these parts.
    pub(super) fn new(router: Router, person: Person, parts: &Parts) -> Self {
        let mut headers = HeaderMap::new();
        for name in [FORWARDED_FOR, REQUEST_ID] {
            for value in parts.headers.get_all(name) {
                headers.append(name, value.clone());
            }
        }
        let id = parts.extensions.get::<crate::http::request_id::RequestId>();
        if let Some(Ok(id)) = id.map(|id| HeaderValue::from_str(&id.0)) {
            headers.insert(REQUEST_ID, id);
        }
        Self {
            router,
            person,
            peer: parts.extensions.get::<Peer>().copied(),
            headers,
        }
    }

    /// Reads `path` with a query, of which what is `None` is left out.
    ///
    /// # Errors
    /// What the API refuses, or an answer that is not of this form.
    pub(super) async fn get<T: DeserializeOwned>(
        &self,
        path: &str,
        query: &impl Serialize,
    ) -> Result<T, Stop> {
        read(self.answer(path, query).await?).await
    }

    /// The same, to be passed on as it comes: of an export.
    ///
    /// # Errors
    /// What the API refuses.
    pub(super) async fn answer(
        &self,
        path: &str,
        query: &impl Serialize,
    ) -> Result<Response, Stop> {
        let uri = asked(path, query)?;
        self.ask(Request::get(uri), Body::empty()).await
    }

    /// The same, as a further page of what was asked for before.
    ///
    /// # Errors
    /// What the API refuses.
    pub(super) async fn continued(
        &self,
        path: &str,
        query: &impl Serialize,
    ) -> Result<Response, Stop> {
        let request = Request::get(asked(path, query)?).extension(Continued);
        self.ask(request, Body::empty()).await
    }

    /// Begins a change of what is at `path`.
    pub(super) fn change(&self, method: Method, path: &str) -> Change<'_> {
        let request = Request::builder().method(method).uri(path);
        Change { api: self, request }
    }

    async fn ask(
        &self,
        request: axum::http::request::Builder,
        body: Body,
    ) -> Result<Response, Stop> {
        let mut request = request.body(body).map_err(Problem::internal)?;
        let headers = request.headers_mut();
        headers.extend(self.headers.clone());
        let extensions = request.extensions_mut();
        extensions.insert(self.person.clone());
        if let Some(peer) = self.peer {
            extensions.insert(peer);
        }
        let response = match self.router.clone().oneshot(request).await {
            Ok(response) => response,
            Err(never) => match never {},
        };
        if response.status().is_success() {
            Ok(response)
        } else {
            Err(Refused::read(response).await.into())
        }
    }
}

/// A change that is being asked for.
#[derive(Debug)]
#[must_use]
pub(super) struct Change<'a> {
    api: &'a Api,
    request: axum::http::request::Builder,
}

impl Change<'_> {
    /// The same change as any other with this key.
    pub(super) fn once(mut self, key: &str) -> Self {
        self.request = self.request.header(IDEMPOTENCY_KEY, key);
        self
    }

    /// Only if the version is still this one.
    pub(super) fn of_version(mut self, version: u64) -> Self {
        self.request = self.request.header(IF_MATCH, format!("\"{version}\""));
        self
    }

    /// Asks for it, with this body.
    ///
    /// # Errors
    /// What the API refuses, or an answer that is not of this form.
    pub(super) async fn with<T: DeserializeOwned>(self, body: &impl Serialize) -> Result<T, Stop> {
        let body = serde_json::to_vec(body).map_err(Problem::internal)?;
        let request = self.request.header(CONTENT_TYPE, "application/json");
        read(self.api.ask(request, Body::from(body)).await?).await
    }

    /// Asks for it, without a body.
    ///
    /// # Errors
    /// What the API refuses, or an answer that is not of this form.
    pub(super) async fn plain<T: DeserializeOwned>(self) -> Result<T, Stop> {
        read(self.api.ask(self.request, Body::empty()).await?).await
    }
}

fn asked(path: &str, query: &impl Serialize) -> Result<String, Problem> {
    let query = serde_html_form::to_string(query).map_err(Problem::internal)?;
    Ok(match query.as_str() {
        "" => path.to_owned(),
        query => format!("{path}?{query}"),
    })
}

/// An answer without a body is read as `null`.
async fn read<T: DeserializeOwned>(response: Response) -> Result<T, Stop> {
    let body = response.into_body().collect().await;
    let body = body.map_err(Problem::internal)?.to_bytes();
    let body: &[u8] = if body.is_empty() { b"null" } else { &body };
    Ok(serde_json::from_slice(body).map_err(Problem::internal)?)
}
