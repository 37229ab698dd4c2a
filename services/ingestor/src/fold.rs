//! Paths to templates: segments that are identifiers fold to `{id}`, so that a thousand items are
//! one endpoint in the rollups. Raw rows keep the path.

use std::borrow::Cow;

const ID: &str = "{id}";
const LONG_HEX: usize = 16;

/// The template of a path. Allocates only if something folds.
#[must_use]
pub fn fold(path: &str) -> Cow<'_, str> {
    if !path.split('/').any(is_identifier) {
        return Cow::Borrowed(path);
    }
    let mut folded = String::with_capacity(path.len());
    for (at, segment) in path.split('/').enumerate() {
        if at > 0 {
            folded.push('/');
        }
        folded.push_str(if is_identifier(segment) { ID } else { segment });
    }
    Cow::Owned(folded)
}

/// Numbers, UUIDs, ULIDs and long hexadecimal strings.
fn is_identifier(segment: &str) -> bool {
    let bytes = segment.as_bytes();
    if !bytes.iter().any(u8::is_ascii_digit) {
        return false;
    }
    is_number(bytes) || is_uuid(bytes) || is_ulid(bytes) || is_long_hex(bytes)
}

fn is_number(bytes: &[u8]) -> bool {
    bytes.iter().all(u8::is_ascii_digit)
}

fn is_uuid(bytes: &[u8]) -> bool {
    bytes.len() == 36
        && bytes.iter().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => *byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
}

/// 26 characters of Crockford's base 32, the first at most 7.
fn is_ulid(bytes: &[u8]) -> bool {
    let base32 = |byte: &u8| {
        byte.is_ascii_digit()
            || (byte.is_ascii_alphabetic()
                && !matches!(byte.to_ascii_lowercase(), b'i' | b'l' | b'o' | b'u'))
    };
    bytes.len() == 26 && (b'0'..=b'7').contains(&bytes[0]) && bytes.iter().all(base32)
}

fn is_long_hex(bytes: &[u8]) -> bool {
    bytes.len() >= LONG_HEX && bytes.iter().all(u8::is_ascii_hexdigit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifiers_fold_and_words_stay() {
        for (path, template) in [
            ("/", "/"),
            ("", ""),
            ("/v1/users", "/v1/users"),
            ("/v1/users/7", "/v1/users/{id}"),
            ("/v1/users/007/posts/12", "/v1/users/{id}/posts/{id}"),
            ("/t/0190b3c2-7e4f-7000-8000-0123456789ab/x", "/t/{id}/x"),
            ("/t/01ARZ3NDEKTSV4RRFFQ69G5FAV", "/t/{id}"),
            (
                "/t/81ARZ3NDEKTSV4RRFFQ69G5FAV",
                "/t/81ARZ3NDEKTSV4RRFFQ69G5FAV",
            ),
            ("/blob/deadbeefdeadbee5", "/blob/{id}"),
            ("/blob/deadbeef5", "/blob/deadbeef5"),
            ("/beefbeefbeefbeefbeef", "/beefbeefbeefbeefbeef"),
            ("/2024/", "/{id}/"),
            ("/ä7/7", "/ä7/{id}"),
        ] {
            assert_eq!(fold(path), template, "{path}");
        }
        assert!(matches!(fold("/v2/health"), Cow::Borrowed(_)));
    }
}
