//! The parts of a token that have a form of their own.

use std::fmt;

use chrono::{DateTime, Datelike, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// The longest name, in characters.
const MAX_NAME_CHARACTERS: usize = 100;

/// The most that metadata may take as JSON, in bytes.
const MAX_METADATA_BYTES: usize = 2048;

/// The calendar: what JSON, PostgreSQL and people all write in the same way.
const FIRST_YEAR: i32 = 1970;
const LAST_YEAR: i32 = 9999;

/// Why a field is refused. The text is fit for the caller.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadField {
    /// Too short or too long.
    #[error("a name has 1 to {MAX_NAME_CHARACTERS} characters")]
    NameLength,
    /// Holds a control character.
    #[error("a name holds no control characters")]
    NameControl,
    /// Takes too much room.
    #[error("metadata takes at most {MAX_METADATA_BYTES} bytes as JSON")]
    MetadataSize,
    /// Holds U+0000, which PostgreSQL cannot keep.
    #[error("metadata holds no U+0000")]
    MetadataNul,
    /// Holds a whole number that JSON readers do not agree on (RFC 8259, section 6).
    #[error("whole numbers in metadata lie within 2^53 - 1 of zero")]
    MetadataNumber,
    /// Outside the calendar that every part of the system can write.
    #[error("`{0}` lies in the years {FIRST_YEAR} to {LAST_YEAR}")]
    OutOfCalendar(&'static str),
    /// The expiry is not ahead.
    #[error("the expiry must lie in the future")]
    ExpiryPast,
    /// The expiry is further away than this installation allows.
    #[error("the expiry may lie at most {0} days ahead")]
    ExpiryTooFar(i64),
    /// It would expire before it becomes valid.
    #[error("`not_before` must lie before the expiry")]
    NeverValid,
}

/// What people call a token: 1–100 characters, none of them a control character.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TokenName(String);

impl TokenName {
    /// Takes the name, without the white space around it.
    ///
    /// # Errors
    /// [`BadField::NameLength`] or [`BadField::NameControl`].
    pub fn new(text: &str) -> Result<Self, BadField> {
        let text = text.trim();
        if !(1..=MAX_NAME_CHARACTERS).contains(&text.chars().count()) {
            return Err(BadField::NameLength);
        }
        if text.chars().any(char::is_control) {
            return Err(BadField::NameControl);
        }
        Ok(Self(text.to_owned()))
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for TokenName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What an account keeps with a token: a JSON object of at most 2 KiB. Not for personal data, as
/// it stays in the log.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Metadata(Map<String, Value>);

impl Metadata {
    /// Takes the object.
    ///
    /// # Errors
    /// [`BadField::MetadataSize`] or [`BadField::MetadataNul`].
    pub fn new(object: Map<String, Value>) -> Result<Self, BadField> {
        let value = Value::Object(object);
        let text = value.to_string();
        if text.len() > MAX_METADATA_BYTES {
            return Err(BadField::MetadataSize);
        }
        // In JSON text U+0000 can only stand as this escape; an escaped backslash before it is
        // the one way to write the letters without meaning it.
        if text.replace("\\\\", "").contains("\\u0000") {
            return Err(BadField::MetadataNul);
        }
        if !numbers_are_exact(&value) {
            return Err(BadField::MetadataNumber);
        }
        match value {
            Value::Object(object) => Ok(Self(object)),
            _ => Ok(Self::default()),
        }
    }

    /// The object.
    #[must_use]
    pub const fn as_map(&self) -> &Map<String, Value> {
        &self.0
    }
}

/// Whether every whole number survives being read as a double, as the canonical form demands.
fn numbers_are_exact(value: &Value) -> bool {
    const LARGEST: u64 = (1 << 53) - 1;
    match value {
        Value::Number(number) => number
            .as_u64()
            .or(number.as_i64().map(i64::unsigned_abs))
            .is_none_or(|it| it <= LARGEST),
        Value::Array(items) => items.iter().all(numbers_are_exact),
        Value::Object(object) => object.values().all(numbers_are_exact),
        Value::Null | Value::Bool(_) | Value::String(_) => true,
    }
}

/// From when until when a token works. Either end may be open.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Validity {
    /// First moment at which it works.
    pub not_before: Option<DateTime<Utc>>,
    /// First moment at which it works no more.
    pub expires_at: Option<DateTime<Utc>>,
}

impl Validity {
    /// Checks what is asked for at `now`, where at most `longest` ahead may be asked for.
    ///
    /// # Errors
    /// [`BadField::OutOfCalendar`], [`BadField::ExpiryPast`], [`BadField::ExpiryTooFar`] or
    /// [`BadField::NeverValid`].
    pub fn check(&self, now: DateTime<Utc>, longest: Option<TimeDelta>) -> Result<(), BadField> {
        for (name, time) in [
            ("not_before", self.not_before),
            ("expires_at", self.expires_at),
        ] {
            if time.is_some_and(|time| !(FIRST_YEAR..=LAST_YEAR).contains(&time.year())) {
                return Err(BadField::OutOfCalendar(name));
            }
        }
        let Some(expires_at) = self.expires_at else {
            return match longest {
                Some(longest) => Err(BadField::ExpiryTooFar(longest.num_days())),
                None => Ok(()),
            };
        };
        if expires_at <= now {
            return Err(BadField::ExpiryPast);
        }
        if let Some(longest) = longest
            && expires_at - now > longest
        {
            return Err(BadField::ExpiryTooFar(longest.num_days()));
        }
        if self.not_before.is_some_and(|start| start >= expires_at) {
            return Err(BadField::NeverValid);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn object(value: Value) -> Map<String, Value> {
        value.as_object().cloned().unwrap()
    }

    #[test]
    fn names() {
        assert_eq!(TokenName::new("  ci  ").unwrap().as_str(), "ci");
        assert!(TokenName::new(&"é".repeat(100)).is_ok());
        assert_eq!(TokenName::new(&"é".repeat(101)), Err(BadField::NameLength));
        assert_eq!(TokenName::new("  "), Err(BadField::NameLength));
        assert_eq!(TokenName::new("a\u{0}b"), Err(BadField::NameControl));
    }

    #[test]
    fn metadata() {
        assert!(Metadata::new(object(json!({"a": "\\u0000 as letters"}))).is_ok());
        assert_eq!(
            Metadata::new(object(json!({"a": {"b\u{0}": 1}}))),
            Err(BadField::MetadataNul)
        );
        assert_eq!(
            Metadata::new(object(json!({"a": [{"b": 1_u64 << 53}]}))),
            Err(BadField::MetadataNumber)
        );
        assert!(Metadata::new(object(json!({"a": [-((1_i64 << 53) - 1), 1e300]}))).is_ok());
        assert_eq!(
            Metadata::new(object(json!({"a": "x".repeat(2048)}))),
            Err(BadField::MetadataSize)
        );
    }

    #[test]
    fn validity() {
        let now = DateTime::from_timestamp(1_000_000, 0).unwrap();
        let at = |seconds| Some(now + TimeDelta::seconds(seconds));
        let longest = Some(TimeDelta::days(365));
        let check = |not_before, expires_at| {
            Validity {
                not_before,
                expires_at,
            }
            .check(now, longest)
        };
        assert_eq!(check(None, at(1)), Ok(()));
        assert_eq!(check(None, at(0)), Err(BadField::ExpiryPast));
        assert_eq!(check(None, at(365 * 86_400)), Ok(()));
        assert_eq!(
            check(None, at(365 * 86_400 + 1)),
            Err(BadField::ExpiryTooFar(365))
        );
        assert_eq!(check(None, None), Err(BadField::ExpiryTooFar(365)));
        assert_eq!(check(at(5), at(5)), Err(BadField::NeverValid));
        assert_eq!(Validity::default().check(now, None), Ok(()));
        for odd in [
            "0000-01-01T00:00:00Z",
            "1969-12-31T23:59:59Z",
            "+10000-01-01T00:00:00Z",
        ] {
            let odd = odd.parse().ok();
            assert!(odd.is_some());
            assert_eq!(
                check(odd, at(1)),
                Err(BadField::OutOfCalendar("not_before"))
            );
            let expiring = Validity {
                not_before: None,
                expires_at: odd,
            };
            assert_eq!(
                expiring.check(now, None),
                Err(BadField::OutOfCalendar("expires_at"))
            );
        }
    }
}
