//! The id that a request is found by.

use http::{HeaderMap, HeaderValue};

/// The header of a request's id, in requests and answers.
pub const REQUEST_ID: &str = "x-request-id";

const MAX_CHARACTERS: usize = 128;

/// Whether a text has the plain form of an id: letters, digits and `-_.`, at most 128 of them.
#[must_use]
pub fn is_request_id(text: &str) -> bool {
    let known = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    (1..=MAX_CHARACTERS).contains(&text.len()) && text.bytes().all(known)
}

/// The client's own id, if it has the plain form.
#[must_use]
pub fn own_request_id(headers: &HeaderMap) -> Option<&str> {
    plain(headers.get(REQUEST_ID)?)
}

/// The text, if it has the plain form of an id.
pub(crate) fn plain(value: &HeaderValue) -> Option<&str> {
    let text = value.to_str().ok()?;
    is_request_id(text).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_plain_id_is_taken_over() {
        let own = |id: &[u8]| {
            let mut headers = HeaderMap::new();
            headers.insert(REQUEST_ID, HeaderValue::from_bytes(id).unwrap());
            own_request_id(&headers).map(str::to_owned)
        };
        assert_eq!(own(b"a-B_3.9").as_deref(), Some("a-B_3.9"));
        assert!(own(&[b'a'; 128]).is_some() && own(&[b'a'; 129]).is_none());
        for other in [&b""[..], b"a b", b"\"", b"\xff"] {
            assert_eq!(own(other), None);
        }
        assert_eq!(own_request_id(&HeaderMap::new()), None);
    }
}
