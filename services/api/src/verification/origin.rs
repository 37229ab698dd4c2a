//! What the original request was and where it came from, as far as the proxy can be believed.

use std::net::IpAddr;

use axum::http::{HeaderMap, HeaderName, header};
use tollkeeper_check::Way;
use tollkeeper_runtime::settings::NetworkList;

use super::options::Source;

const ORIGINAL_URI: HeaderName = HeaderName::from_static("x-original-uri");
const ORIGINAL_METHOD: HeaderName = HeaderName::from_static("x-original-method");
const FORWARDED_URI: HeaderName = HeaderName::from_static("x-forwarded-uri");
const FORWARDED_METHOD: HeaderName = HeaderName::from_static("x-forwarded-method");

/// The original request.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Origin<'a> {
    pub(super) endpoint: &'a str,
    pub(super) method: &'a str,
    pub(super) way: Way,
    pub(super) user_agent: &'a str,
}

impl<'a> Origin<'a> {
    /// Reads the origin. Only a trusted `peer` is believed about anything but the request itself,
    /// whose `path` and `method` stand in where nothing better is known.
    pub(super) fn of(
        headers: &'a HeaderMap,
        (path, method): (&'a str, &'a str),
        source: Source,
        peer: IpAddr,
        trusted: &NetworkList,
    ) -> Self {
        let peer = peer.to_canonical();
        let believed = trusted.contains(peer);
        let (uri_header, method_header) = match source {
            Source::Path => (None, None),
            Source::Original => (Some(ORIGINAL_URI), Some(ORIGINAL_METHOD)),
            Source::Forwarded => (Some(FORWARDED_URI), Some(FORWARDED_METHOD)),
        };
        let told = |name: Option<HeaderName>| {
            name.filter(|_| believed)
                .and_then(|name| text(headers, &name))
        };
        Self {
            endpoint: told(uri_header).unwrap_or(path),
            method: told(method_header).unwrap_or(method),
            way: Way::of(headers, peer, trusted),
            user_agent: text(headers, &header::USER_AGENT).unwrap_or_default(),
        }
    }
}

fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    headers
        .get(name)
        .and_then(|value| std::str::from_utf8(value.as_bytes()).ok())
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        let pairs = pairs.iter();
        pairs
            .map(|(name, value)| {
                (
                    HeaderName::from_static(name),
                    HeaderValue::from_static(value),
                )
            })
            .collect()
    }

    fn trusted() -> NetworkList {
        "127.0.0.0/8,10.0.0.0/8,::1/128".parse().unwrap()
    }

    fn of<'a>(headers: &'a HeaderMap, source: Source, peer: &str) -> Origin<'a> {
        Origin::of(
            headers,
            ("/own", "GET"),
            source,
            peer.parse().unwrap(),
            &trusted(),
        )
    }

    #[test]
    fn only_the_chosen_source_of_a_trusted_proxy_is_believed() {
        let map = headers(&[
            ("x-original-uri", "/orders?id=1"),
            ("x-original-method", "POST"),
            ("x-forwarded-uri", "/other"),
            ("x-forwarded-method", "PUT"),
        ]);
        let seen = |source, peer| {
            let origin = of(&map, source, peer);
            (origin.endpoint.to_owned(), origin.method.to_owned())
        };
        let pair = |endpoint: &str, method: &str| (endpoint.to_owned(), method.to_owned());
        assert_eq!(
            seen(Source::Original, "127.0.0.1"),
            pair("/orders?id=1", "POST")
        );
        assert_eq!(seen(Source::Forwarded, "127.0.0.1"), pair("/other", "PUT"));
        assert_eq!(seen(Source::Path, "127.0.0.1"), pair("/own", "GET"));
        assert_eq!(seen(Source::Original, "192.0.2.1"), pair("/own", "GET"));
    }
}
