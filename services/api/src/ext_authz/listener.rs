//! The listener: HTTP/2 alone, as many connections and calls as Envoys need, and an end that cuts no
//! call off.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::http::{Request, Response};
use axum::serve::Listener;
use hyper::body::Incoming;
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tonic::Status;
use tonic::body::Body;
use tonic::server::Grpc;

use super::check::Check;
use super::codec::CheckCodec;
use crate::app::App;

const CHECK: &str = "/envoy.service.auth.v3.Authorization/Check";

/// An Envoy has one for each of its threads, and a new one beside each that it drains.
const CONNECTIONS: usize = 4096;

/// Calls of one connection at a time. Envoy opens another connection beyond that.
const CALLS: u32 = 1024;

/// What may be told of one request; Envoy takes headers of 60 KiB.
const MESSAGE_BYTES: usize = 128 * 1024;

/// The headers of a call itself, which are few.
const HEADER_BYTES: u32 = 16 * 1024;

/// How long a call may take, its message included.
const CALL: Duration = Duration::from_secs(10);

/// Who has not asked for a check by then is no Envoy.
const FIRST_CALL: Duration = Duration::from_secs(10);

/// An end of a connection that is gone without a word is found out after both of these.
const ARE_YOU_THERE: Duration = Duration::from_secs(30);
const I_AM: Duration = Duration::from_secs(20);

/// What calls get to finish once the process is asked to stop.
const FINISH_CALLS: Duration = Duration::from_secs(10);

/// Serves until `stop`.
///
/// # Errors
/// When the listener does not say where it is.
pub async fn serve(mut listener: TcpListener, app: App, stop: CancellationToken) -> io::Result<()> {
    tracing::info!(address = %Listener::local_addr(&listener)?, "serving ext_authz over gRPC");
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    let connections = GracefulShutdown::new();
    loop {
        let accepted = async {
            let place = places.clone().acquire_owned().await;
            (place, Listener::accept(&mut listener).await)
        };
        let (place, (stream, peer)) = tokio::select! {
            () = stop.cancelled() => break,
            accepted = accepted => accepted,
        };
        let connection = converse(stream, peer, app.clone(), connections.watcher());
        tokio::spawn(async move {
            connection.await;
            drop(place);
        });
    }
    drop(listener);
    if timeout(FINISH_CALLS, connections.shutdown()).await.is_err() {
        tracing::warn!("not waiting any longer for gRPC clients that do not finish");
    }
    Ok(())
}

/// Answers the calls of one connection until it ends.
async fn converse(stream: TcpStream, peer: SocketAddr, app: App, watcher: Watcher) {
    // Answers are small and must not wait for more.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "TCP_NODELAY is not set");
    }
    let called = Arc::new(AtomicBool::new(false));
    let calls = service_fn({
        let called = called.clone();
        move |request: Request<Incoming>| {
            if request.uri().path() == CHECK {
                called.store(true, Ordering::Relaxed);
            }
            let app = app.clone();
            async move { Ok::<_, Infallible>(call(app, peer, request).await) }
        }
    });
    let serving = http2::Builder::new(TokioExecutor::new())
        .timer(TokioTimer::new())
        .max_concurrent_streams(CALLS)
        .max_header_list_size(HEADER_BYTES)
        .keep_alive_interval(ARE_YOU_THERE)
        .keep_alive_timeout(I_AM)
        .serve_connection(TokioIo::new(stream), calls);
    let mut serving = pin!(watcher.watch(serving));
    tokio::select! {
        _ended = &mut serving => return,
        () = sleep(FIRST_CALL) => {}
    }
    if called.load(Ordering::Relaxed)
        && let Err(error) = serving.await
    {
        tracing::debug!(%error, "a gRPC connection broke");
    }
}

async fn call(app: App, peer: SocketAddr, request: Request<Incoming>) -> Response<Body> {
    if request.uri().path() != CHECK {
        return Status::unimplemented("this answers Check of envoy.service.auth.v3").into_http();
    }
    let mut grpc = Grpc::new(CheckCodec).max_decoding_message_size(MESSAGE_BYTES);
    let answered = timeout(CALL, grpc.unary(Check { app, peer }, request)).await;
    answered.unwrap_or_else(|_| Status::deadline_exceeded("this took too long").into_http())
}
