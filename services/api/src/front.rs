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
use axum::response::Response;
use futures::future::Either;
use hyper::body::Incoming;
use hyper::service::Service;
use tower::ServiceExt;

use crate::app::App;
use crate::http::client::Peer;
use crate::listener::Pulse;
use crate::router::router;
use crate::verification::forward_auth;

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
        let asked = forward_auth::is_for(request.uri().path())
            .then(|| forward_auth::at_once(&connection.app, connection.peer, &request));
        let miss = match asked {
            Some(Ok(response)) => {
                connection.measure(&response, began);
                connection.pulse.end();
                return Either::Left(ready(Ok(response)));
            }
            Some(Err(miss)) => Some(miss),
            None => None,
        };
        let connection = connection.clone();
        Either::Right(Box::pin(async move {
            let Connection { app, peer, .. } = &*connection;
            let response = match miss {
                Some(miss) => {
                    let request = request.map(drop);
                    let response = forward_auth::handle(app, *peer, &request, miss).await;
                    connection.measure(&response, began);
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
    /// Counts an answer to a reverse proxy. The router counts its own.
    fn measure(&self, response: &Response, began: Duration) {
        let measures = &self.app.measures;
        let took = self.app.clock.boot_time().saturating_sub(began);
        measures.answered(measures.forward_auth(), response.status(), took);
    }

    async fn route(&self, mut request: Request) -> Response {
        request.extensions_mut().insert(Peer(self.peer));
        match self.router.clone().oneshot(request).await {
            Ok(response) => response,
            Err(never) => match never {},
        }
    }
}
