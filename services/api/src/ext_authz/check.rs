//! `Check`: one request of Envoy's, judged and counted as forward-auth does it.

use std::future::Future;
use std::net::SocketAddr;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;

use futures::FutureExt;
use tonic::server::UnaryService;
use tonic::{Code, Request, Response, Status};
use tracing::{Instrument, Span};

use super::answer::{allowed, allowed_account, denied};
use super::messages::{CheckRequest, CheckResponse, Entry};
use super::question::{demands, headers, sender, text};
use crate::app::App;
use crate::http::problem::Problem;
use crate::http::request_id::log_span;
use crate::http::trace::Trace;
use crate::verification::account;
use crate::verification::judge::{Original, judge};

/// The call, in the terms of gRPC.
const SERVICE: &str = "envoy.service.auth.v3.Authorization";
const METHOD: &str = "Check";

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
    let trace = Trace::recorded(app, &headers);
    let original = Original {
        headers: &headers,
        path: text("path", &http.path)?,
        method: text("method", &http.method)?,
        peer: sender(&attributes, peer.ip(), &app.policy.trusted_proxies),
        began: app.clock.boot_time(),
        trace: trace.as_ref(),
    };
    let log = trace
        .as_ref()
        .map_or_else(Span::none, |trace| log_span(None, Some(trace)));
    let judged = answer(app, &original, &attributes.context_extensions);
    // A call that failed could let the request pass.
    let judged = AssertUnwindSafe(judged)
        .catch_unwind()
        .instrument(log.clone());
    let problem = match judged.await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(problem)) => Err(problem),
        Err(panic) => Err(Problem::panicked(panic)),
    };
    let response = match problem {
        Ok(answer) => answer,
        Err(problem) => denied(app, &headers, &problem).instrument(log).await,
    };
    if let Some(trace) = trace {
        trace.called(SERVICE, METHOD, Code::Ok as i64);
    }
    Ok(response)
}

async fn answer(
    app: &App,
    original: &Original<'_>,
    context: &[Entry],
) -> Result<CheckResponse, Problem> {
    let demands = demands(context)?;
    if let Some(jwt) = account::jwt_of(original.headers, &demands) {
        let admitted = account::judge(app, jwt, &demands, original.began).await?;
        return Ok(allowed_account(&admitted));
    }
    judge(app, original, &demands, allowed).await
}
