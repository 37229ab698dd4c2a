//! Reports of leaked tokens from partners that scan for secrets.

use std::path::PathBuf;
use std::str::FromStr;

use super::names::{Binary, DefaultValue, Setting};
use super::{SettingsError, Source};

pub(super) const LEAK_KEYS: Setting = Setting {
    name: "LEAK_KEYS",
    default: DefaultValue::None,
    meaning: "A file with the public keys of the partner that reports leaked tokens to \
              `POST /v1/leaks`, in the form in which GitHub publishes its own. Reports are not taken \
              unless it is set.",
    secret: false,
    read_by: &[Binary::Api],
    example: "/etc/tollkeeper/leak-keys.json",
};

pub(super) const LEAK_POLICY: Setting = Setting {
    name: "LEAK_POLICY",
    default: DefaultValue::Same("revoke"),
    meaning: "What becomes of a token that is reported as leaked: `revoke` or `suspend`.",
    secret: false,
    read_by: &[Binary::Api],
    example: "",
};

/// What becomes of a leaked token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LeakPolicy {
    /// It ends for good.
    Revoke,
    /// It rests until somebody has looked.
    Suspend,
}

impl FromStr for LeakPolicy {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "revoke" => Ok(Self::Revoke),
            "suspend" => Ok(Self::Suspend),
            _ => Err("expected revoke or suspend"),
        }
    }
}

/// Whose reports are believed, and what follows from them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeakSettings {
    pub keys: PathBuf,
    pub policy: LeakPolicy,
}

impl LeakSettings {
    /// `None` when no reports are taken.
    ///
    /// # Errors
    /// When the policy is out of form.
    pub fn read(source: &Source) -> Result<Option<Self>, SettingsError> {
        let policy = source.required(&LEAK_POLICY)?;
        let keys: Option<PathBuf> = source.optional(&LEAK_KEYS)?;
        Ok(keys.map(|keys| Self { keys, policy }))
    }
}
