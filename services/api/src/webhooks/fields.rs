//! The fields of a webhook, checked.

use reqwest::Url;
use tollkeeper_domain::event::TYPES;
use tollkeeper_runtime::settings::NetworkList;

use super::delivery::address::{Guard, literal};
use crate::http::problem::FieldErrors;

const MAX_URL_CHARACTERS: usize = 2048;
const MAX_DESCRIPTION_CHARACTERS: usize = 500;

/// Why a text is no URL to send events to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum BadUrl {
    #[error("a URL has at most {MAX_URL_CHARACTERS} characters")]
    Length,
    #[error("this is not an absolute URL with a host")]
    Form,
    #[error("a URL begins with `https://` unless its address is in an allowed network")]
    Scheme,
    #[error("a URL carries no user name, password or fragment")]
    Extras,
    #[error("this address is not public, and not in an allowed network")]
    Address,
}

/// Checks a URL as far as that goes without resolving its host, which is done at each connection.
pub(super) fn url(text: &str, allowed: &NetworkList) -> Result<String, BadUrl> {
    if text.chars().count() > MAX_URL_CHARACTERS {
        return Err(BadUrl::Length);
    }
    let url = Url::parse(text).map_err(|_| BadUrl::Form)?;
    if !url.has_host() {
        return Err(BadUrl::Form);
    }
    let guard = match url.scheme() {
        "https" => Guard::encrypted(allowed.clone()),
        "http" if allowed.iter().next().is_some() => Guard::plain(allowed.clone()),
        _ => return Err(BadUrl::Scheme),
    };
    if !url.username().is_empty() || url.password().is_some() || url.fragment().is_some() {
        return Err(BadUrl::Extras);
    }
    if literal(&url).is_some_and(|address| !guard.permits(address)) {
        return Err(BadUrl::Address);
    }
    let url = String::from(url);
    if url.chars().count() > MAX_URL_CHARACTERS {
        return Err(BadUrl::Length);
    }
    Ok(url)
}

/// Checks types of events; each is kept once.
pub(super) fn types(names: Vec<String>, errors: &mut FieldErrors) -> Vec<String> {
    let mut known = Vec::new();
    for (index, name) in names.into_iter().enumerate() {
        if !TYPES.iter().any(|(known, _)| *known == name) {
            errors.add(format!("/types/{index}"), "there is no such type of event");
        } else if !known.contains(&name) {
            known.push(name);
        }
    }
    known
}

/// Checks a description.
pub(super) fn description(text: &str) -> Result<(), &'static str> {
    let fits = text.chars().count() <= MAX_DESCRIPTION_CHARACTERS;
    if fits && !text.chars().any(char::is_control) {
        Ok(())
    } else {
        Err("a description has at most 500 characters, none of them a control character")
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(text: &str, allowed: &str) -> Result<String, BadUrl> {
        url(text, &allowed.parse().unwrap())
    }

    #[test]
    fn public_https_is_taken_and_nothing_else() {
        for good in ["https://example.com/hook?a=b", "https://8.8.8.8:8443/"] {
            assert_eq!(check(good, "").as_deref(), Ok(good));
        }
        for (bad, why) in [
            ("", BadUrl::Form),
            ("example.com", BadUrl::Form),
            ("https://", BadUrl::Form),
            ("file:///etc/passwd", BadUrl::Form),
            ("http://example.com/", BadUrl::Scheme),
            ("ftp://example.com/", BadUrl::Scheme),
            ("https://me@example.com/", BadUrl::Extras),
            ("https://me:secret@example.com/", BadUrl::Extras),
            ("https://example.com/#a", BadUrl::Extras),
            ("https://127.0.0.1/", BadUrl::Address),
            ("https://127.1/", BadUrl::Address),
            ("https://2130706433/", BadUrl::Address),
            ("https://0x7f000001/", BadUrl::Address),
            ("https://[::1]/", BadUrl::Address),
            ("https://[::ffff:10.0.0.1]/", BadUrl::Address),
            ("https://169.254.169.254/latest/meta-data", BadUrl::Address),
        ] {
            assert_eq!(check(bad, "").err(), Some(why), "{bad}");
        }
        let long = format!("https://example.com/{}", "a".repeat(MAX_URL_CHARACTERS));
        assert_eq!(check(&long, "").err(), Some(BadUrl::Length));
    }

    #[test]
    fn an_allowed_network_may_be_private_and_plain() {
        assert!(check("http://127.0.0.1:9000/", "127.0.0.0/8").is_ok());
        assert!(check("https://127.0.0.1/", "127.0.0.0/8").is_ok());
        // A name is judged when it is resolved.
        assert!(check("http://receiver.internal/", "10.0.0.0/8").is_ok());
        let public = check("http://8.8.8.8/", "10.0.0.0/8");
        assert_eq!(public.err(), Some(BadUrl::Address));
    }

    proptest! {
        #[test]
        fn any_text_is_a_url_or_an_error(text in ".{0,100}", host in "[a-z0-9.:\\[\\]%@-]{0,40}") {
            for text in [text, format!("https://{host}/")] {
                if let Ok(url) = check(&text, "") {
                    prop_assert!(url.starts_with("https://"));
                }
            }
        }
    }
}
