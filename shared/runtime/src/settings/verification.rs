//! How much is remembered, and how old a memory may answer.

use std::str::FromStr;
use std::time::Duration;

use super::names::{Binary, DefaultValue, Setting};
use super::{ByteSize, SettingsError, Source};

pub(super) const CACHE_BYTES: Setting = Setting {
    name: "CACHE_BYTES",
    default: DefaultValue::Same("256MiB"),
    meaning: "The bound of the token cache, in bytes or with a unit.",
    secret: false,
    read_by: &[Binary::Api],
    example: "",
};

pub(super) const STALE_POLICY: Setting = Setting {
    name: "STALE_POLICY",
    default: DefaultValue::Same("deny"),
    meaning: "What happens when the cache could not be proven fresh for longer than the limit: \
              `deny` answers `UNAVAILABLE`, `allow` goes on answering from memory.",
    secret: false,
    read_by: &[Binary::Api],
    example: "",
};

pub(super) const STALE_LIMIT_SECONDS: Setting = Setting {
    name: "STALE_LIMIT_SECONDS",
    default: DefaultValue::Same("60"),
    meaning: "How long answers may rest on a cache that cannot be proven fresh, at least 2.",
    secret: false,
    read_by: &[Binary::Api],
    example: "",
};

pub(super) const PRELOAD_TOKENS: Setting = Setting {
    name: "PRELOAD_TOKENS",
    default: DefaultValue::Same("10000"),
    meaning: "How many of the tokens used last a starting node reads before it is ready, as far as \
              they fit into the cache and for at most 5 seconds. 0 is none.",
    secret: false,
    read_by: &[Binary::Api],
    example: "",
};

/// Beyond the limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StalePolicy {
    Deny,
    Allow,
}

impl FromStr for StalePolicy {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "deny" => Ok(Self::Deny),
            "allow" => Ok(Self::Allow),
            _ => Err("expected deny or allow"),
        }
    }
}

/// The verification engine's bounds.
#[derive(Debug, Clone)]
pub struct VerificationSettings {
    pub cache_bytes: ByteSize,
    pub stale_policy: StalePolicy,
    pub stale_limit: Duration,
    pub preload_tokens: usize,
}

impl VerificationSettings {
    /// # Errors
    /// When a value is out of form or bounds.
    pub fn read(source: &Source) -> Result<Self, SettingsError> {
        let cache_bytes = source.required(&CACHE_BYTES)?;
        if cache_bytes < ByteSize(1 << 20) {
            return Err(source.invalid(&CACHE_BYTES, "expected at least 1MiB"));
        }
        let seconds: u64 = source.required(&STALE_LIMIT_SECONDS)?;
        if seconds < 2 {
            // Up to two seconds count as live, so a smaller limit could never be met.
            return Err(source.invalid(&STALE_LIMIT_SECONDS, "expected at least 2"));
        }
        let preload_tokens: u32 = source.required(&PRELOAD_TOKENS)?;
        Ok(Self {
            cache_bytes,
            stale_policy: source.required(&STALE_POLICY)?,
            stale_limit: Duration::from_secs(seconds),
            preload_tokens: preload_tokens.try_into().unwrap_or(usize::MAX),
        })
    }
}
