//! Finds the credential in a request's headers.

use http::{HeaderMap, HeaderName, header};

/// The header for operator keys and API tokens.
pub(crate) const API_KEY: &str = "x-api-key";

/// A credential as it was presented; its bytes may be anything.
///
/// It has no `Debug`: a credential must not end up in a message by accident.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Credential<'a> {
    /// In `X-API-Key`: an operator key or an API token.
    Key(&'a [u8]),
    /// In `Authorization: Bearer`: an API token.
    Bearer(&'a [u8]),
    /// In `Authorization: Bearer`, three parts with dots between them: a JWT.
    Jwt(&'a [u8]),
}

impl<'a> Credential<'a> {
    /// Whether both hold the same, wherever they were found.
    #[must_use]
    pub fn is_same_as(self, other: Self) -> bool {
        self.bytes() == other.bytes()
    }

    fn bytes(self) -> &'a [u8] {
        match self {
            Self::Key(bytes) | Self::Bearer(bytes) | Self::Jwt(bytes) => bytes,
        }
    }
}

/// Why the credentials of a request cannot be told.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadCredential {
    /// Nobody should have to guess which one counts.
    #[error("the header `{0}` is given more than once")]
    Repeated(HeaderName),
    /// Two differing ones.
    #[error("`X-API-Key` and `Authorization` hold two differing credentials")]
    Two,
    /// `Authorization` is of another form.
    #[error("`Authorization` must be of the form `Bearer <credential>`")]
    Form,
}

/// Both credentials of a request, each read from its one header.
pub struct Presented<'a> {
    /// From `X-API-Key`.
    pub key: Option<Credential<'a>>,
    /// From `Authorization`.
    pub bearer: Option<Credential<'a>>,
}

impl<'a> Presented<'a> {
    /// The one credential of a management request.
    ///
    /// # Errors
    /// [`BadCredential::Two`] if two differing ones are given.
    pub fn only(self) -> Result<Option<Credential<'a>>, BadCredential> {
        match (self.key, self.bearer) {
            (Some(key), Some(bearer)) if key.bytes() != bearer.bytes() => Err(BadCredential::Two),
            (key, bearer) => Ok(key.or(bearer)),
        }
    }
}

/// Reads the credentials from the headers.
///
/// # Errors
/// [`BadCredential`] if one of the headers is given twice or is not of the form
/// `Bearer <credential>`.
pub fn presented(headers: &HeaderMap) -> Result<Presented<'_>, BadCredential> {
    let key = single(headers, &HeaderName::from_static(API_KEY))?.map(Credential::Key);
    let bearer = match single(headers, &header::AUTHORIZATION)? {
        None => None,
        Some(value) => Some(bearer(value)?),
    };
    Ok(Presented { key, bearer })
}

fn single<'a>(
    headers: &'a HeaderMap,
    name: &HeaderName,
) -> Result<Option<&'a [u8]>, BadCredential> {
    let mut values = headers.get_all(name).iter();
    let first = values.next();
    if values.next().is_some() {
        return Err(BadCredential::Repeated(name.clone()));
    }
    Ok(first.map(|value| value.as_bytes().trim_ascii()))
}

pub(crate) fn bearer(value: &[u8]) -> Result<Credential<'_>, BadCredential> {
    let split = value.split_at_checked(7);
    match split {
        Some((scheme, rest)) if scheme.eq_ignore_ascii_case(b"bearer ") => {
            let text = rest.trim_ascii();
            let dots = text.iter().filter(|byte| **byte == b'.').count();
            Ok(if dots == 2 {
                Credential::Jwt(text)
            } else {
                Credential::Bearer(text)
            })
        }
        _ => Err(BadCredential::Form),
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    const KEY: HeaderName = HeaderName::from_static(API_KEY);

    fn headers(pairs: &[(HeaderName, &[u8])]) -> HeaderMap {
        let mut map = HeaderMap::new();
        for (name, value) in pairs {
            map.append(name.clone(), HeaderValue::from_bytes(value).unwrap());
        }
        map
    }

    #[test]
    fn a_bearer_of_three_parts_is_a_jwt() {
        let map = headers(&[(header::AUTHORIZATION, b"bearer a.b.c")]);
        assert!(presented(&map).unwrap().only().unwrap() == Some(Credential::Jwt(b"a.b.c")));
        let map = headers(&[(header::AUTHORIZATION, b"Bearer  tk_live_x ")]);
        assert!(presented(&map).unwrap().only().unwrap() == Some(Credential::Bearer(b"tk_live_x")));
    }

    #[test]
    fn two_differing_credentials_are_refused_where_only_one_may_be() {
        let map = headers(&[(header::AUTHORIZATION, b"Bearer a"), (KEY, b"b")]);
        assert!(presented(&map).unwrap().only().is_err());
        let map = headers(&[(header::AUTHORIZATION, b"Bearer a"), (KEY, b"a")]);
        assert!(presented(&map).unwrap().only().unwrap() == Some(Credential::Key(b"a")));
        let map = headers(&[(KEY, b"a"), (KEY, b"a")]);
        assert!(presented(&map).is_err());
        let map = headers(&[(header::AUTHORIZATION, b"Basic abc"), (KEY, b"a")]);
        assert!(presented(&map).is_err());
    }

    #[test]
    fn garbage_is_a_credential_or_an_error_and_never_a_panic() {
        let map = headers(&[(KEY, b"\xff\xfe\x80")]);
        assert!(presented(&map).unwrap().only().unwrap() == Some(Credential::Key(b"\xff\xfe\x80")));
        for bad in [
            &b"Basic abc"[..],
            b"Bearer",
            b"\xff\xff\xff\xff\xff\xff\xff\xff",
            b"",
        ] {
            let map = headers(&[(header::AUTHORIZATION, bad)]);
            assert!(presented(&map).is_err(), "{bad:?}");
        }
    }
}
