//! The headers that a check reads, found in one pass: to look up each by its name costs more than all
//! the rest that is done with them.

use std::net::IpAddr;

use http::{HeaderMap, HeaderValue};
use smallvec::SmallVec;
use tollkeeper_runtime::settings::NetworkList;

use crate::address::{FORWARDED_FOR, Way};
use crate::credential::{API_KEY, Credential, bearer};
use crate::request_id::{REQUEST_ID, plain};

/// What a request's headers say to a check.
#[derive(Default)]
pub struct CheckHeaders<'a> {
    key: Only<'a>,
    authorization: Only<'a>,
    forwarded_for: SmallVec<[&'a HeaderValue; 1]>,
    user_agent: Option<&'a HeaderValue>,
    request_id: Option<&'a HeaderValue>,
}

/// A header that should be given once.
#[derive(Clone, Copy, Default)]
enum Only<'a> {
    #[default]
    Missing,
    Once(&'a HeaderValue),
    Repeated,
}

impl<'a> Only<'a> {
    fn take(&mut self, value: &'a HeaderValue) {
        *self = match self {
            Self::Missing => Self::Once(value),
            Self::Once(_) | Self::Repeated => Self::Repeated,
        };
    }
}

impl<'a> CheckHeaders<'a> {
    /// Finds them.
    #[must_use]
    pub fn of(headers: &'a HeaderMap) -> Self {
        Self::and(headers, |_, _| ())
    }

    /// Finds them, and shows `other` each of the others with its name in lower case, repeated ones in
    /// their order.
    #[must_use]
    pub fn and(headers: &'a HeaderMap, mut other: impl FnMut(&'a str, &'a HeaderValue)) -> Self {
        let mut found = Self::default();
        for (name, value) in headers {
            match name.as_str() {
                API_KEY => found.key.take(value),
                "authorization" => found.authorization.take(value),
                FORWARDED_FOR => found.forwarded_for.push(value),
                "user-agent" => found.user_agent = found.user_agent.or(Some(value)),
                REQUEST_ID => found.request_id = found.request_id.or(Some(value)),
                name => other(name, value),
            }
        }
        found
    }

    /// The credential of a checked request. `X-API-Key` wins, as `Authorization` may be the site's own.
    /// What cannot be read counts as none: proxies make a server error of any refusal but 401 and 403.
    #[must_use]
    pub fn credential(&self) -> Option<Credential<'a>> {
        match (self.key, self.authorization) {
            (Only::Once(key), _) => Some(Credential::Key(key.as_bytes().trim_ascii())),
            (Only::Missing, Only::Once(value)) => bearer(value.as_bytes().trim_ascii()).ok(),
            (Only::Missing | Only::Repeated, _) => None,
        }
    }

    /// The way of the request back from `peer`.
    #[must_use]
    pub fn way(&self, peer: IpAddr, trusted: &NetworkList) -> Way {
        Way::along(self.forwarded_for.iter().copied(), peer, trusted)
    }

    /// The program that sent it, if that is text.
    #[must_use]
    pub fn user_agent(&self) -> Option<&'a str> {
        std::str::from_utf8(self.user_agent?.as_bytes()).ok()
    }

    /// The client's own id, if it has the plain form.
    #[must_use]
    pub fn request_id(&self) -> Option<&'a str> {
        plain(self.request_id?)
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderName;

    use super::*;

    fn headers(pairs: &[(&'static str, &[u8])]) -> HeaderMap {
        let mut map = HeaderMap::new();
        for (name, value) in pairs {
            let value = HeaderValue::from_bytes(value).unwrap();
            map.append(HeaderName::from_static(name), value);
        }
        map
    }

    fn credential(pairs: &[(&'static str, &[u8])]) -> Option<Vec<u8>> {
        let map = headers(pairs);
        let found = CheckHeaders::of(&map).credential()?;
        let (kind, bytes) = match found {
            Credential::Key(bytes) => ("key ", bytes),
            Credential::Bearer(bytes) => ("bearer ", bytes),
            Credential::Jwt(bytes) => ("jwt ", bytes),
        };
        Some([kind.as_bytes(), bytes].concat())
    }

    #[test]
    fn the_key_wins_and_what_is_given_twice_is_none() {
        let bearer = ("authorization", &b"Bearer  tk_live_x "[..]);
        let key = ("x-api-key", &b"b"[..]);
        for (pairs, expected) in [
            (&[bearer][..], Some(&b"bearer tk_live_x"[..])),
            (&[key], Some(b"key b")),
            (&[bearer, key], Some(b"key b")),
            (&[bearer, bearer], None),
            (&[bearer, bearer, key], Some(b"key b")),
            (&[key, key], None),
            (&[key, key, bearer], None),
            (&[("authorization", b"Basic abc"), key], Some(b"key b")),
            (&[("authorization", b"Basic abc")], None),
            (&[("authorization", b"bearer a.b.c")], Some(b"jwt a.b.c")),
            (&[("x-api-key", b"\xff\xfe\x80")], Some(b"key \xff\xfe\x80")),
            (&[], None),
        ] {
            assert_eq!(credential(pairs).as_deref(), expected, "{pairs:?}");
        }
        for bad in [&b"Bearer"[..], b"\xff\xff\xff\xff\xff\xff\xff\xff", b""] {
            assert_eq!(credential(&[("authorization", bad)]), None, "{bad:?}");
        }
    }

    #[test]
    fn the_first_of_repeated_texts_is_taken_and_others_are_shown_in_order() {
        let map = headers(&[
            ("x-original-uri", b"/one"),
            ("user-agent", b"curl"),
            ("user-agent", b"wget"),
            ("x-request-id", b"a-1"),
            ("x-request-id", b"a-2"),
            ("x-original-uri", b"/two"),
        ]);
        let mut others = Vec::new();
        let found = CheckHeaders::and(&map, |name, value| others.push((name, value.as_bytes())));
        assert_eq!(found.user_agent(), Some("curl"));
        assert_eq!(found.request_id(), Some("a-1"));
        let uris = [
            ("x-original-uri", &b"/one"[..]),
            ("x-original-uri", b"/two"),
        ];
        assert_eq!(others, uris);
    }

    #[test]
    fn lines_of_hops_are_followed_from_the_last() {
        let map = headers(&[
            ("x-forwarded-for", b"1.1.1.1"),
            ("x-forwarded-for", b"203.0.113.9"),
            ("x-forwarded-for", b"10.9.9.9,10.1.2.3"),
        ]);
        let trusted = "127.0.0.0/8,10.0.0.0/8".parse().unwrap();
        let way = CheckHeaders::of(&map).way([127, 0, 0, 1].into(), &trusted);
        assert_eq!(way.client(), Some([203, 0, 113, 9].into()));
    }
}
