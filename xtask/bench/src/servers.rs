//! The floor: the least that any HTTP verification could do.

use std::net::SocketAddr;

use axum::Router;
use axum::http::{HeaderMap, StatusCode, header};
use axum::routing::any;
use axum::serve::ListenerExt;
use sha2::{Digest, Sha256};
use tokio::net::TcpListener;

use crate::Failure;

/// Serves until it is killed.
pub(crate) async fn floor(address: SocketAddr) -> Result<(), Failure> {
    let router = Router::new().route("/{*path}", any(hash));
    serve(address, router).await
}

/// Serves as the API does.
pub(crate) async fn serve(address: SocketAddr, router: Router) -> Result<(), Failure> {
    let listener = TcpListener::bind(address).await?.tap_io(|stream| {
        let _refused = stream.set_nodelay(true);
    });
    axum::serve(listener, router).await?;
    Ok(())
}

/// Hashes the credential and answers.
async fn hash(headers: HeaderMap) -> StatusCode {
    let Some(credential) = headers.get(header::AUTHORIZATION) else {
        return StatusCode::UNAUTHORIZED;
    };
    let digest = Sha256::digest(credential.as_bytes());
    // The hash must not be optimised away.
    if std::hint::black_box(digest)[0] == 0 && credential.is_empty() {
        return StatusCode::UNAUTHORIZED;
    }
    StatusCode::OK
}
