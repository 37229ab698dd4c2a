//! The secrets of one folder, made once.

use serde::{Deserialize, Serialize};
use tollkeeper_ambient::{Entropy, SystemEntropy};
use tollkeeper_runtime::settings::{SealKey, Secret};
use zeroize::Zeroizing;

use super::error::Error;
use super::folder::Folder;

const FILE: &str = "secrets.json";

/// The name of the operator whose key is made here, and of the seal key.
const NAME: &str = "up";

#[derive(Debug, Clone)]
pub(super) struct Secrets {
    pub(super) postgres_password: Secret,
    pub(super) nats_password: Secret,
    pub(super) operator_key: Secret,
    /// Those that somebody has set, and ours behind them.
    seal_keys: Vec<SealKey>,
}

#[derive(Serialize, Deserialize)]
struct OnDisk {
    postgres_password: String,
    nats_password: String,
    operator_key: String,
    /// Folders of the first releases have none.
    seal_key: Option<String>,
}

impl Secrets {
    pub(super) fn load_or_make(
        folder: &Folder,
        mut seal_keys: Vec<SealKey>,
    ) -> Result<Self, Error> {
        let wrap = |reason| Error::Secrets {
            path: folder.join(FILE),
            reason,
        };
        let stored: Option<OnDisk> = match folder.read(FILE)? {
            Some(text) => Some(serde_json::from_str(&text).map_err(wrap)?),
            None => None,
        };
        let complete = stored.as_ref().is_some_and(|it| it.seal_key.is_some());
        let mut stored = stored.unwrap_or_else(|| OnDisk {
            postgres_password: random(),
            nats_password: random(),
            operator_key: random(),
            seal_key: None,
        });
        let seal_key = stored.seal_key.get_or_insert_with(random);
        let seal_key = SealKey {
            name: NAME.to_owned(),
            key: bytes(seal_key).map_err(wrap)?,
        };
        // What it sealed must open also after somebody has set their own.
        if seal_keys
            .iter()
            .all(|other| other.name != seal_key.name && other.key != seal_key.key)
        {
            seal_keys.push(seal_key);
        }
        if !complete {
            let text = serde_json::to_string_pretty(&stored).map_err(wrap)?;
            folder.write_private(FILE, &text)?;
        }
        Ok(Self {
            postgres_password: Secret::new(stored.postgres_password),
            nats_password: Secret::new(stored.nats_password),
            operator_key: Secret::new(stored.operator_key),
            seal_keys,
        })
    }

    /// The value of `TOLLKEEPER_OPERATOR_KEY`: ours, beside those the environment names.
    pub(super) fn operator_keys(&self, others: Option<String>) -> String {
        let ours = format!("{NAME}:{}", self.operator_key.expose());
        match others.filter(|others| !others.is_empty()) {
            Some(others) => format!("{ours},{others}"),
            None => ours,
        }
    }

    /// The value of `TOLLKEEPER_SEAL_KEYS`.
    pub(super) fn seal_keys(&self) -> Secret {
        let keys = self.seal_keys.iter().map(SealKey::as_setting);
        let keys: Vec<String> = keys.map(|key| key.expose().to_owned()).collect();
        Secret::new(keys.join(","))
    }
}

/// 256 random bits.
fn random() -> String {
    let mut bytes = [0_u8; 32];
    SystemEntropy.fill(&mut bytes);
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The bytes of what [`random`] gave.
fn bytes(hex: &str) -> Result<Zeroizing<[u8; 32]>, serde_json::Error> {
    let bad = || serde::de::Error::custom("the seal key is not 64 hexadecimal digits");
    let mut bytes = Zeroizing::new([0_u8; 32]);
    if hex.len() != 64 || !hex.is_ascii() {
        return Err(bad());
    }
    for (index, byte) in bytes.iter_mut().enumerate() {
        let digits = &hex[index * 2..index * 2 + 2];
        *byte = u8::from_str_radix(digits, 16).map_err(|_| bad())?;
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn an_older_folder_gains_a_seal_key_once_and_keeps_the_rest() {
        let place = tempfile::tempdir().unwrap();
        let folder = Folder::open(place.path()).unwrap();
        let old = r#"{"postgres_password": "p", "nats_password": "n", "operator_key": "o"}"#;
        fs::write(place.path().join(FILE), old).unwrap();
        let first = Secrets::load_or_make(&folder, Vec::new()).unwrap();
        assert_eq!(first.operator_key.expose(), "o");
        let again = Secrets::load_or_make(&folder, Vec::new()).unwrap();
        assert_eq!(again.seal_keys().expose(), first.seal_keys().expose());

        let own = SealKey {
            name: "own".to_owned(),
            key: Zeroizing::new([7; 32]),
        };
        let beside = Secrets::load_or_make(&folder, vec![own.clone()]).unwrap();
        let both = format!(
            "{},{}",
            own.as_setting().expose(),
            first.seal_keys().expose()
        );
        assert_eq!(beside.seal_keys().expose(), both);
    }
}
