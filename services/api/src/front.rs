//! The public listener's front: requests of reverse proxies go straight to their handler, all
//! others to the router.
//!
//! Matching a route, its parameters and the request's extensions cost the hot path a few per cent
//! of its CPU time and give it nothing, because one prefix names it.

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::http::Uri;
use axum::response::Response;
use futures::future::Either;
use hyper::body::Incoming;
use hyper::service::Service;
use tollkeeper_check::{REQUEST_ID, own_request_id};
use tower::ServiceExt;
use tracing::{Instrument, Span};

use crate::app::App;
use crate::http::client::Peer;
use crate::http::request_id::log_span;
use crate::http::trace::Trace;
use crate::listener::Pulse;
use crate::router::router;
use crate::verification::forward_auth::{self, Arrival, Later};
use crate::verification::options::LastOptions;

/// Makes a [`Front`] for each connection.
#[derive(Clone)]
pub(crate) struct Fronts {
    app: App,
    router: Router,
}

impl Fronts {
    pub(crate) fn new(app: App) -> Self {
        let router = router(app.clone());
        Self { app, router }
    }

    /// For a connection from `peer`.
    pub(crate) fn front(&self, peer: SocketAddr) -> Front {
        Front(Arc::new(Connection {
            app: self.app.clone(),
            router: self.router.clone(),
            peer,
            pulse: Arc::default(),
            options: LastOptions::default(),
        }))
    }
}

/// Answers the requests of one connection.
#[derive(Clone)]
pub(crate) struct Front(Arc<Connection>);

struct Connection {
    app: App,
    router: Router,
    peer: SocketAddr,
    pulse: Arc<Pulse>,
    options: LastOptions,
}

impl Front {
    /// By this can be told whether the connection is in use.
    pub(crate) fn pulse(&self) -> Arc<Pulse> {
        self.0.pulse.clone()
    }
}

type Answered = Result<Response, Infallible>;

impl Service<hyper::Request<Incoming>> for Front {
    type Response = Response;
    type Error = Infallible;
    type Future = Either<Ready<Answered>, Pin<Box<dyn Future<Output = Answered> + Send>>>;

    fn call(&self, request: hyper::Request<Incoming>) -> Self::Future {
        let connection = &self.0;
        connection.pulse.begin();
        let began = connection.app.clock.boot_time();
        // Most requests are proxies' about tokens in memory: nothing is allocated to wait for those.
        let asked = forward_auth::is_for(request.uri().path()).then(|| {
            let trace = Trace::recorded(&connection.app, request.headers());
            let asked = connection.at_once(&request, began, trace.as_ref());
            (asked, trace)
        });
        let later = match asked {
            Some((Ok(response), trace)) => {
                connection.answered(&request, &response, began, trace.as_ref());
                connection.pulse.end();
                return Either::Left(ready(Ok(response)));
            }
            Some((Err(later), trace)) => Some((later, trace)),
            None => None,
        };
        let connection = connection.clone();
        Either::Right(Box::pin(async move {
            let response = match later {
                Some((later, trace)) => {
                    let (request, trace) = (request.map(drop), trace.as_ref());
                    let response = connection.read(&request, began, trace, later).await;
                    connection.answered(&request, &response, began, trace);
                    response
                }
                None => connection.route(request.map(Body::new)).await,
            };
            connection.pulse.end();
            Ok(response)
        }))
    }
}

impl Connection {
    /// Answers a reverse proxy, if memory says enough.
    fn at_once<B>(
        &self,
        request: &Request<B>,
        began: Duration,
        trace: Option<&Trace>,
    ) -> Result<Response, Later> {
        let arrival = self.arrival(began, trace);
        let answer = || forward_auth::at_once(&self.app, request, &arrival);
        match trace {
            Some(trace) => log_span(None, Some(trace)).in_scope(answer),
            None => answer(),
        }
    }

    /// Answers a reverse proxy by what is read of a token or an account.
    async fn read(
        &self,
        request: &Request<()>,
        began: Duration,
        trace: Option<&Trace>,
        later: Later,
    ) -> Response {
        let log = trace.map_or_else(Span::none, |trace| log_span(None, Some(trace)));
        let arrival = self.arrival(began, trace);
        let answering = forward_auth::handle(&self.app, request, &arrival, later);
        answering.instrument(log).await
    }

    fn arrival<'a>(&'a self, began: Duration, trace: Option<&'a Trace>) -> Arrival<'a> {
        Arrival {
            peer: self.peer,
            began,
            trace,
            options: &self.options,
        }
    }

    /// Counts an answer to a reverse proxy, and ends the span of its request. The router does so for its
    /// own.
    fn answered<B>(
        &self,
        request: &Request<B>,
        response: &Response,
        began: Duration,
        trace: Option<&Trace>,
    ) {
        let measures = &self.app.measures;
        let took = self.app.clock.boot_time().saturating_sub(began);
        measures.answered(measures.forward_auth(), response.status(), took);
        if let Some(trace) = trace {
            // What follows the prefix is the path of somebody else's request.
            let (route, path) = (forward_auth::PREFIX, Uri::from_static(forward_auth::PREFIX));
            let asked = (request.method(), &path, Some(route));
            // A refusal tells its id; else it is the client's own.
            let told = response.headers().get(REQUEST_ID);
            let told = told.and_then(|id| id.to_str().ok());
            let id = told.or_else(|| own_request_id(request.headers()));
            let id = id.map(|id| self.app.policy.scrubber.scrub(id));
            trace.answered(&self.app, asked, response.status(), id.as_deref());
        }
    }

    async fn route(&self, mut request: Request) -> Response {
        request.extensions_mut().insert(Peer(self.peer));
        match self.router.clone().oneshot(request).await {
            Ok(response) => response,
            Err(never) => match never {},
        }
    }
}
