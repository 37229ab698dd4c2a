//! The internal listener: `/livez`, `/readyz` and `/metrics`. It is never the public port: readiness
//! names the inside, and metrics are nobody else's business.

use std::io;
use std::net::SocketAddr;

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::components::Health;
use crate::metrics::Metrics;
use crate::settings::InternalListenSettings;

/// A bound internal listener.
#[derive(Debug)]
pub struct InternalServer {
    listener: TcpListener,
    router: Router,
}

/// The address is taken or not ours.
#[derive(Debug, thiserror::Error)]
#[error("TOLLKEEPER_INTERNAL_LISTEN: cannot listen on {address}: {reason}")]
pub struct BindError {
    address: SocketAddr,
    #[source]
    reason: io::Error,
}

impl InternalServer {
    /// Binds the address, so that a taken one stops the start.
    ///
    /// # Errors
    /// When the address cannot be bound.
    pub async fn bind(
        settings: InternalListenSettings,
        health: Health,
        metrics: Metrics,
    ) -> Result<Self, BindError> {
        let address = settings.address;
        let listener = TcpListener::bind(address)
            .await
            .map_err(|reason| BindError { address, reason })?;
        let router = Router::new()
            // Alive is who answers: a process that waits for its database must not be restarted.
            .route("/livez", get(async || "alive\n"))
            .route("/readyz", get(readyz).with_state(health))
            .route("/metrics", get(render).with_state(metrics));
        Ok(Self { listener, router })
    }

    /// Where it listens; of interest when port 0 was asked for.
    ///
    /// # Errors
    /// When the operating system does not say.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Serves until `stop`. Spawn it as a supporting task: it should answer while others drain.
    ///
    /// # Errors
    /// When the listener fails.
    pub async fn serve(self, stop: CancellationToken) -> io::Result<()> {
        // No graceful shutdown: a scraper's idle connection must not hold the process up.
        tokio::select! {
            () = stop.cancelled() => Ok(()),
            served = async { axum::serve(self.listener, self.router).await } => served,
        }
    }
}

async fn readyz(State(health): State<Health>) -> Response {
    let report = health.report();
    let status = if report.ready {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    (status, Json(report)).into_response()
}

async fn render(State(metrics): State<Metrics>) -> Response {
    let kind = "text/plain; version=0.0.4; charset=utf-8";
    match tokio::task::spawn_blocking(move || metrics.render()).await {
        Ok(text) => ([(header::CONTENT_TYPE, kind)], text).into_response(),
        Err(error) => {
            tracing::error!(%error, "the metrics cannot be shown");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}
