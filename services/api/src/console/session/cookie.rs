//! The cookies that hold secrets: of a session, of a browser that was here before, and of a sign-in that is under
//! way.
//!
//! Browsers send it over TLS alone and to this host alone, which is what the prefix `__Host-` stands for (RFC
//! 6265bis, section 4.1.3). Only on the machine's own loopback, where there is no way to listen in, it does
//! without.

use std::net::IpAddr;

use axum::http::header::{COOKIE, HOST};
use axum::http::{HeaderMap, HeaderValue};
use chrono::TimeDelta;

use super::{LONGEST, Secret};

/// A cookie that holds a secret.
#[derive(Debug, Clone, Copy)]
pub(in crate::console) struct Cookie {
    name: &'static str,
    on_loopback: &'static str,
}

/// That of a session.
const SESSION: Cookie = Cookie::new("__Host-tollkeeper", "tollkeeper");

/// That of a sign-in which is under way at an OpenID Connect provider.
pub(in crate::console) const FLOW: Cookie =
    Cookie::new("__Host-tollkeeper-flow", "tollkeeper-flow");

/// The secret of the session, if the request has one.
pub(in crate::console) fn read(headers: &HeaderMap) -> Option<Secret> {
    SESSION.read(headers)
}

/// What has the browser keep a secret.
pub(in crate::console) fn keep(headers: &HeaderMap, secret: &Secret) -> HeaderValue {
    SESSION.keep(headers, secret, LONGEST)
}

/// What has the browser forget it.
pub(in crate::console) fn forget(headers: &HeaderMap) -> HeaderValue {
    SESSION.forget(headers)
}

impl Cookie {
    /// A cookie of this name, and of the other one on the machine's own loopback.
    pub(super) const fn new(name: &'static str, on_loopback: &'static str) -> Self {
        Self { name, on_loopback }
    }

    /// The secret that it holds, if the request has it.
    pub(in crate::console) fn read(self, headers: &HeaderMap) -> Option<Secret> {
        let name = self.name(headers);
        let lines = headers.get_all(COOKIE).iter();
        let mut pairs = lines
            .filter_map(|line| line.to_str().ok())
            .flat_map(|line| line.split(';'))
            .filter_map(|pair| pair.trim().split_once('='));
        let (_, value) = pairs.find(|(found, _)| *found == name)?;
        Secret::read(value)
    }

    /// What has the browser keep a secret for so long.
    pub(in crate::console) fn keep(
        self,
        headers: &HeaderMap,
        secret: &Secret,
        age: TimeDelta,
    ) -> HeaderValue {
        self.set(headers, &secret.expose(), age.num_seconds())
    }

    /// What has the browser forget it.
    pub(in crate::console) fn forget(self, headers: &HeaderMap) -> HeaderValue {
        self.set(headers, "", 0)
    }

    fn set(self, headers: &HeaderMap, value: &str, seconds: i64) -> HeaderValue {
        let name = self.name(headers);
        let secure = if is_loopback(headers) { "" } else { "; Secure" };
        let text =
            format!("{name}={value}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Lax{secure}");
        let mut value = HeaderValue::from_str(&text).expect("base64 and names are ASCII");
        value.set_sensitive(true);
        value
    }

    fn name(self, headers: &HeaderMap) -> &'static str {
        if is_loopback(headers) {
            self.on_loopback
        } else {
            self.name
        }
    }
}

/// Whether the browser knows this host as its own machine.
pub(in crate::console) fn is_loopback(headers: &HeaderMap) -> bool {
    let host = headers.get(HOST).and_then(|host| host.to_str().ok());
    let Some(host) = host else { return false };
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    };
    let address = name.trim_start_matches('[').trim_end_matches(']');
    let address = address.parse::<IpAddr>();
    name == "localhost" || address.is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(host: &'static str, cookies: &'static str) -> HeaderMap {
        let pairs = [
            (HOST, HeaderValue::from_static(host)),
            (COOKIE, HeaderValue::from_static(cookies)),
        ];
        pairs.into_iter().collect()
    }

    #[test]
    fn only_loopback_does_without_tls() {
        for host in [
            "localhost",
            "localhost:8080",
            "127.0.0.1:80",
            "[::1]:80",
            "127.9.9.9",
        ] {
            let told = forget(&asked(host, ""));
            assert!(!told.to_str().unwrap().contains("Secure"), "{host}");
        }
        for host in [
            "keys.example.org",
            "localhost.example.org:80",
            "10.0.0.1",
            "[::2]:80",
        ] {
            let told = forget(&asked(host, ""));
            let told = told.to_str().unwrap();
            assert!(
                told.starts_with("__Host-") && told.ends_with("; Secure"),
                "{host}"
            );
        }
    }

    #[test]
    fn a_secret_comes_back_as_it_went() {
        let secret = Secret([7; 32]);
        let kept = keep(&asked("keys.example.org", ""), &secret);
        let (pair, _) = kept.to_str().unwrap().split_once(';').unwrap();
        let line = format!("theme=dark; {pair}");
        let mut headers = asked("keys.example.org", "");
        headers.insert(COOKIE, line.parse().unwrap());
        assert!(read(&headers) == Some(secret));
        // Another host's, or one without the prefix, is not taken for it.
        assert!(read(&asked("keys.example.org", "tollkeeper=AAAA")).is_none());
        assert!(read(&asked("keys.example.org", "__Host-tollkeeper=short")).is_none());
    }
}
