//! What Envoy asks, in the terms of a check.

use std::net::IpAddr;
use std::str;

use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use bytes::Bytes;
use tollkeeper_runtime::settings::NetworkList;
use tollkeeper_telemetry::trace::{TRACEPARENT, TRACESTATE};
use tonic::Status;

use super::messages::{AttributeContext, Entry, HttpRequest};
use crate::http::problem::Problem;
use crate::verification::options::Options;

const API_KEY: HeaderName = HeaderName::from_static("x-api-key");
const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const PARENT: HeaderName = HeaderName::from_static(TRACEPARENT);
const STATE: HeaderName = HeaderName::from_static(TRACESTATE);

/// The headers that a check reads, of all that Envoy may send.
fn read_by_checks(name: &[u8]) -> Option<HeaderName> {
    Some(match name {
        b"authorization" => header::AUTHORIZATION,
        b"user-agent" => header::USER_AGENT,
        b"x-api-key" => API_KEY,
        b"x-forwarded-for" => FORWARDED_FOR,
        b"x-request-id" => REQUEST_ID,
        b"traceparent" => PARENT,
        b"tracestate" => STATE,
        _ => return None,
    })
}

/// The headers of the original request.
///
/// # Errors
/// If one is none that HTTP can carry.
pub(super) fn headers(request: &HttpRequest) -> Result<HeaderMap, Status> {
    let mut headers = HeaderMap::with_capacity(7);
    for Entry { key, value } in &request.headers {
        let Some(name) = read_by_checks(key) else {
            continue;
        };
        let value = HeaderValue::from_maybe_shared(value.clone()).map_err(|_| {
            Status::invalid_argument(format!("`{name}` is not what a header can be"))
        })?;
        headers.append(name, value);
    }
    Ok(headers)
}

/// Text of the protocol, which is UTF-8.
///
/// # Errors
/// If it is not.
pub(super) fn text<'a>(what: &str, bytes: &'a Bytes) -> Result<&'a str, Status> {
    str::from_utf8(bytes).map_err(|_| Status::invalid_argument(format!("`{what}` is not UTF-8")))
}

/// Who has sent the request to Envoy, as far as a trusted Envoy says it; Envoy itself where it cannot
/// be believed. Headers tell what came before that.
pub(super) fn sender(
    attributes: &AttributeContext,
    envoy: IpAddr,
    trusted: &NetworkList,
) -> IpAddr {
    let envoy = envoy.to_canonical();
    if !trusted.contains(envoy) {
        return envoy;
    }
    let source = attributes.source.as_ref();
    let address = source.and_then(|source| source.address.as_ref()?.socket_address.as_ref());
    let address = address.and_then(|it| str::from_utf8(&it.address).ok()?.parse().ok());
    address.unwrap_or(envoy)
}

/// What is demanded, from `context_extensions`: `scope` (several with spaces between), `env`,
/// `cost` and `jwt`.
///
/// # Errors
/// 400 that names what is wrong.
pub(super) fn demands(context: &[Entry]) -> Result<Options, Problem> {
    let mut options = Options::default();
    let unreadable = |_| invalid("it must be text");
    for Entry { key, value } in context {
        let name = str::from_utf8(key).map_err(unreadable)?;
        let value = str::from_utf8(value).map_err(unreadable)?;
        match name {
            "scope" if value.trim().is_empty() => return Err(invalid("`scope` names none")),
            "scope" => {
                for scope in value.split_ascii_whitespace() {
                    options.take("scope", scope)?;
                }
            }
            "env" | "cost" | "jwt" => options.take(name, value)?,
            _ => return Err(invalid("the keys are scope, env, cost and jwt")),
        }
    }
    Ok(options)
}

fn invalid(why: &str) -> Problem {
    Problem::bad_request("INVALID_QUERY", format!("`context_extensions`: {why}"))
}

#[cfg(test)]
mod tests {
    use tollkeeper_domain::scope::Scope;
    use tollkeeper_domain::secret::Environment;

    use super::super::messages::{Address, Peer, SocketAddress};
    use super::*;

    fn entries(pairs: &[(&'static str, &'static str)]) -> Vec<Entry> {
        let entry = |(key, value): &(&'static str, &'static str)| Entry {
            key: Bytes::from_static(key.as_bytes()),
            value: Bytes::from_static(value.as_bytes()),
        };
        pairs.iter().map(entry).collect()
    }

    #[test]
    fn demands_are_those_of_a_query() {
        let context = entries(&[
            ("scope", "orders:read  a.b"),
            ("env", "live"),
            ("cost", "0"),
            ("jwt", "allow"),
        ]);
        let options = demands(&context).ok().unwrap();
        let scopes: Vec<_> = options.scopes.iter().map(Scope::as_str).collect();
        assert_eq!(scopes, ["orders:read", "a.b"]);
        assert_eq!(options.environment, Some(Environment::Live));
        assert_eq!(options.cost, Some(0));
        assert!(options.accounts);
        assert!(demands(&[]).ok().unwrap() == Options::default());
        for bad in [
            ("scope", ""),
            ("scope", "A"),
            ("env", "prod"),
            ("cost", "many"),
            ("from", "original"),
            ("uri", "/a"),
            ("deny", "403"),
            ("jwt", "deny"),
            ("scopes", "a"),
        ] {
            assert!(demands(&entries(&[bad])).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn only_the_headers_of_a_check_are_taken_over() {
        let request = HttpRequest {
            headers: entries(&[
                ("x-api-key", "a,b"),
                ("x-tollkeeper-scopes", "forged"),
                (":path", "/"),
                ("X-API-Key", "not a name of HTTP/2"),
            ]),
            ..HttpRequest::default()
        };
        let headers = headers(&request).ok().unwrap();
        assert_eq!(headers.len(), 1);
        assert_eq!(headers["x-api-key"], "a,b");
        let request = HttpRequest {
            headers: entries(&[("authorization", "Bearer\r\na")]),
            ..HttpRequest::default()
        };
        assert!(super::headers(&request).is_err());
    }

    #[test]
    fn only_a_trusted_envoy_is_believed_about_the_sender() {
        let trusted = "127.0.0.0/8".parse().unwrap();
        let of = |address: &'static str, envoy: &str| {
            let address = Bytes::from_static(address.as_bytes());
            let socket_address = Some(SocketAddress { address });
            let address = Some(Address { socket_address });
            let attributes = AttributeContext {
                source: Some(Peer { address }),
                ..AttributeContext::default()
            };
            sender(&attributes, envoy.parse().unwrap(), &trusted).to_string()
        };
        assert_eq!(of("203.0.113.9", "127.0.0.1"), "203.0.113.9");
        assert_eq!(of("203.0.113.9", "::ffff:127.0.0.1"), "203.0.113.9");
        assert_eq!(of("203.0.113.9", "198.51.100.7"), "198.51.100.7");
        assert_eq!(of("/run/envoy.sock", "127.0.0.1"), "127.0.0.1");
    }
}
