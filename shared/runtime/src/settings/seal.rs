//! The keys that seal what must be read again but not by whoever reads the database.

use std::fmt;
use std::str::FromStr;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use super::names::{Binary, DefaultValue, Setting};
use super::{Secret, SettingsError, Source, well_named};

/// XChaCha20-Poly1305 takes keys of this length.
const KEY_BYTES: usize = 32;

pub(super) const SEAL_KEYS: Setting = Setting {
    name: "SEAL_KEYS",
    default: DefaultValue::None,
    meaning: "Keys that seal secrets at rest (those that sign webhooks, and those of answers that \
              may be repeated), as `name:key`, the newest first, separated by commas; each key is \
              the base64 of 32 random bytes (`openssl rand -base64 32`). The first one seals, all \
              of them open: put a new one in front, and take an old one away when nothing sealed \
              with it is left. Without one, no webhook can be made, and an answer that is \
              repeated is without its secret.",
    secret: true,
    read_by: &[Binary::Api],
    example: "",
};

/// A named key. The name is kept beside what it seals, the key nowhere.
#[derive(Clone)]
pub struct SealKey {
    pub name: String,
    pub key: Zeroizing<[u8; KEY_BYTES]>,
}

impl SealKey {
    /// The key as the setting wants it, to be handed to a child process.
    #[must_use]
    pub fn as_setting(&self) -> Secret {
        Secret::new(format!("{}:{}", self.name, STANDARD.encode(*self.key)))
    }
}

impl fmt::Debug for SealKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SealKey")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

/// What seals secrets at rest.
#[derive(Debug, Clone, Default)]
pub struct SealSettings {
    /// The newest first; none if nothing is to be sealed.
    pub keys: Vec<SealKey>,
}

impl SealSettings {
    /// # Errors
    /// When a key lacks its name or is not the base64 of 32 bytes.
    pub fn read(source: &Source) -> Result<Self, SettingsError> {
        let keys: Option<KeyList> = source.optional(&SEAL_KEYS)?;
        Ok(Self {
            keys: keys.map(|list| list.0).unwrap_or_default(),
        })
    }
}

struct KeyList(Vec<SealKey>);

#[derive(Debug, thiserror::Error)]
enum KeyListError {
    #[error("key {0} is not of the form name:key; keys are separated by commas")]
    Form(usize),
    #[error("the name of key {0} must be 1 to 50 of a-z, 0-9, '-', '_' and '.'")]
    Name(usize),
    #[error("the name of key {0} is there twice")]
    NameTwice(usize),
    #[error("key {0} is not the base64 of {KEY_BYTES} bytes")]
    Key(usize),
    #[error("key {0} is there twice, under two names")]
    KeyTwice(usize),
    #[error("key {0} is one byte over and over, which nothing random would be")]
    Weak(usize),
}

impl FromStr for KeyList {
    type Err = KeyListError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut keys: Vec<SealKey> = Vec::new();
        // Keys are told by their number alone: whoever swapped name and key put the key first.
        for (number, part) in (1..).zip(text.split(',')) {
            let split = part.trim().split_once(':');
            let (name, key) = split.ok_or(KeyListError::Form(number))?;
            if !well_named(name) {
                return Err(KeyListError::Name(number));
            }
            if keys.iter().any(|known| known.name == name) {
                return Err(KeyListError::NameTwice(number));
            }
            let bytes = STANDARD.decode(key).map(Zeroizing::new);
            let bytes = bytes.map_err(|_| KeyListError::Key(number))?;
            let bytes = <[u8; KEY_BYTES]>::try_from(bytes.as_slice());
            let key = Zeroizing::new(bytes.map_err(|_| KeyListError::Key(number))?);
            if keys.iter().any(|known| known.key == key) {
                return Err(KeyListError::KeyTwice(number));
            }
            if key.iter().all(|byte| *byte == key[0]) {
                return Err(KeyListError::Weak(number));
            }
            keys.push(SealKey {
                name: name.to_owned(),
                key,
            });
        }
        Ok(Self(keys))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn encoded(seed: u8) -> String {
        let mut bytes = [seed; KEY_BYTES];
        bytes[0] = seed.wrapping_add(1);
        STANDARD.encode(bytes)
    }

    fn refusal(text: &str) -> String {
        let refused = text.parse::<KeyList>().err();
        refused.map(|error| error.to_string()).unwrap_or_default()
    }

    #[test]
    fn keys_keep_their_order() {
        let text = format!("new:{}, old:{}", encoded(1), encoded(2));
        let KeyList(keys) = text.parse().unwrap_or_else(|_| KeyList(Vec::new()));
        let names: Vec<&str> = keys.iter().map(|key| key.name.as_str()).collect();
        assert_eq!(names, ["new", "old"]);
        assert_eq!(keys[0].key[0], 2);
        assert!(!format!("{keys:?}").contains(", 1"));
    }

    #[test]
    fn a_bad_key_is_told_by_its_number_and_not_repeated() {
        let (one, two) = (encoded(1), encoded(2));
        for (text, why) in [
            (one.clone(), "key 1 is not of the form"),
            (format!("{one}:a"), "the name of key 1"),
            (format!("A:{one}"), "the name of key 1"),
            (
                format!("a:{one},a:{two}"),
                "the name of key 2 is there twice",
            ),
            (format!("a:{one},b:{one}"), "key 2 is there twice"),
            (format!("a:{one},"), "key 2 is not of the form"),
            ("a:c2hvcnQ=".to_owned(), "key 1 is not the base64"),
            (format!("a:{one}{one}"), "key 1 is not the base64"),
            (format!("a:{}", "A".repeat(43) + "="), "over and over"),
        ] {
            let message = refusal(&text);
            assert!(message.contains(why), "{message}");
            assert!(!message.contains(&one[..12]), "{message}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_keys_or_an_error(text in ".{0,200}") {
            if let Ok(KeyList(keys)) = text.parse() {
                prop_assert!(!keys.is_empty());
            }
        }

        #[test]
        fn what_is_written_is_read(keys in proptest::collection::btree_map(
            "[a-z0-9._-]{1,50}", any::<[u8; KEY_BYTES]>(), 1..5,
        )) {
            let parts = keys.iter().map(|(name, key)| {
                let (name, key) = (name.clone(), Zeroizing::new(*key));
                SealKey { name, key }.as_setting().expose().to_owned()
            });
            let text = parts.collect::<Vec<_>>().join(",");
            let KeyList(read) = text.parse().map_err(|error: KeyListError| {
                TestCaseError::fail(error.to_string())
            })?;
            let read = read.into_iter().map(|key| (key.name, *key.key));
            prop_assert!(read.eq(keys));
        }
    }
}
