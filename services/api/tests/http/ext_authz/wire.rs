//! Envoy's messages, written and read by hand: the tests must not share the API's idea of them.

use std::net::SocketAddr;

use axum::body::Body;
use bytes::Bytes;
use http_body_util::BodyExt;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;

pub(crate) const CHECK: &str = "/envoy.service.auth.v3.Authorization/Check";

/// A field that holds bytes, a text or a message.
pub(crate) fn field(number: usize, content: impl AsRef<[u8]>) -> Vec<u8> {
    let content = content.as_ref();
    let mut written = Vec::new();
    for mut number in [number << 3 | 2, content.len()] {
        while number > 0x7f {
            written.push(u8::try_from(number & 0x7f | 0x80).unwrap());
            number >>= 7;
        }
        written.push(u8::try_from(number).unwrap());
    }
    written.extend_from_slice(content);
    written
}

/// What Envoy asks about.
#[derive(Clone, Copy)]
pub(crate) struct Asked<'a> {
    pub(crate) method: &'a str,
    pub(crate) path: &'a str,
    pub(crate) source: &'a str,
    pub(crate) headers: &'a [(&'a str, &'a str)],
    pub(crate) context: &'a [(&'a str, &'a str)],
}

impl Asked<'_> {
    /// The `CheckRequest`.
    pub(crate) fn message(&self) -> Vec<u8> {
        let entries = |number, pairs: &[(&str, &str)]| -> Vec<u8> {
            let entry = |(key, value): &(&str, &str)| [field(1, key), field(2, value)].concat();
            let entries = pairs.iter().flat_map(|pair| field(number, entry(pair)));
            entries.collect()
        };
        let socket = [vec![0x08, 0], field(2, self.source), vec![0x18, 80]].concat();
        let http = [
            field(1, "7"),
            field(2, self.method),
            entries(3, self.headers),
            field(4, self.path),
            field(5, "shop.example"),
            field(10, "HTTP/1.1"),
        ];
        let attributes = [
            field(1, field(1, field(1, socket))),
            field(4, [field(1, [0x08, 1]), field(2, http.concat())].concat()),
            entries(10, self.context),
        ];
        field(1, attributes.concat())
    }
}

/// A message as gRPC frames it.
pub(crate) fn framed(message: &[u8]) -> Bytes {
    let length = u32::try_from(message.len()).unwrap().to_be_bytes();
    [&[0], &length[..], message].concat().into()
}

/// What was answered: gRPC's own status, and the message.
#[derive(Debug)]
pub(crate) struct Answered {
    pub(crate) status: u16,
    pub(crate) why: String,
    message: Vec<u8>,
}

/// What the client or the application is told by an answer.
#[derive(Debug)]
pub(crate) struct Told {
    /// The code of `google.rpc.Status`.
    pub(crate) code: u64,
    /// Whether the request may pass.
    pub(crate) passes: bool,
    /// The status for the client.
    pub(crate) status: Option<u64>,
    /// Name, value and how they are put in place.
    pub(crate) headers: Vec<(String, String, u64)>,
    /// The same for the answer to the client, where the request may pass.
    pub(crate) for_client: Vec<(String, String, u64)>,
    pub(crate) body: String,
}

impl Told {
    /// The one value of a header.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut found = self.headers.iter().filter(|(it, ..)| it == name);
        let first = found.next().map(|(_, value, _)| value.as_str());
        assert!(found.next().is_none(), "{name}: {self:?}");
        first
    }
}

/// One connection, kept as long as it is.
pub(crate) type Connection = Client<HttpConnector, Body>;

pub(crate) fn connection() -> Connection {
    let mut builder = Client::builder(TokioExecutor::new());
    builder.http2_only(true).build_http()
}

/// Asks, and reads the whole answer.
pub(crate) async fn send(
    connection: &Connection,
    to: SocketAddr,
    path: &str,
    body: impl Into<Body>,
) -> Answered {
    let request = axum::http::Request::post(format!("http://{to}{path}"))
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .body(body.into())
        .unwrap();
    let (parts, body) = connection.request(request).await.unwrap().into_parts();
    let body = body.collect().await.unwrap();
    // An error without a message has everything in its headers.
    let ends = body.trailers().cloned().unwrap_or(parts.headers);
    let text = |name| ends.get(name).map(|it| it.to_str().unwrap().to_owned());
    let body = body.to_bytes();
    Answered {
        status: text("grpc-status").unwrap().parse().unwrap(),
        why: text("grpc-message").unwrap_or_default(),
        message: body.get(5..).unwrap_or_default().to_vec(),
    }
}

/// Asks about a request.
pub(crate) async fn ask(to: SocketAddr, asked: Asked<'_>) -> Told {
    let answered = send(&connection(), to, CHECK, framed(&asked.message())).await;
    assert_eq!(answered.status, 0, "{answered:?}");
    answered.told()
}

impl Answered {
    /// The `CheckResponse`.
    pub(crate) fn told(&self) -> Told {
        let all = fields(&self.message);
        let (passes, answer) = match (message(&all, 3), message(&all, 2)) {
            (Some(allowed), None) => (true, fields(allowed)),
            (None, Some(denied)) => (false, fields(denied)),
            both => panic!("{both:?}"),
        };
        let status = message(&all, 1).map(fields).unwrap_or_default();
        let text = |bytes: Option<&[u8]>| String::from_utf8(bytes.unwrap_or_default().into());
        let headers = |of: u64| {
            let headers = answer.iter().filter(move |(number, _)| *number == of);
            let header = |(_, value): &(u64, Value<'_>)| {
                let option = fields(value.bytes());
                let pair = fields(message(&option, 1).unwrap());
                let (name, value) = (text(message(&pair, 1)), text(message(&pair, 2)));
                (name.unwrap(), value.unwrap(), number(&option, 3))
            };
            headers.map(header).collect()
        };
        Told {
            code: number(&status, 1),
            passes,
            status: message(&answer, 1)
                .filter(|_| !passes)
                .map(|it| number(&fields(it), 1)),
            headers: headers(2),
            for_client: headers(6),
            body: text(message(&answer, 3)).unwrap(),
        }
    }
}

#[derive(Debug)]
enum Value<'a> {
    Number(u64),
    Bytes(&'a [u8]),
}

impl<'a> Value<'a> {
    fn bytes(&self) -> &'a [u8] {
        match self {
            Self::Bytes(bytes) => bytes,
            Self::Number(_) => panic!("{self:?} is no message"),
        }
    }
}

fn message<'a>(fields: &[(u64, Value<'a>)], number: u64) -> Option<&'a [u8]> {
    let found = fields.iter().find(|(it, _)| *it == number);
    found.map(|(_, value)| value.bytes())
}

fn number(fields: &[(u64, Value<'_>)], number: u64) -> u64 {
    match fields.iter().find(|(it, _)| *it == number) {
        Some((_, Value::Number(number))) => *number,
        None => 0,
        Some(other) => panic!("{other:?} is no number"),
    }
}

fn fields(mut message: &[u8]) -> Vec<(u64, Value<'_>)> {
    let mut found = Vec::new();
    while !message.is_empty() {
        let tag = varint(&mut message);
        let value = varint(&mut message);
        let value = match tag & 7 {
            0 => Value::Number(value),
            2 => {
                let (content, rest) = message.split_at(usize::try_from(value).unwrap());
                message = rest;
                Value::Bytes(content)
            }
            kind => panic!("a field of kind {kind}"),
        };
        found.push((tag >> 3, value));
    }
    found
}

fn varint(message: &mut &[u8]) -> u64 {
    let mut number = 0;
    for shift in (0..64).step_by(7) {
        let (byte, rest) = message.split_first().unwrap();
        *message = rest;
        number |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return number;
        }
    }
    panic!("a number without end")
}
