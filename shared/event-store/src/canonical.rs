//! The bytes of an event that are hashed: RFC 8785, the JSON Canonicalization Scheme.

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::Value;
use sha2::{Digest, Sha256};
use uuid::Uuid;

/// The value has no canonical form.
#[derive(Debug, thiserror::Error)]
#[error("the payload has no canonical form: {0}")]
pub struct CanonicalError(#[from] serde_json::Error);

/// Writes a value in its one canonical form.
///
/// # Errors
/// [`CanonicalError`] for numbers that JSON cannot carry.
pub fn to_canonical(value: &Value) -> Result<Vec<u8>, CanonicalError> {
    Ok(serde_jcs::to_vec(value)?)
}

/// All of an event that its writer knows. Position and time of recording are added by the log.
#[derive(Debug, Serialize)]
pub(crate) struct Envelope<'a> {
    pub(crate) actor: &'a str,
    pub(crate) event_id: Uuid,
    pub(crate) occurred_at: DateTime<Utc>,
    pub(crate) payload: &'a Value,
    pub(crate) request_id: &'a str,
    pub(crate) schema_version: u32,
    pub(crate) stream_id: Uuid,
    pub(crate) stream_type: &'a str,
    pub(crate) stream_version: u64,
    #[serde(rename = "type")]
    pub(crate) name: &'a str,
}

/// SHA-256 of the canonical envelope.
///
/// # Errors
/// [`CanonicalError`] if the payload has no canonical form.
pub fn digest(envelope: &impl Serialize) -> Result<[u8; 32], CanonicalError> {
    Ok(Sha256::digest(serde_jcs::to_vec(envelope)?).into())
}

/// The hash of an event: SHA-256 over the previous event's hash, the position and the time of
/// recording in microseconds (eight bytes each, big-endian), and the digest of the envelope.
#[must_use]
pub fn chain_hash(
    previous: &[u8; 32],
    position: i64,
    recorded_at: DateTime<Utc>,
    digest: &[u8; 32],
) -> [u8; 32] {
    Sha256::new()
        .chain_update(previous)
        .chain_update(position.to_be_bytes())
        .chain_update(recorded_at.timestamp_micros().to_be_bytes())
        .chain_update(digest)
        .finalize()
        .into()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn canonical(value: &Value) -> String {
        String::from_utf8(to_canonical(value).unwrap()).unwrap()
    }

    #[test]
    fn keys_are_sorted_by_utf16_and_numbers_written_as_ecmascript_does() {
        // The sorting example of RFC 8785, section 3.2.3: U+FB33 sorts after U+1F600's surrogates.
        let keys = json!({"\u{fb33}": 1, "\u{1f600}": 2, "\u{20ac}": 3, "\r": 4, "1": 5, "é": 6});
        assert_eq!(
            canonical(&keys),
            "{\"\\r\":4,\"1\":5,\"é\":6,\"\u{20ac}\":3,\"\u{1f600}\":2,\"\u{fb33}\":1}"
        );
        let numbers = json!([333_333_333.333_333_3, 1e30, 4.50, 2e-3, 1e-27, -0.0, 100]);
        assert_eq!(
            canonical(&numbers),
            "[333333333.3333333,1e+30,4.5,0.002,1e-27,0,100]"
        );
    }

    #[test]
    fn strings_are_escaped_no_more_than_needed() {
        assert_eq!(
            canonical(&json!("\u{20ac}$\u{f}\nA'\"\\/")),
            "\"\u{20ac}$\\u000f\\nA'\\\"\\\\/\""
        );
    }
}
