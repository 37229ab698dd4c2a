//! Clients that ask one token after the other, as fast as they are answered.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tollkeeper_ambient::{Entropy, SystemEntropy};
use tollkeeper_domain::secret::{Brand, Environment, TokenSecret};

use crate::Failure;

const CLIENTS: usize = 64;

/// What they ask with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Known,
    MadeUp,
    Malformed,
}

impl Kind {
    pub(super) const ALL: [Self; 3] = [Self::Known, Self::MadeUp, Self::Malformed];

    /// A token to ask with.
    fn token(self, number: usize, known: &[String], brand: &Brand) -> String {
        match self {
            Self::Known => known[number % known.len()].clone(),
            Self::MadeUp => made_up(brand),
            Self::Malformed => format!("tk_live_{number:038}"),
        }
    }
}

/// A token in good form that nobody has issued.
fn made_up(brand: &Brand) -> String {
    let fill = |bytes: &mut [u8]| SystemEntropy.fill(bytes);
    TokenSecret::generate(brand, Environment::Live, fill)
        .expose()
        .to_owned()
}

/// Clients at work.
#[derive(Debug)]
pub(super) struct Flood {
    over: Arc<AtomicBool>,
    clients: JoinSet<Result<usize, Failure>>,
}

impl Flood {
    /// Sets them to work.
    pub(super) fn begin(address: SocketAddr, kind: Kind, known: &[String]) -> Self {
        let over = Arc::new(AtomicBool::new(false));
        let known: Arc<[String]> = known.into();
        let mut clients = JoinSet::new();
        for _ in 0..CLIENTS {
            let (over, known) = (over.clone(), known.clone());
            clients.spawn(async move {
                let brand = "tk".parse()?;
                let mut stream = TcpStream::connect(address).await?;
                stream.set_nodelay(true)?;
                let mut asked = 0;
                while !over.load(Ordering::Relaxed) {
                    let token = kind.token(asked, &known, &brand);
                    let status = ask(&mut stream, &token).await?;
                    let expected: &[u16] = match kind {
                        Kind::Known => &[200],
                        Kind::MadeUp => &[401, 503],
                        Kind::Malformed => &[401],
                    };
                    if !expected.contains(&status) {
                        return Err(format!("{kind:?} was answered {status}").into());
                    }
                    asked += 1;
                }
                Ok(asked)
            });
        }
        Self { over, clients }
    }

    /// Ends their work; gives how often they asked.
    pub(super) async fn end(mut self) -> Result<f64, Failure> {
        self.over.store(true, Ordering::Relaxed);
        let mut asked = 0;
        while let Some(client) = self.clients.join_next().await {
            asked += client??;
        }
        Ok(asked as f64)
    }
}

/// Asks for each of these once.
pub(crate) async fn ask_each(address: SocketAddr, tokens: &[String]) -> Result<(), Failure> {
    let mut stream = TcpStream::connect(address).await?;
    for token in tokens {
        ask(&mut stream, token).await?;
    }
    Ok(())
}

/// Asks whether a token may pass; gives the status.
pub(crate) async fn ask(stream: &mut TcpStream, token: &str) -> Result<u16, Failure> {
    let request = format!(
        "GET /v1/forward-auth HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {token}\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).await?;
    let mut answer = Vec::with_capacity(1024);
    loop {
        if stream.read_buf(&mut answer).await? == 0 {
            return Err("the server closed the connection".into());
        }
        let Some(end) = answer.windows(4).position(|it| it == b"\r\n\r\n") else {
            continue;
        };
        let head = std::str::from_utf8(&answer[..end])?;
        let length = head.lines().find_map(|line| {
            let (name, value) = line.split_once(':')?;
            name.eq_ignore_ascii_case("content-length")
                .then(|| value.trim().parse::<usize>().ok())?
        });
        if answer.len() >= end + 4 + length.unwrap_or(0) {
            let status = head.split(' ').nth(1).ok_or("no status")?;
            return Ok(status.parse()?);
        }
    }
}
