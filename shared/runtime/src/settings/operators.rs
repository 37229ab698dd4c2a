//! Who may do everything, and whose word about a client's address is believed.

use std::str::FromStr;

use super::names::{Binary, DefaultValue, Setting};
use super::{NetworkList, Secret, SettingsError, Source, well_named};

/// Shorter keys could be guessed.
const KEY_MIN_CHARS: usize = 32;

pub(super) const OPERATOR_KEY: Setting = Setting {
    name: "OPERATOR_KEY",
    default: DefaultValue::None,
    meaning: "Bootstrap operator keys as `name:key`, one or several separated by commas (so that \
              one can be replaced while both work), each key at least 32 characters. Without one, \
              no operator key is accepted.",
    secret: true,
    read_by: &[Binary::Api, Binary::Ctl],
    example: "",
};

pub(super) const TRUSTED_PROXIES: Setting = Setting {
    name: "TRUSTED_PROXIES",
    default: DefaultValue::Same("127.0.0.0/8,::1/128"),
    meaning: "Networks (CIDR, comma-separated) of the proxies whose forwarded headers are \
              believed.",
    secret: false,
    read_by: &[Binary::Api],
    example: "",
};

/// A named operator key. The name appears in the log of events, the key nowhere.
#[derive(Debug, Clone)]
pub struct OperatorKey {
    pub name: String,
    pub key: Secret,
}

/// The operators and the proxies in front.
#[derive(Debug, Clone)]
pub struct OperatorSettings {
    pub keys: Vec<OperatorKey>,
    pub trusted_proxies: NetworkList,
}

impl OperatorSettings {
    /// # Errors
    /// When a key is too short or lacks its name, or a network does not parse.
    pub fn read(source: &Source) -> Result<Self, SettingsError> {
        let keys: Option<KeyList> = source.optional(&OPERATOR_KEY)?;
        Ok(Self {
            keys: keys.map(|list| list.0).unwrap_or_default(),
            trusted_proxies: source.required(&TRUSTED_PROXIES)?,
        })
    }
}

struct KeyList(Vec<OperatorKey>);

#[derive(Debug, thiserror::Error)]
enum KeyListError {
    #[error("key {0} is not of the form name:key; keys are separated by commas")]
    Form(usize),
    #[error("the name of key {0} must be 1 to 50 of a-z, 0-9, '-', '_' and '.'")]
    Name(usize),
    #[error("the name of key {0} is there twice")]
    Twice(usize),
    #[error("key {0} must have at least {KEY_MIN_CHARS} characters")]
    Short(usize),
}

impl FromStr for KeyList {
    type Err = KeyListError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut keys: Vec<OperatorKey> = Vec::new();
        // Keys are told by their number alone: whoever swapped name and key put the key first.
        for (number, part) in (1..).zip(text.split(',')) {
            let split = part.trim().split_once(':');
            let (name, key) = split.ok_or(KeyListError::Form(number))?;
            let name = name.to_owned();
            if !well_named(&name) {
                return Err(KeyListError::Name(number));
            }
            if keys.iter().any(|known| known.name == name) {
                return Err(KeyListError::Twice(number));
            }
            if key.chars().count() < KEY_MIN_CHARS {
                return Err(KeyListError::Short(number));
            }
            let key = Secret::new(key);
            keys.push(OperatorKey { name, key });
        }
        Ok(Self(keys))
    }
}
