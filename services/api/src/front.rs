//! The public listener's front: requests of reverse proxies go straight to their handler, all
//! others to the router.
//!
//! Matching a route, its parameters and the request's extensions cost the hot path a few per cent
//! of its CPU time and give it nothing, because one prefix names it.

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};

use axum::Router;
use axum::extract::Request;
use axum::response::Response;
use axum::serve::{IncomingStream, Listener};
use tower::Service;

use crate::app::App;
use crate::http::client::Peer;
use crate::router::router;
use crate::verification::forward_auth;

/// Makes a [`Front`] for each connection.
#[derive(Clone)]
pub struct Fronts {
    app: App,
    router: Router,
}

impl Fronts {
    /// The public listener's service.
    #[must_use]
    pub fn new(app: App) -> Self {
        let router = router(app.clone());
        Self { app, router }
    }
}

impl<L: Listener<Addr = SocketAddr>> Service<IncomingStream<'_, L>> for Fronts {
    type Response = Front;
    type Error = Infallible;
    type Future = Ready<Result<Front, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, stream: IncomingStream<'_, L>) -> Self::Future {
        let peer = *stream.remote_addr();
        let Self { app, router } = self.clone();
        ready(Ok(Front { app, router, peer }))
    }
}

/// Answers the requests of one connection.
#[derive(Clone)]
pub struct Front {
    app: App,
    router: Router,
    peer: SocketAddr,
}

impl Service<Request> for Front {
    type Response = Response;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        // The router is always ready, and so is the handler.
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, mut request: Request) -> Self::Future {
        if forward_auth::is_for(request.uri().path()) {
            let (app, peer) = (self.app.clone(), self.peer);
            Box::pin(async move { Ok(forward_auth::handle(&app, peer, request).await) })
        } else {
            request.extensions_mut().insert(Peer(self.peer));
            Box::pin(self.router.call(request))
        }
    }
}
