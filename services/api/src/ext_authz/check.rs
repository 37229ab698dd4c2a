//! `Check`: one request of Envoy's, judged and counted as forward-auth does it.

use std::future::Future;
use std::net::SocketAddr;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;

use futures::FutureExt;
use tonic::server::UnaryService;
use tonic::{Request, Response, Status};

use super::answer::{allowed, denied};
use super::messages::{CheckRequest, CheckResponse, Entry};
use super::question::{demands, headers, sender, text};
use crate::app::App;
use crate::http::problem::Problem;
use crate::verification::judge::{Original, judge};

/// Answers the calls of one connection.
pub(super) struct Check {
    pub(super) app: App,
    pub(super) peer: SocketAddr,
}

impl UnaryService<CheckRequest> for Check {
    type Response = CheckResponse;
    type Future = Pin<Box<dyn Future<Output = Result<Response<CheckResponse>, Status>> + Send>>;

    fn call(&mut self, request: Request<CheckRequest>) -> Self::Future {
        let (app, peer) = (self.app.clone(), self.peer);
        let request = request.into_inner();
        Box::pin(async move { check(&app, peer, request).await.map(Response::new) })
    }
}

/// `OK` with the identity, or what the client is answered instead.
///
/// # Errors
/// `INVALID_ARGUMENT` if this is not a request that Envoy would ask about.
async fn check(
    app: &App,
    peer: SocketAddr,
    request: CheckRequest,
) -> Result<CheckResponse, Status> {
    let Some(attributes) = request.attributes else {
        return Err(Status::invalid_argument("`attributes` is missing"));
    };
    let http = attributes
        .request
        .as_ref()
        .and_then(|request| request.http.as_ref())
        .ok_or_else(|| Status::invalid_argument("`attributes.request.http` is missing"))?;
    let headers = headers(http)?;
    let original = Original {
        headers: &headers,
        path: text("path", &http.path)?,
        method: text("method", &http.method)?,
        peer: sender(&attributes, peer.ip(), &app.policy.trusted_proxies),
    };
    let judged = answer(app, &original, &attributes.context_extensions);
    // A call that failed could let the request pass.
    let judged = AssertUnwindSafe(judged).catch_unwind().await;
    let problem = match judged {
        Ok(Ok(answer)) => return Ok(answer),
        Ok(Err(problem)) => problem,
        Err(panic) => Problem::panicked(panic),
    };
    Ok(denied(app, &headers, &problem).await)
}

async fn answer(
    app: &App,
    original: &Original<'_>,
    context: &[Entry],
) -> Result<CheckResponse, Problem> {
    judge(app, original, &demands(context)?, allowed).await
}
