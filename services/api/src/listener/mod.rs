//! The public listener: HTTP/1.1 alone, in the clear or by TLS alone, no more connections than there are
//! places, and none that takes up a place and asks for nothing.
//!
//! Whoever opens connections and is silent, sends a header a minute or never reads an answer must not
//! keep others from being answered.

mod patience;
mod places;
mod silence;
mod tls;

use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::serve::Listener;
use hyper::server::conn::http1;
use hyper_util::rt::TokioIo;
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;
use tollkeeper_telemetry::http::{CONNECTIONS, MOST_CONNECTIONS};

pub(crate) use self::patience::Pulse;
pub use self::places::places;
use self::silence::Watch;
pub use self::tls::{Identity, TlsError};
use crate::app::App;
use crate::front::{Front, Fronts};

/// The most memory for a request's line and headers, and for what of an answer could not be sent yet.
/// Envoy takes headers of 60 KiB.
const BUFFER_BYTES: usize = 64 * 1024;

/// What clients may take to send the rest of their requests once the process is asked to stop: some
/// never do.
const FINISH_REQUESTS: Duration = Duration::from_secs(10);

/// Serves at most `connections` at a time until `stop`; who comes then waits for a place. With an
/// `identity` it speaks TLS.
///
/// # Errors
/// When the listener does not say where it is.
pub async fn serve(
    mut listener: TcpListener,
    app: App,
    connections: usize,
    identity: Option<Identity>,
    stop: CancellationToken,
) -> io::Result<()> {
    let (address, tls) = (Listener::local_addr(&listener)?, identity.is_some());
    tracing::info!(%address, connections, tls, "serving");
    let fronts = Fronts::new(app);
    let places = Arc::new(Semaphore::new(connections));
    let watch = Watch::new(places.clone(), connections);
    let _looks = AbortOnDropHandle::new(tokio::spawn(watch.clone().look_again_and_again()));
    let clients = GracefulShutdown::new();
    MOST_CONNECTIONS.handle().set(connections as f64);
    loop {
        let accepted = async {
            let place = places.clone().acquire_owned().await;
            (place, Listener::accept(&mut listener).await)
        };
        let (place, (stream, peer)) = tokio::select! {
            () = stop.cancelled() => break,
            accepted = accepted => accepted,
        };
        // Answers are small and must not wait for more.
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "TCP_NODELAY is not set");
        }
        let counted = Counted::new();
        let (front, watcher) = (fronts.front(peer), clients.watcher());
        let pulse = front.pulse();
        match &identity {
            None => watch.run(pulse, |watching| async move {
                converse(stream, front, watcher).await;
                drop((counted, place, watching));
            }),
            Some(identity) => {
                let greeting = identity.greet(stream);
                watch.run(pulse, |watching| async move {
                    if let Some(stream) = greeting.await {
                        converse(stream, front, watcher).await;
                    }
                    drop((counted, place, watching));
                });
            }
        }
    }
    drop(listener);
    if timeout(FINISH_REQUESTS, clients.shutdown()).await.is_err() {
        tracing::warn!("not waiting any longer for clients that do not finish");
    }
    Ok(())
}

/// A connection that is counted among those that are open.
struct Counted(());

impl Counted {
    fn new() -> Self {
        CONNECTIONS.handle().increment(1.0);
        Self(())
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        CONNECTIONS.handle().decrement(1.0);
    }
}

/// Answers the requests of one connection until it ends.
async fn converse<S>(stream: S, front: Front, watcher: Watcher)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let serving = http1::Builder::new()
        .max_buf_size(BUFFER_BYTES)
        // Most answers are a head alone, which is sent for less by itself than as a list of one.
        .writev(false)
        .serve_connection(TokioIo::new(stream), front);
    if let Err(error) = watcher.watch(serving).await {
        tracing::trace!(%error, "a connection broke");
    }
}
