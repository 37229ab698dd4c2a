//! A client of the site: what it sends, and its own account of the answers.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use parking_lot::Mutex;
use reqwest::{Client, Method};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpSocket;
use tollkeeper_testkit::http_client_builder;

/// Where visitors come from: not where the proxy and Tollkeeper are, so that no forwarded address is
/// taken for a proxy's.
pub(crate) const HOME: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2));

/// What a client may write to be taken for another request, or for somebody else.
pub(crate) const SPOOFED: [(&str, &str); 17] = [
    ("x-tollkeeper-token-id", "forged"),
    ("x-tollkeeper-account-id", "forged"),
    ("x-tollkeeper-scopes", "forged"),
    ("x-original-uri", "/forged"),
    ("x-original-url", "/forged"),
    ("x-original-method", "TRACE"),
    ("x-rewrite-url", "/forged"),
    ("x-forwarded-uri", "/forged"),
    ("x-forwarded-method", "TRACE"),
    ("x-forwarded-path", "/forged"),
    ("x-forwarded-prefix", "/forged"),
    ("x-forwarded-for", "203.0.113.66"),
    ("forwarded", "for=203.0.113.66"),
    ("x-real-ip", "203.0.113.66"),
    ("x-envoy-original-path", "/forged"),
    ("x-envoy-external-address", "203.0.113.66"),
    ("x-http-method-override", "TRACE"),
];

/// A token and how often it was answered by which status.
pub(crate) struct Visitor {
    pub(crate) label: &'static str,
    pub(crate) token: Option<String>,
    /// The token's id; none if no such token was issued.
    pub(crate) id: Option<String>,
    answers: Mutex<BTreeMap<i64, i64>>,
}

impl Visitor {
    pub(crate) fn new(label: &'static str, token: Option<&str>, id: Option<&str>) -> Self {
        Self {
            label,
            token: token.map(str::to_owned),
            id: id.map(str::to_owned),
            answers: Mutex::default(),
        }
    }

    /// How often it was answered by which status.
    pub(crate) fn answers(&self) -> BTreeMap<i64, i64> {
        self.answers.lock().clone()
    }

    /// Adds an answer.
    pub(crate) fn count(&self, status: u16) {
        *self.answers.lock().entry(status.into()).or_default() += 1;
    }

    /// Sends a request with everything that is spoofed.
    pub(crate) async fn send(
        &self,
        http: &Client,
        to: SocketAddr,
        method: Method,
        path: &str,
    ) -> u16 {
        let mut request = http.request(method.clone(), format!("http://{to}{path}"));
        for (name, value) in SPOOFED {
            request = request.header(name, value);
        }
        if let Some(token) = &self.token {
            request = request.bearer_auth(token);
        }
        if method == Method::POST {
            request = request.body("a body that is not Tollkeeper's to read");
        }
        let response = request.send().await.unwrap();
        let status = response.status().as_u16();
        let _body = response.bytes().await.unwrap();
        self.count(status);
        status
    }

    /// Sends a `GET` with these header lines as they stand, and gives the whole answer.
    pub(crate) async fn send_raw(&self, to: SocketAddr, path: &str, lines: &[&str]) -> String {
        let answer = exchange(to, path, self.token.as_deref(), lines).await;
        self.count(status(&answer));
        answer
    }
}

/// The status of an answer.
pub(crate) fn status(answer: &str) -> u16 {
    let code = answer.split(' ').nth(1);
    let code = code.unwrap_or_else(|| panic!("no answer: {answer}"));
    code.parse().unwrap()
}

/// The one value of a header of an answer; none where it is missing.
pub(crate) fn header<'a>(answer: &'a str, name: &str) -> Option<&'a str> {
    let head = answer.split("\r\n\r\n").next().unwrap_or_default();
    let fields = head.lines().skip(1).filter_map(|it| it.split_once(':'));
    let values: Vec<_> = fields
        .filter(|(field, _)| field.eq_ignore_ascii_case(name))
        .map(|(_, value)| value.trim())
        .collect();
    assert!(values.len() <= 1, "{name} comes more than once: {answer}");
    values.first().copied()
}

/// A client from [`HOME`].
pub(crate) fn http() -> Client {
    let client = http_client_builder().local_address(HOME);
    client.build().unwrap()
}

async fn exchange(to: SocketAddr, path: &str, token: Option<&str>, lines: &[&str]) -> String {
    let mut request = format!("GET {path} HTTP/1.1\r\nHost: {to}\r\n");
    if let Some(token) = token {
        request.push_str(&format!("Authorization: Bearer {token}\r\n"));
    }
    if !lines.iter().any(|line| line.starts_with("Connection:")) {
        request.push_str("Connection: close\r\n");
    }
    for line in lines {
        request.push_str(&format!("{line}\r\n"));
    }
    request.push_str("\r\n");
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(SocketAddr::new(HOME, 0)).unwrap();
    let mut stream = socket.connect(to).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    String::from_utf8_lossy(&answer).into_owned()
}
