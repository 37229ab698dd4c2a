//! What an issued token looks like and how long it may live.

use super::names::{Binary, DefaultValue, Setting};
use super::{SettingsError, Source};

pub(super) const TOKEN_BRAND: Setting = Setting {
    name: "TOKEN_BRAND",
    default: DefaultValue::Same("tk"),
    meaning: "First part of every issued token, 2 to 8 lower-case letters or digits.",
    secret: false,
    read_by: &[Binary::Api],
    example: "",
};

pub(super) const MAX_TOKEN_LIFETIME_DAYS: Setting = Setting {
    name: "MAX_TOKEN_LIFETIME_DAYS",
    default: DefaultValue::Same("365"),
    meaning: "The longest expiry that may be asked for, in days; 0 is unlimited.",
    secret: false,
    read_by: &[Binary::Api],
    example: "",
};

pub(super) const ACCOUNT_TOKEN_LIMIT: Setting = Setting {
    name: "ACCOUNT_TOKEN_LIMIT",
    default: DefaultValue::Same("10000"),
    meaning: "How many live tokens an account may have that has no `token_limit` of its own; 0 is \
              unlimited.",
    secret: false,
    read_by: &[Binary::Api],
    example: "",
};

pub(super) const LEGACY_TOKEN_SHAPES: Setting = Setting {
    name: "LEGACY_TOKEN_SHAPES",
    default: DefaultValue::None,
    meaning: "What imported tokens of other makers look like, so that they are looked up and kept \
              out of what is stored: shapes with commas between them, each `prefix:alphabet:length` \
              with `hex`, `base62`, `base64url` or `dotted` (base64url and dots), and a number or a \
              range of the characters after the prefix, which may be empty.",
    secret: false,
    read_by: &[Binary::Api],
    example: "old_:base62:40,:hex:32-64",
};

/// The rules for new tokens.
#[derive(Debug, Clone)]
pub struct TokenSettings {
    pub brand: String,
    /// `None` is unlimited.
    pub max_lifetime_days: Option<u32>,
    /// `None` is unlimited.
    pub account_token_limit: Option<u32>,
    /// As it is written; `None` for no shapes.
    pub legacy_shapes: Option<String>,
}

/// The live tokens of an account with a limit are counted at each issue, under a lock.
const MOST_TOKENS: u32 = 100_000;

/// A hundred years: beyond it dates leave the calendar that databases and people share.
const LONGEST_DAYS: u32 = 36_500;

impl TokenSettings {
    /// # Errors
    /// When the brand is out of form or the lifetime not a number.
    pub fn read(source: &Source) -> Result<Self, SettingsError> {
        let brand: String = source.required(&TOKEN_BRAND)?;
        let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        if !(2..=8).contains(&brand.len()) || !brand.bytes().all(allowed) {
            let reason = "expected 2 to 8 lower-case letters or digits";
            return Err(source.invalid(&TOKEN_BRAND, reason));
        }
        let days: u32 = source.required(&MAX_TOKEN_LIFETIME_DAYS)?;
        if days > LONGEST_DAYS {
            let reason = format!("it is at most {LONGEST_DAYS}, or 0 for no limit");
            return Err(source.invalid(&MAX_TOKEN_LIFETIME_DAYS, reason));
        }
        let limit: u32 = source.required(&ACCOUNT_TOKEN_LIMIT)?;
        if limit > MOST_TOKENS {
            let reason = format!("it is at most {MOST_TOKENS}, or 0 for no limit");
            return Err(source.invalid(&ACCOUNT_TOKEN_LIMIT, reason));
        }
        Ok(Self {
            brand,
            account_token_limit: Some(limit).filter(|limit| *limit > 0),
            max_lifetime_days: Some(days).filter(|days| *days > 0),
            legacy_shapes: source.optional(&LEGACY_TOKEN_SHAPES)?,
        })
    }
}
