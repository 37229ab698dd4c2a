//! Open-loop load: requests leave by the clock whether or not earlier ones were answered, and
//! latency is counted from when a request should have left, so that a stall is not hidden.
//!
//! One thread does it all: client and server share the machine, and what the client takes the server
//! has not. A task and a timer for each connection took as much as the server itself.

use std::collections::VecDeque;
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::num::NonZeroU64;
use std::time::Duration;

use rustix::event::epoll::{self, CreateFlags, EventData, EventFlags};
use rustix::fd::OwnedFd;
use rustix::time::Timespec;
use tollkeeper_ambient::{Clock, SystemClock};

use crate::Failure;
use crate::traffic::Traffic;

const CONNECTIONS: usize = 64;

/// What follows the token in each request.
const TAIL: &str = "\r\nX-Original-URI: /orders/17?page=2\r\nX-Original-Method: GET\r\n\
    X-Forwarded-For: 203.0.113.9\r\nUser-Agent: bench/1.0\r\n\r\n";

/// How long a window is.
const WINDOW: Duration = Duration::from_millis(10);

/// How long each request took, in the order in which they were due.
#[derive(Debug)]
pub(crate) struct Latencies {
    micros: Vec<u32>,
    rate: f64,
}

impl Latencies {
    /// The time in microseconds within which this share of them was answered.
    pub(crate) fn quantile(&self, share: f64) -> f64 {
        quantile(self.micros.clone(), share)
    }

    /// Each of them, in microseconds.
    pub(crate) fn micros(&self) -> &[u32] {
        &self.micros
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.micros.len()
    }

    /// The same for each window of 10 ms by itself. A machine that stops for milliseconds at a time,
    /// as a virtual one does whose host is busy, spoils the windows in which it did and no others.
    pub(crate) fn of_windows(&self, share: f64) -> impl Iterator<Item = f64> {
        let requests = (self.rate * WINDOW.as_secs_f64()).max(1.0) as usize;
        let windows = self.micros.chunks_exact(requests);
        windows.map(move |window| quantile(window.to_vec(), share))
    }
}

/// The nearest rank.
pub(crate) fn quantile(mut micros: Vec<u32>, share: f64) -> f64 {
    let rank = (micros.len() as f64 * share).ceil() as usize;
    let (_, at, _) = micros.select_nth_unstable(rank.saturating_sub(1));
    f64::from(*at)
}

/// The latencies of `rate` requests a second for `seconds`.
pub(crate) async fn run(
    address: SocketAddr,
    path: &str,
    traffic: &Traffic,
    rate: f64,
    seconds: u32,
) -> Result<Latencies, Failure> {
    let head = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer ");
    let traffic = traffic.clone();
    let load = move || {
        // The kernel may otherwise wake a sleeper 50 µs late.
        rustix::thread::set_current_timer_slack(NonZeroU64::new(1))?;
        let client = Client::connect(address, head, traffic)?;
        client.run(rate, Duration::from_secs(seconds.into()))
    };
    let (tell, told) = tokio::sync::oneshot::channel();
    // A thread of its own, as what it sets must not outlive the load.
    std::thread::Builder::new()
        .name("open-loop".to_owned())
        .spawn(move || tell.send(load()))?;
    told.await?
}

/// Connections, those that wait for an answer and those that do not.
struct Client {
    connections: Vec<TcpStream>,
    /// The request that each has on its way, and when it was due.
    asked: Vec<(usize, Duration)>,
    /// The longest at rest comes first, so that all are used.
    idle: VecDeque<usize>,
    epoll: OwnedFd,
    head: String,
    traffic: Traffic,
    micros: Vec<u32>,
    request: Vec<u8>,
}

impl Client {
    fn connect(address: SocketAddr, head: String, traffic: Traffic) -> Result<Self, Failure> {
        let epoll = epoll::create(CreateFlags::CLOEXEC)?;
        let mut connections = Vec::with_capacity(CONNECTIONS);
        for number in 0..CONNECTIONS as u64 {
            let stream = TcpStream::connect(address)?;
            stream.set_nodelay(true)?;
            stream.set_nonblocking(true)?;
            epoll::add(&epoll, &stream, EventData::new_u64(number), EventFlags::IN)?;
            connections.push(stream);
        }
        Ok(Self {
            asked: vec![(0, Duration::ZERO); connections.len()],
            idle: (0..connections.len()).collect(),
            connections,
            epoll,
            head,
            traffic,
            micros: Vec::new(),
            request: Vec::with_capacity(512),
        })
    }

    fn run(mut self, rate: f64, lasts: Duration) -> Result<Latencies, Failure> {
        let requests = (rate * lasts.as_secs_f64()) as usize;
        self.micros = vec![0; requests];
        let start = SystemClock.boot_time();
        let due = |number: usize| start + Duration::from_secs_f64(number as f64 / rate);
        let mut sent = 0;
        let mut events = Vec::with_capacity(CONNECTIONS);
        while sent < requests || self.idle.len() < CONNECTIONS {
            let now = SystemClock.boot_time();
            while sent < requests
                && due(sent) <= now
                && let Some(connection) = self.idle.pop_front()
            {
                self.send(connection, sent, due(sent))?;
                sent += 1;
            }
            // With no connection at rest, only an answer helps.
            let next = (sent < requests && !self.idle.is_empty())
                .then(|| due(sent).saturating_sub(SystemClock.boot_time()));
            let next = next.map(Timespec::try_from).transpose()?;
            events.clear();
            epoll::wait(
                &self.epoll,
                rustix::buffer::spare_capacity(&mut events),
                next.as_ref(),
            )?;
            for event in &events {
                self.receive(event.data.u64() as usize)?;
            }
        }
        Ok(Latencies {
            micros: self.micros,
            rate,
        })
    }

    fn send(&mut self, connection: usize, number: usize, due: Duration) -> Result<(), Failure> {
        self.request.clear();
        for part in [&self.head, self.traffic.token(number), TAIL] {
            self.request.extend_from_slice(part.as_bytes());
        }
        // It is far smaller than what a socket takes at once.
        self.connections[connection].write_all(&self.request)?;
        self.asked[connection] = (number, due);
        Ok(())
    }

    fn receive(&mut self, connection: usize) -> Result<(), Failure> {
        let mut answer = [0; 4096];
        let read = match self.connections[connection].read(&mut answer) {
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
            read => read?,
        };
        // The answers have no body and fit one segment.
        let answer = &answer[..read];
        if !answer.starts_with(b"HTTP/1.1 200") || !answer.ends_with(b"\r\n\r\n") {
            return Err(String::from_utf8_lossy(answer).into_owned().into());
        }
        let (number, due) = self.asked[connection];
        let took = SystemClock.boot_time().saturating_sub(due);
        self.micros[number] = u32::try_from(took.as_micros())?;
        self.idle.push_back(connection);
        Ok(())
    }
}
