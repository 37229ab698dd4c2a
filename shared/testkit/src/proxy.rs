//! A TCP proxy that fails on demand.

use std::io;
use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::AbortHandle;

/// What the proxy does to bytes and connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    /// Passes everything on.
    Pass,
    /// Keeps connections and moves nothing: a network that swallows packets.
    Pause,
    /// Ends new connections at once and keeps the existing ones.
    Refuse,
    /// Ends all connections, new and existing: a network that is gone.
    Cut,
}

/// A proxy before one server. Dropping it ends every connection.
#[derive(Debug)]
pub struct FaultProxy {
    address: SocketAddr,
    mode: watch::Sender<Mode>,
    accepting: AbortHandle,
}

impl FaultProxy {
    /// A proxy on a free port that passes everything on to `upstream`.
    ///
    /// # Panics
    /// When the loopback has no free port.
    pub async fn start(upstream: SocketAddr) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0))
            .await
            .expect("the loopback has a free port");
        let address = listener.local_addr().expect("a bound listener has one");
        let (mode, watched) = watch::channel(Mode::Pass);
        let accepting = tokio::spawn(accept(listener, upstream, watched)).abort_handle();
        Self {
            address,
            mode,
            accepting,
        }
    }

    /// Where clients connect.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Ends all connections and every new one, until [`FaultProxy::resume`].
    pub fn cut(&self) {
        self.mode.send_replace(Mode::Cut);
    }

    /// Moves no byte in any direction, until [`FaultProxy::resume`].
    pub fn pause(&self) {
        self.mode.send_replace(Mode::Pause);
    }

    /// Ends every new connection and leaves the existing ones, until [`FaultProxy::resume`].
    pub fn refuse(&self) {
        self.mode.send_replace(Mode::Refuse);
    }

    /// Passes everything on again.
    pub fn resume(&self) {
        self.mode.send_replace(Mode::Pass);
    }
}

impl Drop for FaultProxy {
    fn drop(&mut self) {
        self.cut();
        self.accepting.abort();
    }
}

async fn accept(listener: TcpListener, upstream: SocketAddr, mode: watch::Receiver<Mode>) {
    while let Ok((client, _)) = listener.accept().await {
        let refused = matches!(*mode.borrow(), Mode::Refuse | Mode::Cut);
        if !refused {
            tokio::spawn(connect(client, upstream, mode.clone()));
        }
    }
}

async fn connect(client: TcpStream, upstream: SocketAddr, mode: watch::Receiver<Mode>) {
    let Ok(server) = TcpStream::connect(upstream).await else {
        return;
    };
    // A proxy must not add the delay it is there to find.
    let _ = (client.set_nodelay(true), server.set_nodelay(true));
    let mut cut = mode.clone();
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    tokio::select! {
        _ = cut.wait_for(|mode| *mode == Mode::Cut) => {}
        _ = async {
            tokio::join!(
                pass(from_client, to_server, mode.clone()),
                pass(from_server, to_client, mode),
            )
        } => {}
    }
}

async fn pass(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    mut mode: watch::Receiver<Mode>,
) -> io::Result<()> {
    let mut buffer = vec![0; 16 * 1024];
    loop {
        let length = from.read(&mut buffer).await?;
        if mode.wait_for(|mode| *mode != Mode::Pause).await.is_err() {
            return Ok(());
        }
        if length == 0 {
            return to.shutdown().await;
        }
        to.write_all(&buffer[..length]).await?;
    }
}
