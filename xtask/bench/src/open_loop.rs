//! Open-loop load: requests leave by the clock whether or not earlier ones were answered, and
//! latency is counted from when a request should have left, so that a stall is not hidden.

use std::net::SocketAddr;
use std::time::Duration;

use hdrhistogram::Histogram;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tollkeeper_ambient::{Clock, SystemClock};

use crate::Failure;

const CONNECTIONS: u32 = 64;

/// The latencies of `rate` requests a second for `seconds`, in microseconds.
pub(crate) async fn run(
    address: SocketAddr,
    path: &str,
    token: &str,
    rate: f64,
    seconds: u32,
) -> Result<Histogram<u64>, Failure> {
    let request = format!(
        "GET {path} HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {token}\r\n\
         X-Original-URI: /orders/17?page=2\r\nX-Original-Method: GET\r\n\
         X-Forwarded-For: 203.0.113.9\r\nUser-Agent: bench/1.0\r\n\r\n"
    );
    let gap = Duration::from_secs_f64(f64::from(CONNECTIONS) / rate);
    let start = SystemClock.boot_time() + Duration::from_millis(200);
    let mut clients = JoinSet::new();
    for number in 0..CONNECTIONS {
        let first = start + gap * number / CONNECTIONS;
        let end = start + Duration::from_secs(seconds.into());
        clients.spawn(client(address, request.clone(), first, gap, end));
    }
    let mut all = Histogram::new(3)?;
    while let Some(latencies) = clients.join_next().await {
        all.add(latencies??)?;
    }
    Ok(all)
}

async fn client(
    address: SocketAddr,
    request: String,
    first: Duration,
    gap: Duration,
    end: Duration,
) -> Result<Histogram<u64>, Failure> {
    let mut stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let mut latencies = Histogram::new(3)?;
    let mut answer = vec![0; 4096];
    let mut due = first;
    while due < end {
        let now = SystemClock.boot_time();
        if due > now {
            tokio::time::sleep(due - now).await;
        }
        stream.write_all(request.as_bytes()).await?;
        let read = stream.read(&mut answer).await?;
        // The answers have no body and fit one segment.
        if !answer[..read].starts_with(b"HTTP/1.1 200") || !answer[..read].ends_with(b"\r\n\r\n") {
            return Err(String::from_utf8_lossy(&answer[..read]).into_owned().into());
        }
        let took = SystemClock.boot_time().saturating_sub(due);
        latencies.record(u64::try_from(took.as_micros())?)?;
        due += gap;
    }
    Ok(latencies)
}
