//! What the original request was and where it came from, as far as the proxy can be believed.

use std::net::IpAddr;

use axum::http::{HeaderMap, HeaderValue};
use tollkeeper_check::{CheckHeaders, Credential, Way};
use tollkeeper_runtime::settings::NetworkList;

use super::options::Source;

/// The original request.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Origin<'a> {
    pub(super) endpoint: &'a str,
    pub(super) method: &'a str,
    pub(super) way: Way,
    pub(super) user_agent: &'a str,
    /// The client's own id, if it has the plain form.
    pub(super) request_id: &'a str,
}

impl<'a> Origin<'a> {
    /// Reads the origin, and the credential beside it. Only a trusted `peer` is believed about anything but
    /// the request itself, whose `path` and `method` stand in where nothing better is known.
    pub(super) fn of(
        headers: &'a HeaderMap,
        (path, method): (&'a str, &'a str),
        source: Source,
        peer: IpAddr,
        trusted: &NetworkList,
    ) -> (Self, Option<Credential<'a>>) {
        let peer = peer.to_canonical();
        let believed = trusted.contains(peer);
        let (mut told_uri, mut told_method) = (None, None);
        let headers = CheckHeaders::and(headers, |name, value| {
            let told = match (source, name) {
                (Source::Original, "x-original-uri") | (Source::Forwarded, "x-forwarded-uri") => {
                    &mut told_uri
                }
                (Source::Original, "x-original-method")
                | (Source::Forwarded, "x-forwarded-method") => &mut told_method,
                _ => return,
            };
            // The first, where one is repeated.
            told.get_or_insert(value);
        });
        let believed = |told: Option<&'a HeaderValue>| {
            let told = told.filter(|_| believed)?;
            std::str::from_utf8(told.as_bytes()).ok()
        };
        let origin = Self {
            endpoint: believed(told_uri).unwrap_or(path),
            method: believed(told_method).unwrap_or(method),
            way: headers.way(peer, trusted),
            user_agent: headers.user_agent().unwrap_or_default(),
            request_id: headers.request_id().unwrap_or_default(),
        };
        (origin, headers.credential())
    }
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderName;

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
        .0
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
