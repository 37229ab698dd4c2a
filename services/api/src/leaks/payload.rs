//! What a report says.

use std::fmt;

use serde::Deserialize;
use utoipa::ToSchema;
use zeroize::Zeroizing;

use crate::http::body;
use crate::http::problem::{FieldErrors, Problem};

/// The most tokens in one report.
const MAX_TOKENS: usize = 1000;

/// Longer texts are no tokens of anybody.
const MAX_TOKEN_BYTES: usize = 4096;

/// One token that was found. Partners add members of their own, which are ignored.
#[derive(Deserialize, ToSchema)]
#[schema(as = LeakedToken, example = json!({
    "token": "tk_live_Xk2pV9aQ0bR7cS4dT1eU8fW5gY3hZ6iN2jM0q1aB2c",
    "type": "tollkeeper_api_token",
    "url": "https://github.example/shop/deploy/blob/main/.env",
    "source": "content",
}))]
pub(super) struct Found {
    /// What was found: at most 4096 bytes.
    #[schema(value_type = String)]
    pub(super) token: Zeroizing<String>,
    /// What the partner takes it for.
    #[serde(rename = "type")]
    pub(super) kind: String,
    /// Where it was found.
    pub(super) url: Option<String>,
    /// In what kind of place it was found.
    pub(super) source: Option<String>,
}

impl fmt::Debug for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Found")
            .field("kind", &self.kind)
            .finish_non_exhaustive()
    }
}

/// Reads a report.
///
/// # Errors
/// 400 if it is not JSON, 422 if it is not of the form of a report or too long.
pub(super) fn read(bytes: &[u8]) -> Result<Vec<Found>, Problem> {
    let found: Vec<Found> = body::read(bytes)?;
    let mut errors = FieldErrors::default();
    if found.len() > MAX_TOKENS {
        errors.add("", format!("a report holds at most {MAX_TOKENS} tokens"));
    }
    for (index, found) in found.iter().enumerate() {
        if found.token.len() > MAX_TOKEN_BYTES {
            let detail = format!("this has at most {MAX_TOKEN_BYTES} bytes");
            errors.add(format!("/{index}/token"), detail);
        }
    }
    errors.check()?;
    Ok(found)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn members_that_partners_add_are_ignored() {
        let report = br#"[{"token":"t","type":"k","url":"u","source":"content","more":{"a":1}},
            {"token":"t","type":"k","url":null}]"#;
        let found = read(report).unwrap();
        assert_eq!(found.len(), 2);
        assert_eq!(found[0].url.as_deref(), Some("u"));
        assert_eq!(format!("{:?}", found[0]), "Found { kind: \"k\", .. }");
    }

    proptest! {
        #[test]
        fn garbage_is_refused_and_never_a_panic(garbage in any::<Vec<u8>>()) {
            prop_assert!(read(&garbage).is_err());
        }
    }
}
