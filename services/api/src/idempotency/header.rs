//! The header `Idempotency-Key`.

use axum::http::{HeaderMap, HeaderName};
use utoipa::IntoParams;
use utoipa::openapi::path::{Parameter, ParameterBuilder, ParameterIn};
use utoipa::openapi::{ObjectBuilder, Required, Type};

use crate::http::problem::Problem;

const HEADER: HeaderName = HeaderName::from_static("idempotency-key");

const MAX_CHARACTERS: usize = 255;

/// The header, in the description of operations that take it.
#[derive(Debug)]
pub(crate) struct IdempotencyKey;

impl IntoParams for IdempotencyKey {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        let key = ObjectBuilder::new()
            .schema_type(Type::String)
            .pattern(Some("^[!#-~][!-~]{0,254}$"))
            .examples(["8e03978e-40d5-43e8-bc93-6894a57f9324"]);
        let parameter = ParameterBuilder::new()
            .name("Idempotency-Key")
            .parameter_in(ParameterIn::Header)
            .required(Required::False)
            .description(Some(
                "A new random text for each request, the same when it is sent again: then it takes \
                effect once, and the answer of the first time is given again for 24 hours, with \
                `Idempotency-Replayed: true`. A secret in it is shown again for ten minutes.",
            ))
            .schema(Some(key));
        vec![parameter.build()]
    }
}

/// Why a key cannot be accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
enum BadKey {
    #[error("is given more than once")]
    Repeated,
    #[error("is empty")]
    Empty,
    #[error("has more than {MAX_CHARACTERS} characters")]
    TooLong,
    #[error("has something else than visible ASCII at character {0}")]
    NotVisible(usize),
    #[error(
        "begins with a quote and is not one string in quotes, with a backslash before each quote \
         and backslash inside"
    )]
    NotAString,
}

/// The key that a request carries: a string as in RFC 9651, or, as most clients send it, the bare
/// text.
///
/// # Errors
/// 400 if it is given twice or is not of 1 to 255 visible ASCII characters.
pub(super) fn key(headers: &HeaderMap) -> Result<Option<String>, Problem> {
    let mut values = headers.get_all(HEADER).iter();
    let Some(first) = values.next() else {
        return Ok(None);
    };
    let key = match values.next() {
        Some(_) => Err(BadKey::Repeated),
        None => read(first.as_bytes()),
    };
    key.map(Some)
        .map_err(|bad| Problem::bad_request("INVALID_HEADER", format!("`Idempotency-Key` {bad}")))
}

fn read(value: &[u8]) -> Result<String, BadKey> {
    let value = value.trim_ascii();
    let odd = value.iter().position(|byte| !byte.is_ascii_graphic());
    let text = match (odd, std::str::from_utf8(value)) {
        (None, Ok(text)) => text,
        (odd, _) => return Err(BadKey::NotVisible(odd.unwrap_or_default() + 1)),
    };
    let key = match text.strip_prefix('"') {
        None => text.to_owned(),
        Some(rest) => rest
            .strip_suffix('"')
            .and_then(unescaped)
            .ok_or(BadKey::NotAString)?,
    };
    match key.len() {
        0 => Err(BadKey::Empty),
        1..=MAX_CHARACTERS => Ok(key),
        _ => Err(BadKey::TooLong),
    }
}

/// What stands between the quotes: a backslash only before a quote or another one.
fn unescaped(text: &str) -> Option<String> {
    let mut key = String::with_capacity(text.len());
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        key.push(match character {
            '\\' => characters.next().filter(|it| matches!(it, '"' | '\\'))?,
            '"' => return None,
            other => other,
        });
    }
    Some(key)
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;
    use proptest::prelude::*;

    use super::*;

    fn read_all(values: &[&[u8]]) -> Result<Option<String>, Problem> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(HEADER, HeaderValue::from_bytes(value).unwrap());
        }
        key(&headers)
    }

    #[test]
    fn a_string_and_the_bare_text_are_the_same_key() {
        assert_eq!(read_all(&[]).unwrap(), None);
        for same in ["8e03978e-40d5", "\"8e03978e-40d5\"", "  8e03978e-40d5 "] {
            let read = read_all(&[same.as_bytes()]).unwrap();
            assert_eq!(read.as_deref(), Some("8e03978e-40d5"), "{same}");
        }
        let escaped = read_all(&[br#""a\"b\\c""#]).unwrap();
        assert_eq!(escaped.as_deref(), Some("a\"b\\c"));
        let longest = "k".repeat(255);
        let read = read_all(&[format!("\"{longest}\"").as_bytes()]).unwrap();
        assert_eq!(read, Some(longest));
    }

    #[test]
    fn what_is_no_key_is_refused_with_the_reason() {
        let long = "k".repeat(256);
        for (bad, why) in [
            ("", BadKey::Empty),
            ("  ", BadKey::Empty),
            ("\"\"", BadKey::Empty),
            ("\"", BadKey::NotAString),
            ("\"a", BadKey::NotAString),
            ("\"a\"b\"", BadKey::NotAString),
            ("\"a\\\"", BadKey::NotAString),
            ("\"a\\b\"", BadKey::NotAString),
            ("\"a\";x=1", BadKey::NotAString),
            ("a b", BadKey::NotVisible(2)),
            ("\"a b\"", BadKey::NotVisible(3)),
            ("ä", BadKey::NotVisible(1)),
            (long.as_str(), BadKey::TooLong),
        ] {
            assert_eq!(read(bad.as_bytes()), Err(why), "{bad}");
            let refused = format!("{:?}", read_all(&[bad.as_bytes()]).unwrap_err());
            assert!(refused.contains(&why.to_string()), "{refused}");
        }
        let twice = format!("{:?}", read_all(&[b"a", b"a"]).unwrap_err());
        assert!(twice.contains(&BadKey::Repeated.to_string()), "{twice}");
        assert_eq!(read(b"\xff"), Err(BadKey::NotVisible(1)));
    }

    proptest! {
        #[test]
        fn any_visible_text_can_be_quoted(text in "[!-~]{1,255}") {
            let quoted = text.replace('\\', "\\\\").replace('"', "\\\"");
            prop_assert_eq!(read(format!("\"{quoted}\"").as_bytes()), Ok(text));
        }

        #[test]
        fn any_text_is_a_key_or_refused(text in ".{0,300}") {
            if let Ok(key) = read(text.as_bytes()) {
                prop_assert!((1..=255).contains(&key.len()));
            }
        }
    }
}
