//! The id that a request is found by: the client's own `X-Request-Id` where it has a plain form,
//! else a new one. It is in every answer but forward-auth's 200, in every event, in every line that
//! is logged of the request, in its usage, and in its trace.

use std::borrow::Cow;

use axum::extract::{FromRequestParts, MatchedPath, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue};
use axum::middleware::Next;
use axum::response::Response;
use tollkeeper_check::{REQUEST_ID, own_request_id};
use tollkeeper_telemetry::trace::FutureExt;
use tracing::{Instrument, Span};

use super::problem::Problem;
use super::trace::Trace;
use crate::app::App;

/// The id of the request.
#[derive(Debug, Clone)]
pub(crate) struct RequestId(pub(crate) String);

impl RequestId {
    /// The client's id, if there is a token in it nowhere, or a new one.
    pub(crate) fn of(headers: &HeaderMap, app: &App) -> Self {
        let scrubber = &app.policy.scrubber;
        let own = own_request_id(headers);
        let own = own.filter(|own| matches!(scrubber.scrub(own), Cow::Borrowed(_)));
        Self(own.map_or_else(|| app.new_id().to_string(), str::to_owned))
    }

    /// Writes the id into an answer.
    pub(crate) fn mark(&self, response: &mut Response) {
        if let Ok(value) = HeaderValue::from_str(&self.0) {
            response.headers_mut().insert(REQUEST_ID, value);
        }
    }
}

impl<S: Sync> FromRequestParts<S> for RequestId {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let id = parts.extensions.get::<Self>().cloned();
        id.ok_or_else(|| Problem::internal("the route has no request id layer"))
    }
}

/// What is logged of a request is logged in this span, whatever the log's filter.
pub(crate) fn log_span(request_id: Option<&str>, trace: Option<&Trace>) -> Span {
    tracing::error_span!("request", request_id, trace_id = trace.and_then(Trace::id))
}

/// Gives the request its id and its trace, and writes the body of a [`Problem`] with the id.
pub(crate) async fn layer(State(app): State<App>, mut request: Request, next: Next) -> Response {
    let id = RequestId::of(request.headers(), &app);
    let trace = Trace::of(&app, request.headers());
    let log = log_span(Some(&id.0), trace.as_ref());
    request.extensions_mut().insert(id.clone());
    let asked = trace.is_some().then(|| {
        let route = request.extensions().get::<MatchedPath>().cloned();
        (request.method().clone(), request.uri().clone(), route)
    });
    let answering = async {
        let mut response = next.run(request).await;
        if let Some(problem) = response.extensions_mut().remove::<Problem>() {
            response = problem.answer(&id.0, &app.policy.scrubber);
        }
        id.mark(&mut response);
        response
    };
    let answering = answering.instrument(log);
    let (Some(trace), Some((method, uri, route))) = (trace, asked) else {
        return answering.await;
    };
    let response = answering.with_context(trace.context()).await;
    let route = route.as_ref().map(MatchedPath::as_str);
    let asked = (&method, &uri, route);
    trace.answered(&app, asked, response.status(), Some(&id.0));
    response
}
