//! The public listener: HTTP/1.1 alone, in the clear or by TLS alone, no more connections than there are
//! places, and none that takes up a place and asks for nothing.
//!
//! Whoever opens connections and is silent, sends a header a minute or never reads an answer must not
//! keep others from being answered.

mod patience;
mod places;
mod tls;

use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::serve::Listener;
use hyper::server::conn::http1;
use hyper_util::rt::TokioIo;
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::time::{MissedTickBehavior, interval, timeout};
use tokio_util::sync::CancellationToken;
use tollkeeper_telemetry::http::{CONNECTIONS, MOST_CONNECTIONS};

use self::patience::Patience;
pub(crate) use self::patience::Pulse;
pub use self::places::places;
pub use self::tls::{Identity, TlsError};
use crate::app::App;
use crate::front::{Front, Fronts};

/// Between two looks at a connection. Hyper has a limit of its own for the reading of headers, which
/// sets up a timer for each request: a look now and then costs the hot path nothing.
const LOOK: Duration = Duration::from_secs(5);

/// The most memory for a request's line and headers, and for what of an answer could not be sent yet.
/// Envoy takes headers of 60 KiB.
const BUFFER_BYTES: usize = 64 * 1024;

/// The part of the places that must be free, lest those who are silent lose theirs.
const ENOUGH_FREE: usize = 8;

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
        let scarce = Scarce {
            places: places.clone(),
            enough: connections / ENOUGH_FREE,
        };
        // Answers are small and must not wait for more.
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "TCP_NODELAY is not set");
        }
        let counted = Counted::new();
        let (front, watcher) = (fronts.front(peer), clients.watcher());
        match &identity {
            None => {
                let client = converse(stream, front, watcher, scarce);
                tokio::spawn(async move {
                    client.await;
                    drop((counted, place));
                });
            }
            Some(identity) => {
                let greeting = identity.greet(stream);
                tokio::spawn(async move {
                    if let Some(stream) = greeting.await {
                        converse(stream, front, watcher, scarce).await;
                    }
                    drop((counted, place));
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

/// Whether places are few.
struct Scarce {
    places: Arc<Semaphore>,
    enough: usize,
}

impl Scarce {
    fn is_so(&self) -> bool {
        self.places.available_permits() < self.enough
    }
}

/// Answers the requests of one connection until it ends, or has been silent for too long.
async fn converse<S>(stream: S, front: Front, watcher: Watcher, scarce: Scarce)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let pulse = front.pulse();
    let serving = http1::Builder::new()
        .max_buf_size(BUFFER_BYTES)
        .serve_connection(TokioIo::new(stream), front);
    let mut serving = pin!(watcher.watch(serving));
    let mut looks = interval(LOOK);
    // The first look is not at once.
    looks.reset();
    // A process that was frozen must not take its own silence for the client's.
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut patience = Patience::default();
    loop {
        tokio::select! {
            ended = &mut serving => {
                if let Err(error) = ended {
                    tracing::trace!(%error, "a connection broke");
                }
                return;
            }
            _ = looks.tick() => {
                if patience.is_over(pulse.beat(), scarce.is_so()) {
                    return;
                }
            }
        }
    }
}
