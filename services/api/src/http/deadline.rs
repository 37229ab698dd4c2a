//! The longest that a request may take: a database that falls silent in the middle of an answer
//! must not keep whoever asked.

use std::time::Duration;

use axum::extract::Request;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::problem::Problem;
use crate::history::feed;
use crate::nodes;

/// Longer than the wait for a connection and for the log's lock together.
const LONGEST: Duration = Duration::from_secs(10);

/// Answers 503 in place of a handler that takes too long. What the handler asked of the log may
/// still come to pass; the proof tells the verifiers. Who asked to wait for news, or for the
/// nodes, may do so beside.
pub(crate) async fn layer(request: Request, next: Next) -> Response {
    let mut longest = LONGEST;
    if request.uri().path() == feed::PATH {
        longest += Duration::from_secs(feed::LONGEST_WAIT);
    }
    if request.uri().query().is_some_and(|it| it.contains("wait=")) {
        longest += nodes::LONGEST;
    }
    match tokio::time::timeout(longest, next.run(request)).await {
        Ok(response) => response,
        Err(_) => Problem::unavailable("the request took too long").into_response(),
    }
}
