//! The id that a request is found by: the client's own `X-Request-Id` where it has a plain form,
//! else a new one. It is in every answer but
//! forward-auth's 200, in every event and in the log.

use axum::extract::{FromRequestParts, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue};
use axum::middleware::Next;
use axum::response::Response;
use tollkeeper_check::{REQUEST_ID, own_request_id};

use super::problem::Problem;
use crate::app::App;

/// The id of the request.
#[derive(Debug, Clone)]
pub(crate) struct RequestId(pub(crate) String);

impl RequestId {
    /// The client's id, or a new one.
    pub(crate) fn of(headers: &HeaderMap, app: &App) -> Self {
        let own = own_request_id(headers);
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

/// Gives the request its id, and writes the body of a [`Problem`] with it.
pub(crate) async fn layer(State(app): State<App>, mut request: Request, next: Next) -> Response {
    let id = RequestId::of(request.headers(), &app);
    request.extensions_mut().insert(id.clone());
    let mut response = next.run(request).await;
    if let Some(problem) = response.extensions_mut().remove::<Problem>() {
        response = problem.answer(&id.0, &app.policy.scrubber);
    }
    id.mark(&mut response);
    response
}
