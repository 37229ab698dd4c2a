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
use crate::traffic::Traffic;

const CONNECTIONS: u32 = 64;

/// The latencies of `rate` requests a second for `seconds`, in microseconds.
pub(crate) async fn run(
    address: SocketAddr,
    path: &str,
    traffic: &Traffic,
    rate: f64,
    seconds: u32,
) -> Result<Histogram<u64>, Failure> {
    let head = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer ");
    let gap = Duration::from_secs_f64(f64::from(CONNECTIONS) / rate);
    let start = SystemClock.boot_time() + Duration::from_millis(200);
    let mut clients = JoinSet::new();
    for number in 0..CONNECTIONS {
        let client = Client {
            number,
            head: head.clone(),
            traffic: traffic.clone(),
            first: start + gap * number / CONNECTIONS,
            gap,
            end: start + Duration::from_secs(seconds.into()),
        };
        clients.spawn(client.run(address));
    }
    let mut all = Histogram::new(3)?;
    while let Some(latencies) = clients.join_next().await {
        all.add(latencies??)?;
    }
    Ok(all)
}

/// What follows the token in each request.
const TAIL: &str = "\r\nX-Original-URI: /orders/17?page=2\r\nX-Original-Method: GET\r\n\
    X-Forwarded-For: 203.0.113.9\r\nUser-Agent: bench/1.0\r\n\r\n";

/// One connection, and when its requests leave.
struct Client {
    number: u32,
    head: String,
    traffic: Traffic,
    first: Duration,
    gap: Duration,
    end: Duration,
}

impl Client {
    async fn run(self, address: SocketAddr) -> Result<Histogram<u64>, Failure> {
        let mut stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        let mut latencies = Histogram::new(3)?;
        let mut answer = vec![0; 4096];
        let mut request = Vec::with_capacity(512);
        let mut due = self.first;
        let mut number = self.number as usize;
        while due < self.end {
            let now = SystemClock.boot_time();
            if due > now {
                tokio::time::sleep(due - now).await;
            }
            request.clear();
            let token = self.traffic.token(number);
            for part in [&self.head, token, TAIL] {
                request.extend_from_slice(part.as_bytes());
            }
            stream.write_all(&request).await?;
            let read = stream.read(&mut answer).await?;
            // The answers have no body and fit one segment.
            let answer = &answer[..read];
            if !answer.starts_with(b"HTTP/1.1 200") || !answer.ends_with(b"\r\n\r\n") {
                return Err(String::from_utf8_lossy(answer).into_owned().into());
            }
            let took = SystemClock.boot_time().saturating_sub(due);
            latencies.record(u64::try_from(took.as_micros())?)?;
            due += self.gap;
            number += CONNECTIONS as usize;
        }
        Ok(latencies)
    }
}
